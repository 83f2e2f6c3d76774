"""The attribute registry over REST."""

from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from accounts.models import Environment, KeyKind, Role
from events.models import Attribute
from tests.events.api_client import App, make_app
from tests.factories import AttributeFactory, ProfileFactory, make_key

pytestmark = pytest.mark.django_db

NEW = {"key": "plan_name", "type": "string", "purpose": "price tests"}


def call(
    environment: Environment, method: str, path: str, body: Any = None, role: str = Role.ADMIN
) -> HttpResponse:
    return App(Client(), environment, make_key(environment, role=role)).send(method, path, body or {})


def test_an_attribute_is_registered_read_changed_and_deleted(environment: Environment) -> None:
    created = call(environment, "POST", "attributes", NEW)
    assert created.status_code == 201, created.content
    address = f"attributes/{created.json()['id']}"
    assert call(environment, "GET", address).json()["retention_days"] == 365
    assert call(environment, "PATCH", address, {"purpose": "pricing"}).json()["purpose"] == "pricing"
    assert call(environment, "DELETE", address).status_code == 204
    assert call(environment, "GET", address).status_code == 404


def test_the_list_has_the_projects_own_attributes_only(environment: Environment) -> None:
    AttributeFactory()
    answer = call(environment, "GET", "attributes", role=Role.VIEWER).json()
    assert [each["key"] for each in answer["data"]] == ["plan", "age", "country"]
    assert answer["has_more"] is False


def test_a_foreign_attribute_is_a_404(environment: Environment) -> None:
    foreign = AttributeFactory()
    for method in ("GET", "PATCH", "DELETE"):
        response = call(environment, method, f"attributes/{foreign.public_id}", role=Role.PRIVACY_OFFICER)
        assert response.status_code == 404
    assert Attribute.objects.filter(pk=foreign.pk).exists()


@pytest.mark.parametrize(
    ("change", "status", "pointer"),
    [
        ({"type": "text"}, 422, "/type"),
        ({"key": "1st"}, 422, "/key"),
        ({"purpose": ""}, 422, "/purpose"),
        ({"retention_days": 0}, 422, "/retention_days"),
    ],
)
def test_a_faulty_attribute_is_a_problem_that_points_at_the_field(
    environment: Environment, change: dict[str, Any], status: int, pointer: str
) -> None:
    response = call(environment, "POST", "attributes", {**NEW, **change})
    assert response.status_code == status
    assert [error["pointer"] for error in response.json()["errors"]] == [pointer]


@pytest.mark.parametrize("change", [{"key": "a\x00"}, {"purpose": "\ud800"}])
def test_text_that_cannot_be_stored_makes_the_whole_body_malformed(
    environment: Environment, change: dict[str, Any]
) -> None:
    response = call(environment, "POST", "attributes", {**NEW, **change})
    assert (response.status_code, response.json()["code"]) == (400, "malformed_json")


def test_registering_twice_is_a_conflict(environment: Environment) -> None:
    assert call(environment, "POST", "attributes", NEW).status_code == 201
    response = call(environment, "POST", "attributes", NEW)
    assert (response.status_code, response.json()["code"]) == (409, "attribute_exists")


def test_what_each_role_may_do(environment: Environment) -> None:
    attribute = Attribute.objects.get(key="country")
    address = f"attributes/{attribute.public_id}"
    allowed = {
        role: (
            call(environment, "POST", "attributes", {**NEW, "key": f"by_{role}"}, role).status_code,
            call(environment, "PATCH", address, {"purpose": f"for {role}"}, role).status_code,
            call(environment, "PATCH", address, {"retention_days": 10 + len(role)}, role).status_code,
        )
        for role in Role.values
    }
    assert allowed == {
        "viewer": (403, 403, 403),
        "analyst": (403, 403, 403),
        "experimenter": (201, 200, 403),
        "admin": (201, 200, 403),
        "privacy_officer": (403, 200, 200),
    }


def test_deleting_stored_values_is_for_the_privacy_officer(environment: Environment) -> None:
    ProfileFactory(environment=environment, attributes={"country": "DE"})
    address = f"attributes/{Attribute.objects.get(key='country').public_id}"
    assert call(environment, "DELETE", address, role=Role.ADMIN).status_code == 403
    assert call(environment, "DELETE", address, role=Role.PRIVACY_OFFICER).status_code == 204


def test_an_ingest_key_is_no_key_to_the_registry(environment: Environment) -> None:
    assert make_app(environment, KeyKind.INGEST).send("GET", "attributes", b"").status_code == 403
    assert Client().get("/api/v1/attributes").status_code == 401
