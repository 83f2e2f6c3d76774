"""An environment with a running experiment, and a client that speaks OFREP to it."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import Environment, KeyKind, Project
from tests.factories import ProjectFactory, make_key, production_of

Ask = Callable[..., Any]


@pytest.fixture
def project(db: None) -> Project:
    return ProjectFactory()


@pytest.fixture
def environment(project: Project) -> Environment:
    return production_of(project)


@pytest.fixture
def server_key(environment: Environment) -> str:
    return make_key(environment, kind=KeyKind.SDK_SERVER)


@pytest.fixture
def post(client: Client, server_key: str) -> Ask:
    """Post JSON, or bytes as they are, with the server key unless told otherwise."""

    def send(path: str, body: Any, *, key: str | None = server_key, **headers: str) -> Any:
        if key:
            headers.setdefault("Authorization", f"Bearer {key}")
        return client.post(path, body, content_type="application/json", headers=headers)

    return send


@pytest.fixture
def evaluate(post: Ask) -> Ask:
    """Ask one flag for one unit with OFREP."""

    def ask(flag: str, unit_id: str = "u1", **attributes: Any) -> dict[str, Any]:
        response = post(
            f"/ofrep/v1/evaluate/flags/{flag}", {"context": {"targetingKey": unit_id, **attributes}}
        )
        return {"status": response.status_code, **response.json()}

    return ask
