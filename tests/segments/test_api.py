"""The segments API, as a client calls it."""

from typing import Any

import pytest
from django.test import Client

from accounts.models import Environment, KeyKind, Role
from segments.models import Segment, SegmentRefresh
from segments.rules import Profile
from segments.tasks import refresh_due_segments
from tests.factories import AttributeFactory, ProjectFactory, SegmentFactory, make_key, production_of
from tests.segments.storing import store

pytestmark = pytest.mark.django_db

GERMAN = {"attribute": "country", "op": "eq", "value": "DE"}
NEW = {"key": "germans", "name": "Germans", "rule": GERMAN, "rationale": "We launch there."}


class Api:
    """A client with one key."""

    def __init__(
        self, environment: Environment, role: str = Role.EXPERIMENTER, kind: str = KeyKind.API
    ) -> None:
        self.headers = {"Authorization": f"Bearer {make_key(environment, kind=kind, role=role)}"}
        self.client = Client()

    def get(self, path: str) -> Any:
        return self.client.get(f"/api/v1/segments{path}", headers=self.headers)

    def send(self, path: str, body: Any = None, method: str = "POST") -> Any:
        return self.client.generic(
            method,
            f"/api/v1/segments{path}",
            body if isinstance(body, bytes) else self.client._encode_json(body or {}, "application/json"),
            content_type="application/json",
            headers=self.headers,
        )


@pytest.fixture
def environment() -> Environment:
    project = ProjectFactory()
    AttributeFactory(project=project, key="country")
    return production_of(project)


@pytest.fixture
def api(environment: Environment) -> Api:
    return Api(environment)


def test_a_segment_is_made_read_and_listed(api: Api) -> None:
    made = api.send("", NEW)
    assert made.status_code == 201, made.json()
    body = made.json()
    assert body["id"].startswith("seg_")
    assert body["sentence"] == "Units where country is “DE”."
    assert (body["version"], body["rule"]) == (1, {"language": 1, **GERMAN})
    assert (body["size"], body["as_of"], body["suppressed"]) == (None, None, False)
    assert api.get(f"/{body['id']}").json() == body
    assert api.get("").json() == {"data": [body], "next_cursor": None, "has_more": False}


def test_the_list_costs_the_same_for_one_and_for_many(
    api: Api, environment: Environment, django_assert_num_queries: Any
) -> None:
    SegmentFactory(project=environment.project)
    api.get("")  # the key is known from here on
    with django_assert_num_queries(3) as first:
        api.get("")
    SegmentFactory.create_batch(5, project=environment.project)
    with django_assert_num_queries(len(first)):
        assert len(api.get("").json()["data"]) == 6


def test_a_malformed_rule_is_a_422_with_pointers_into_the_body(api: Api) -> None:
    rule = {
        "all": [
            GERMAN,
            {"attribute": "contry", "op": "eq", "value": "DE"},
            {"attribute": "country", "op": "gt", "value": 1},
        ]
    }
    answer = api.send("", {**NEW, "rule": rule})
    assert answer.status_code == 422
    assert answer["Content-Type"] == "application/problem+json"
    errors = {(e["pointer"], e["code"]) for e in answer.json()["errors"]}
    assert errors == {
        ("/rule/all/1/attribute", "unknown_attribute"),
        ("/rule/all/2/op", "operator_not_for_type"),
    }
    assert 'Did you mean "country"?' in answer.json()["detail"]
    assert not Segment.objects.exists()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"key": "a", "name": "A", "rule": {"attribute": "country", "op": "eq", "value": NaN}}', 400),
        (b'{"key": "a", "key": "b", "name": "A", "rule": {}}', 400),
        (b'{"key": "a", "name": "A", "rule": ' + b'{"not": ' * 500 + b"1" + b"}" * 501, 400),
        (b"[]", 422),
        (b"{}", 422),
        (b'{"key": "a", "name": "A", "rule": 7}', 422),
        (b'{"key": "A b", "name": "A", "rule": {"attribute": "country", "op": "is_set"}}', 422),
    ],
)
def test_bad_bodies_are_explained(api: Api, body: bytes, status: int) -> None:
    answer = api.send("", body)
    assert answer.status_code == status, answer.content
    assert answer.json()["errors"]
    assert not Segment.objects.exists()


def test_a_taken_key_is_a_conflict(api: Api) -> None:
    api.send("", NEW)
    answer = api.send("", NEW)
    assert (answer.status_code, answer.json()["code"]) == (409, "segment_key_taken")


def test_details_are_patched_and_the_rule_is_versioned(api: Api) -> None:
    segment_id = api.send("", NEW).json()["id"]
    patched = api.send(f"/{segment_id}", {"name": "In Germany"}, "PATCH").json()
    assert (patched["name"], patched["rationale"], patched["version"]) == (
        "In Germany",
        "We launch there.",
        1,
    )
    rule = {"not": GERMAN}
    saved = api.send(f"/{segment_id}/versions", {"rule": rule})
    assert (saved.status_code, saved.json()["number"]) == (201, 2)
    assert api.send(f"/{segment_id}/versions", {"rule": rule}).status_code == 200
    assert [v["number"] for v in api.get(f"/{segment_id}/versions").json()["data"]] == [2, 1]


def test_a_refresh_is_accepted_done_by_a_worker_and_read_back(api: Api, environment: Environment) -> None:
    store({f"u{i}": Profile({"country": "DE"}) for i in range(12)}, environment)
    segment_id = api.send("", NEW).json()["id"]
    accepted = api.send(f"/{segment_id}/refresh")
    assert (accepted.status_code, accepted.json()["refreshed_at"]) == (202, None)
    refresh_due_segments()
    assert api.get(f"/{segment_id}/refresh").json()["size"] == 12
    listed = api.get(f"/{segment_id}").json()
    assert listed["size"] == 12
    assert listed["as_of"].endswith("Z")


def test_a_handful_of_units_is_not_counted_out(api: Api, environment: Environment) -> None:
    store({f"u{i}": Profile({"country": "DE"}) for i in range(9)}, environment)
    preview = api.send("/preview", {"rule": GERMAN}).json()
    assert (preview["units"], preview["suppressed"]) == (None, True)
    segment_id = api.send("", NEW).json()["id"]
    refresh_due_segments()
    listed = api.get(f"/{segment_id}").json()
    assert (listed["size"], listed["suppressed"]) == (None, True)


def test_a_preview_tells_sentence_size_and_events_never_seen(api: Api, environment: Environment) -> None:
    store({f"u{i}": Profile({"country": "DE"}) for i in range(20)}, environment)
    rule = {"all": [GERMAN, {"event": "purchse", "recency": {"op": "not_within_days", "days": 3}}]}
    preview = api.send("/preview", {"rule": rule}).json()
    assert (
        preview["sentence"] == "Units where country is “DE” and “purchse” did not happen in the last 3 days."
    )
    assert (preview["units"], preview["profiles"]) == (20, 20)
    assert preview["unseen_events"] == ["purchse"]
    assert preview["needs_stored_facts"] is True
    assert not Segment.objects.exists()
    assert not SegmentRefresh.objects.exists()


def test_a_retired_segment_takes_no_new_version(api: Api) -> None:
    segment_id = api.send("", NEW).json()["id"]
    assert api.send(f"/{segment_id}/retire").json()["status"] == "retired"
    assert api.send(f"/{segment_id}/versions", {"rule": {"not": GERMAN}}).status_code == 409


@pytest.mark.parametrize("path", ["", "/versions", "/refresh"])
def test_a_foreign_segment_is_not_found(api: Api, path: str) -> None:
    foreign = SegmentFactory()
    assert api.get(f"/{foreign.public_id}{path}").status_code == 404


@pytest.mark.parametrize("path", ["/versions", "/refresh", "/retire"])
def test_a_foreign_segment_cannot_be_changed(api: Api, path: str) -> None:
    foreign = SegmentFactory()
    assert api.send(f"/{foreign.public_id}{path}", {"rule": GERMAN}).status_code == 404
    assert foreign.versions.count() == 1


def test_reading_roles_cannot_write_and_other_kinds_of_key_cannot_even_read(environment: Environment) -> None:
    viewer = Api(environment, role=Role.VIEWER)
    assert viewer.get("").status_code == 200
    assert viewer.send("/preview", {"rule": GERMAN}).status_code == 403
    assert viewer.send("", NEW).status_code == 403
    assert Api(environment, kind=KeyKind.INGEST).get("").status_code == 403
    assert Client().get("/api/v1/segments").status_code == 401
