"""Calling the ingestion API the way an app does."""

import json
import uuid
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.test import Client

from accounts.models import Environment, KeyKind
from tests.factories import make_key


@dataclass(frozen=True)
class App:
    """An app with a key of an environment."""

    client: Client
    environment: Environment
    secret: str

    def send(self, method: str, path: str, body: Any, **headers: str) -> HttpResponse:
        """Send JSON, or bytes as they are."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.generic(
            method,
            f"/api/v1/{path}",
            data,
            content_type="application/json",
            headers={"Authorization": f"Bearer {self.secret}", **headers},
        )

    def post_events(self, *events: dict[str, Any]) -> list[dict[str, Any]]:
        """Send events and return the result of each."""
        response = self.send("POST", "events", {"events": events})
        assert response.status_code == 202, response.content
        return list(response.json()["results"])

    def put_profile(self, unit_id: str, **change: Any) -> HttpResponse:
        """Send one profile change."""
        return self.send("PUT", f"profiles/{unit_id}", change)


def make_app(environment: Environment, kind: str = KeyKind.INGEST) -> App:
    """Return an app with a fresh key of this kind."""
    return App(Client(), environment, make_key(environment, kind))


def event(**fields: Any) -> dict[str, Any]:
    """Return an event as an app sends it."""
    return {"event_id": str(uuid.uuid4()), "unit_id": "u1", "name": "signup", **fields}
