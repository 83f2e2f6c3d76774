"""POST /api/v1/events over HTTP."""

import gzip
import json
import threading
import uuid
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connection, connections
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.audit import SYSTEM
from accounts.keys import revoke_key
from accounts.models import ApiKey, Environment, KeyKind, Project
from events import gate
from events.models import DeadLetter, Event
from events.partitions import list_partitions
from tests.events.api_client import App, event, make_app
from tests.factories import ProfileFactory, ProjectFactory, production_of

pytestmark = pytest.mark.django_db


def test_an_event_is_stored_with_all_it_says(app: App, environment: Environment) -> None:
    happened = timezone.now().replace(microsecond=0) - timedelta(hours=3)
    sent = event(
        unit_type="device",
        name="order",
        occurred_at=happened.isoformat(),
        value=12.5,
        properties={"plan": "pro"},
    )
    assert app.post_events(sent) == [{"index": 0, "event_id": sent["event_id"], "status": "accepted"}]
    stored = Event.objects.get()
    assert str(stored.event_id) == sent["event_id"]
    assert (stored.environment, stored.unit_type, stored.unit_id) == (environment, "device", "u1")
    assert (stored.name, stored.occurred_at, stored.value) == ("order", happened, 12.5)
    assert stored.properties == {"plan": "pro"}


def test_a_bare_list_is_taken_too(app: App) -> None:
    assert app.send("POST", "events", [event()]).json()["accepted"] == 1


def test_an_event_without_id_gets_one_and_the_answer_says_so(app: App) -> None:
    [result] = app.post_events({"unit_id": "u1", "name": "signup"})
    assert result["event_id_made"] is True
    assert uuid.UUID(result["event_id"]) == Event.objects.get().event_id


def test_an_id_counts_once_within_a_batch_across_batches_and_with_another_time(app: App) -> None:
    first = event()
    again = {**first, "occurred_at": (timezone.now() - timedelta(days=1)).isoformat()}
    statuses = [result["status"] for result in app.post_events(first, event(), again)]
    assert statuses == ["accepted", "accepted", "duplicate"]
    assert [result["status"] for result in app.post_events(again)] == ["duplicate"]
    assert Event.objects.count() == 2


def test_the_same_id_in_another_environment_is_another_event(app: App, project: Project) -> None:
    other = make_app(project.environments.get(slug="staging"))
    sent = event()
    assert [app.post_events(sent)[0]["status"], other.post_events(sent)[0]["status"]] == [
        "accepted",
        "accepted",
    ]


def test_an_unregistered_property_is_left_out_and_named(app: App) -> None:
    [result] = app.post_events(event(properties={"plan": "pro", "email": "x@example.com"}))
    assert result["dropped"] == ["email"]
    assert Event.objects.get().properties == {"plan": "pro"}


POISONS = {
    "NUL": '{"unit_id": "a\\u0000", "name": "x"}',
    "lone surrogate": '{"unit_id": "\\ud800", "name": "x"}',
    "NaN": '{"unit_id": "u", "name": "x", "value": NaN}',
    "bad uuid": '{"event_id": "123", "unit_id": "u", "name": "x"}',
    "8 KB id": json.dumps({"unit_id": "x" * 8_192, "name": "x"}),
    "far date": '{"unit_id": "u", "name": "x", "occurred_at": "2999-01-01T00:00:00Z"}',
    "key twice": '{"unit_id": "u", "unit_id": "v", "name": "x"}',
}


@pytest.mark.parametrize("poison", POISONS.values(), ids=POISONS)
def test_one_poison_event_in_a_hundred_leaves_99_stored_and_one_dead_letter(app: App, poison: str) -> None:
    good = [json.dumps(event(unit_id=f"u{n}")) for n in range(99)]
    body = f'{{"events": [{", ".join([*good[:50], poison, *good[50:]])}]}}'.encode()
    response = app.send("POST", "events", body)
    assert response.status_code == 202
    answer = response.json()
    assert (answer["accepted"], answer["rejected"]) == (99, 1)
    assert answer["results"][50]["status"] == "rejected"
    assert Event.objects.count() == 99
    letter = DeadLetter.objects.get()
    assert letter.code == answer["results"][50]["code"]
    assert json.loads(bytes(letter.payload))["name"] == "x"


def test_an_event_of_a_unit_that_refused_analytics_is_not_kept_anywhere(
    app: App, environment: Environment
) -> None:
    ProfileFactory(environment=environment, unit_id="shy", consent={"analytics": False})
    results = app.post_events(event(unit_id="shy", name="secret"), event(unit_id="open"))
    assert [result["status"] for result in results] == ["rejected", "accepted"]
    assert results[0]["code"] == "no_consent"
    assert Event.objects.get().unit_id == "open"
    letter = DeadLetter.objects.get()
    assert (letter.code, bytes(letter.payload)) == ("no_consent", b"")


def test_a_refused_event_id_may_come_again_once_consent_is_given(app: App, environment: Environment) -> None:
    profile = ProfileFactory(environment=environment, unit_id="u1", consent={"analytics": False})
    sent = event()
    assert app.post_events(sent)[0]["status"] == "rejected"
    profile.consent = {"analytics": True}
    profile.save()
    assert app.post_events(sent)[0]["status"] == "accepted"


def test_where_consent_is_required_only_units_that_gave_it_are_recorded() -> None:
    environment = production_of(ProjectFactory(consent_required=True))
    for unit_id, consent in (("yes", {"analytics": True}), ("no", {"analytics": False}), ("asked", {})):
        ProfileFactory(environment=environment, unit_id=unit_id, consent=consent)
    app = make_app(environment)
    results = app.post_events(*(event(unit_id=unit_id) for unit_id in ("yes", "no", "asked", "unknown")))
    assert [result["status"] for result in results] == ["accepted", "rejected", "rejected", "rejected"]
    assert [each.unit_id for each in Event.objects.all()] == ["yes"]


def test_consent_of_another_unit_type_does_not_count(app: App, environment: Environment) -> None:
    ProfileFactory(environment=environment, unit_id="u1", unit_type="device", consent={"analytics": False})
    assert app.post_events(event())[0]["status"] == "accepted"


def test_a_batch_costs_one_write_and_one_read_whatever_its_size(
    app: App, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    app.post_events(event())  # the key is known now
    with django_assert_num_queries(
        4
    ):  # registry; savepoint (only inside this test's transaction); the statement
        app.post_events(*(event() for _ in range(500)))
    with django_assert_num_queries(4):
        app.post_events(event(), event(event_id="bad"))


def test_gzip_is_understood(app: App) -> None:
    body = gzip.compress(json.dumps([event() for _ in range(20)]).encode())
    response = app.send("POST", "events", body, **{"Content-Encoding": "gzip"})
    assert response.json()["accepted"] == 20


def test_an_empty_batch_is_answered_with_nothing(app: App) -> None:
    response = app.send("POST", "events", {"events": []})
    assert (response.status_code, response.json()["results"]) == (202, [])


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"{", {}, 400, "malformed_json"),
        (b'"text"', {}, 400, "malformed_json"),
        (b'{"event": []}', {}, 400, "malformed_json"),
        (b"[" + b"1," * 1_000 + b"1]", {}, 413, "too_many_items"),
        (b'["' + b"x" * 1_000_001 + b'"]', {}, 413, "body_too_large"),
        (b'["' + b"x" * 5_000_001 + b'"]', {}, 413, "body_too_large"),
        (b"[]", {"Content-Encoding": "br"}, 415, "unsupported_encoding"),
        (gzip.compress(b" " * 900_000), {"Content-Encoding": "gzip"}, 413, "body_too_large"),
    ],
)
def test_a_body_that_cannot_be_read_is_a_problem_and_stores_nothing(
    app: App, body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    response = app.send("POST", "events", body, **headers)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response["Content-Type"] == "application/problem+json"
    assert not Event.objects.exists()
    assert not DeadLetter.objects.exists()


def test_without_a_key_or_with_a_wrong_one_the_answer_is_401(app: App) -> None:
    for secret in ("", "ingest_nonsense", f"{app.secret[:-1]}x"):
        response = App(app.client, app.environment, secret).send("POST", "events", [event()])
        assert (response.status_code, response.json()["code"]) == (401, "not_authenticated")
        assert response["WWW-Authenticate"].startswith("Bearer")
    assert not Event.objects.exists()


@pytest.mark.parametrize(
    ("kind", "status"),
    [(KeyKind.INGEST, 202), (KeyKind.SDK_SERVER, 202), (KeyKind.SDK_CLIENT, 403), (KeyKind.API, 403)],
)
def test_only_ingest_and_server_keys_send_events(environment: Environment, kind: str, status: int) -> None:
    assert make_app(environment, kind).send("POST", "events", [event()]).status_code == status


def test_a_revoked_key_is_refused_after_the_cache_ends(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "KEY_SECONDS", 0.0)
    app.post_events(event())
    revoke_key(key=ApiKey.objects.get(), actor=SYSTEM)
    assert app.send("POST", "events", [event()]).status_code == 401


def test_another_method_is_405_with_the_allowed_ones(app: App) -> None:
    response = app.send("GET", "events", b"")
    assert (response.status_code, response["Allow"]) == (405, "POST")


def test_a_missing_partition_is_made_when_the_first_event_needs_it(app: App) -> None:
    with connection.cursor() as cursor:
        for name, _ in list_partitions():
            cursor.execute(f'DROP TABLE "{name}"')
    assert app.post_events(event())[0]["status"] == "accepted"


@pytest.fixture
def database_away(transactional_db: None) -> Iterator[None]:
    """Until the test ends, new connections go to a port where nobody listens."""
    settings = connection.settings_dict
    port, host = settings["PORT"], settings["HOST"]
    connection.close()
    settings["PORT"], settings["HOST"] = "1", "127.0.0.1"
    yield
    settings["PORT"], settings["HOST"] = port, host


@pytest.mark.django_db(transaction=True)
def test_while_the_database_is_away_the_answer_is_503_and_says_when_to_retry(
    app: App, database_away: None
) -> None:
    response = app.send("POST", "events", [event()])
    assert (response.status_code, response.json()["code"]) == (503, "database_unavailable")
    assert int(response["Retry-After"]) > 0


@pytest.mark.django_db(transaction=True)
def test_the_same_events_sent_by_eight_threads_in_any_order_are_stored_once(app: App) -> None:
    events = [event(unit_id=f"u{n}") for n in range(200)]
    accepted: list[int] = []

    def send(turn: int) -> None:
        try:
            rotated = events[turn * 25 :] + events[: turn * 25]
            response = make_sender(app).send("POST", "events", rotated[:: -1 if turn % 2 else 1])
            accepted.append(response.json()["accepted"])
        finally:
            connections.close_all()

    threads = [threading.Thread(target=send, args=(turn,)) for turn in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(accepted) == 8
    assert sum(accepted) == 200 == Event.objects.count()


def make_sender(app: App) -> App:
    return App(type(app.client)(), app.environment, app.secret)
