"""PUT /api/v1/profiles/{unit_id} and POST /api/v1/profiles over HTTP."""

import json
from datetime import timedelta
from urllib.parse import quote

import pytest
from django.utils import timezone

from accounts.models import Environment, KeyKind
from events.items import ProfileChange
from events.models import DeadLetter, Profile
from events.profiles import merge_profiles
from tests.events.api_client import App, make_app
from tests.factories import ProfileFactory

pytestmark = pytest.mark.django_db


def test_a_new_profile_is_created_with_its_attributes_and_consent(app: App, environment: Environment) -> None:
    response = app.put_profile("u1", attributes={"country": "DE", "age": 30}, consent={"analytics": True})
    assert (response.status_code, response.json()) == (201, {"unit_id": "u1", "status": "created"})
    profile = Profile.objects.get()
    assert (profile.environment, profile.unit_type, profile.unit_id) == (environment, "user", "u1")
    assert profile.attributes == {"country": "DE", "age": 30}
    assert profile.consent == {"analytics": True}
    assert profile.first_seen_at == profile.last_seen_at


def test_a_change_is_merged_and_null_removes(app: App) -> None:
    app.put_profile("u1", attributes={"country": "DE", "age": 30}, consent={"analytics": True})
    response = app.put_profile("u1", attributes={"country": None, "age": 31}, consent={"experiments": False})
    assert response.status_code == 200
    profile = Profile.objects.get()
    assert profile.attributes == {"age": 31}
    assert profile.consent == {"analytics": True, "experiments": False}


def test_a_null_in_a_new_profile_leaves_nothing(app: App) -> None:
    app.put_profile("u1", attributes={"country": None})
    assert Profile.objects.get().attributes == {}


@pytest.mark.parametrize("unit_id", ["a/b c", "ü", "x?y#z", "%2F", "x" * 256])
def test_any_opaque_id_can_be_addressed(app: App, unit_id: str) -> None:
    assert app.put_profile(quote(unit_id, safe=""), attributes={"age": 1}).status_code == 201
    assert Profile.objects.get().unit_id == unit_id


@pytest.mark.parametrize("unit_id", ["x" * 257, "a\x00b"])
def test_an_id_that_cannot_be_kept_is_a_problem(app: App, unit_id: str) -> None:
    response = app.put_profile(quote(unit_id, safe=""), attributes={"age": 1})
    assert (response.status_code, response.json()["code"]) == (422, "bad_unit")


def test_an_unknown_attribute_is_refused_whole_with_near_matches_and_kept_as_dead_letter(app: App) -> None:
    response = app.put_profile("u1", attributes={"age": 30, "contry": "DE"})
    assert response.status_code == 422
    assert response.json()["code"] == "unknown_attribute"
    assert "Did you mean country?" in response.json()["detail"]
    assert not Profile.objects.exists()
    assert DeadLetter.objects.get().source == "profile"


def test_an_unchanged_profile_keeps_its_time_of_change(app: App, environment: Environment) -> None:
    long_ago = timezone.now() - timedelta(days=5)
    ProfileFactory(environment=environment, unit_id="u1", attributes={"age": 30}, first_seen_at=long_ago)
    assert app.put_profile("u1", attributes={"age": 30}).json()["status"] == "unchanged"
    profile = Profile.objects.get()
    assert profile.updated_at == profile.first_seen_at == long_ago
    assert profile.last_seen_at > long_ago
    assert app.put_profile("u1", attributes={"age": 31}).json()["status"] == "updated"
    assert Profile.objects.get().updated_at > long_ago


def test_a_batch_answers_for_each_item_and_one_bad_item_sinks_nothing(app: App) -> None:
    body = {
        "profiles": [
            {"unit_id": "u1", "attributes": {"age": 1}},
            {"unit_id": "u2", "attributes": {"age": "old"}},
            {"unit_id": "u1", "attributes": {"country": "FR"}},
            {"unit_id": "d1", "unit_type": "device"},
        ]
    }
    response = app.send("POST", "profiles", body)
    assert response.status_code == 200
    answer = response.json()
    assert (answer["accepted"], answer["rejected"]) == (3, 1)
    assert [result["status"] for result in answer["results"]] == ["created", "rejected", "created", "created"]
    assert answer["results"][1]["code"] == "wrong_type"
    assert Profile.objects.get(unit_id="u1").attributes == {"age": 1, "country": "FR"}
    assert Profile.objects.count() == 2
    assert DeadLetter.objects.count() == 1


def test_an_unreadable_item_of_a_batch_sinks_nothing(app: App) -> None:
    body = b'[{"unit_id": "u1", "attributes": {"age": NaN}}, {"unit_id": "u2", "attributes": {"age": 2}}]'
    answer = app.send("POST", "profiles", body).json()
    assert [result["status"] for result in answer["results"]] == ["rejected", "created"]


def test_only_ingest_and_server_keys_write_profiles(environment: Environment) -> None:
    statuses = {
        kind: make_app(environment, kind).put_profile("u1", attributes={}).status_code
        for kind in KeyKind.values
    }
    assert statuses == {"sdk_server": 201, "sdk_client": 403, "ingest": 200, "api": 403}


def test_a_server_key_reads_a_profile_of_its_environment_only(app: App, environment: Environment) -> None:
    app.put_profile("u1", attributes={"age": 30})
    reader = make_app(environment, KeyKind.SDK_SERVER)
    assert reader.send("GET", "profiles/u1", b"").json()["attributes"] == {"age": 30}
    assert app.send("GET", "profiles/u1", b"").status_code == 403
    stranger = make_app(environment.project.environments.get(slug="staging"), KeyKind.SDK_SERVER)
    assert stranger.send("GET", "profiles/u1", b"").status_code == 404


@pytest.mark.parametrize(
    "body", [b"[]", b"1", b'{"unit_id": "other"}', b'{"attributes": 1}', b'{"attribute": {}}']
)
def test_a_wrong_body_is_a_422(app: App, body: bytes) -> None:
    assert app.send("PUT", "profiles/u1", body).status_code == 422
    assert not Profile.objects.exists()


def test_malformed_json_is_a_400(app: App) -> None:
    assert app.send("PUT", "profiles/u1", b'{"attributes": {"age": NaN}}').status_code == 400


def test_a_profile_holds_what_json_said_to_the_digit(app: App) -> None:
    app.send("PUT", "profiles/u1", json.dumps({"attributes": {"age": 0.1}}).encode())
    assert Profile.objects.get().attributes == {"age": 0.1}


def test_an_import_can_move_the_first_meeting_back_but_not_forward(environment: Environment) -> None:
    met = timezone.now() - timedelta(days=400)
    change = ProfileChange("user", "u1", {"country": "DE"}, {})
    assert merge_profiles(environment=environment, changes=[change], first_seen_at=met) == {
        ("user", "u1"): "created"
    }
    assert Profile.objects.get().first_seen_at == met
    merge_profiles(environment=environment, changes=[change], first_seen_at=met + timedelta(days=9))
    assert Profile.objects.get().first_seen_at == met
