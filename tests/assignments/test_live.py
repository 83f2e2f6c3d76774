"""The live store: fresh while the database is there, serving the last known while it is not."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from accounts.audit import SYSTEM
from accounts.keys import revoke_key
from accounts.models import ApiKey, Environment, KeyKind, Project
from assignments import live
from assignments.live import LiveStore
from assignments.snapshot import compile_snapshot
from assignments.snapshot_files import read_snapshot, write_snapshot
from core.errors import DatabaseAway
from experiments.services import pause_experiment, resume_experiment
from tests.assignments.behaviour import behavioural_experiment
from tests.factories import ProjectFactory, make_key, production_of, running_experiment

DEADLINE_SECONDS = 30


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LiveStore]:
    store = LiveStore(tmp_path)
    yield store
    store.stop()


@pytest.fixture
def away() -> Iterator[Callable[[], None]]:
    """Take the database away: nobody listens on the port that connections, also of other threads, go to."""
    before = connection.settings_dict.copy()

    def take_away() -> None:
        connection.close()
        connection.settings_dict.update(HOST="127.0.0.1", PORT="9")

    yield take_away
    connection.close()
    connection.settings_dict.update(before)


def eventually(claim: Callable[[], bool]) -> None:
    """Wait for another thread to make a claim true."""
    pause = threading.Event()
    for _ in range(DEADLINE_SECONDS * 50):
        if claim():
            return
        pause.wait(0.02)
    raise AssertionError("it never came true")


def test_without_a_watcher_every_question_sees_the_present(store: LiveStore, project: Project) -> None:
    experiment = running_experiment(project=project)
    environment = experiment.environment
    assert not store.snapshot(environment.pk).flags[experiment.flag.key].experiment.paused  # type: ignore[union-attr]
    pause_experiment(experiment=experiment, reason="test", actor=SYSTEM)
    assert store.snapshot(environment.pk).flags[experiment.flag.key].experiment.paused  # type: ignore[union-attr]


def test_a_key_opens_its_environment_until_it_is_revoked(store: LiveStore, environment: Environment) -> None:
    secret = make_key(environment, kind=KeyKind.SDK_SERVER)
    grant = store.grant(secret)
    assert grant is not None
    assert (grant.environment_id, grant.key.kind) == (environment.pk, "sdk_server")
    assert ApiKey.objects.get().last_used_at is not None
    revoke_key(key=ApiKey.objects.get(), actor=SYSTEM)
    assert store.grant(secret) is None


@pytest.mark.parametrize(
    "secret", ["", "x", "sdk_server_", "sdk_server_" + "g" * 64, "sdk_server_" + "0" * 65]
)
def test_what_cannot_be_a_key_asks_no_database(
    store: LiveStore, db: None, secret: str, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0):
        assert store.grant(secret) is None


@pytest.mark.django_db(transaction=True)
def test_a_watching_store_follows_published_changes_and_writes_them_to_disk(
    store: LiveStore, tmp_path: Path
) -> None:
    experiment = running_experiment()
    environment_id, key = experiment.environment_id, experiment.flag.key
    store.watch()
    eventually((tmp_path / f"{environment_id}.json").exists)

    def paused() -> bool:
        return store.snapshot(environment_id).flags[key].experiment.paused  # type: ignore[union-attr]

    pause_experiment(experiment=experiment, reason="test", actor=SYSTEM)
    eventually(paused)
    resume_experiment(experiment=experiment, actor=SYSTEM)
    eventually(lambda: not paused())
    revision = store.snapshot(environment_id).revision
    eventually(lambda: read_snapshot(tmp_path / f"{environment_id}.json").revision == revision)


@pytest.mark.django_db(transaction=True)
def test_a_watching_store_answers_without_a_query(
    store: LiveStore, tmp_path: Path, django_assert_num_queries: Any
) -> None:
    experiment = running_experiment()
    secret = make_key(experiment.environment, kind=KeyKind.SDK_SERVER)
    store.watch()
    eventually((tmp_path / f"{experiment.environment_id}.json").exists)
    store.grant(secret)
    with django_assert_num_queries(0):
        assert store.grant(secret) is not None
        assert experiment.flag.key in store.snapshot(experiment.environment_id).flags


@pytest.mark.django_db(transaction=True)
def test_an_environment_made_later_and_one_deleted_are_noticed(
    store: LiveStore, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(live, "POLL_SECONDS", 0.2)  # neither is notified
    store.watch()
    experiment = running_experiment()
    environment = experiment.environment
    eventually((tmp_path / f"{environment.pk}.json").exists)
    extra = Environment.objects.create(project=experiment.project, name="Extra", slug="extra")
    eventually((tmp_path / f"{extra.pk}.json").exists)
    extra_id = extra.pk
    extra.delete()
    eventually(lambda: not (tmp_path / f"{extra_id}.json").exists())


@pytest.mark.django_db(transaction=True)
def test_a_restart_without_a_database_serves_from_disk_with_the_keys_of_the_snapshot(
    store: LiveStore, tmp_path: Path, away: Callable[[], None]
) -> None:
    experiment = running_experiment()
    secret = make_key(experiment.environment, kind=KeyKind.SDK_SERVER)
    before = LiveStore(tmp_path)
    write_snapshot(tmp_path, before.snapshot(experiment.environment_id))
    (tmp_path / "99.json").write_bytes(b"damaged")
    away()
    store.watch()
    grant = store.grant(secret)
    assert grant is not None
    assert grant.environment_id == experiment.environment_id
    assert experiment.flag.key in store.snapshot(grant.environment_id).flags
    assert store.facts(environment_id=grant.environment_id, unit_type="user", unit_id="u1") is None


@pytest.mark.django_db(transaction=True)
def test_during_an_outage_a_process_picks_up_what_another_one_wrote(
    store: LiveStore, tmp_path: Path, away: Callable[[], None], monkeypatch: Any
) -> None:
    monkeypatch.setattr(live, "AWAY_SECONDS", 0.1)
    experiment = running_experiment()
    secret = make_key(experiment.environment, kind=KeyKind.SDK_SERVER)
    snapshot = compile_snapshot(experiment.environment_id)
    away()
    store.watch()
    with pytest.raises(DatabaseAway):
        store.grant(secret)
    write_snapshot(tmp_path, snapshot)

    def known() -> bool:
        try:
            return store.grant(secret) is not None
        except DatabaseAway:
            return False

    eventually(known)
    assert store.snapshot(experiment.environment_id) == snapshot


@pytest.mark.django_db(transaction=True)
def test_what_is_not_known_without_the_database_is_a_503_and_not_a_refusal(
    store: LiveStore, away: Callable[[], None]
) -> None:
    secret = make_key(production_of(ProjectFactory()), kind=KeyKind.SDK_SERVER)
    away()
    with pytest.raises(DatabaseAway):
        store.grant(secret)
    with pytest.raises(DatabaseAway):
        store.snapshot(12_345)


@pytest.mark.django_db(transaction=True)
def test_a_known_key_and_snapshot_survive_the_database(store: LiveStore, away: Callable[[], None]) -> None:
    experiment = running_experiment()
    secret = make_key(experiment.environment, kind=KeyKind.SDK_SERVER)
    store.grant(secret)
    snapshot = store.snapshot(experiment.environment_id)
    away()
    assert store.grant(secret) is not None
    assert store.snapshot(experiment.environment_id) is snapshot


@pytest.mark.django_db(transaction=True)
def test_after_a_failure_nobody_waits_for_the_database_again(
    store: LiveStore, away: Callable[[], None], monkeypatch: Any
) -> None:
    monkeypatch.setattr(live, "AWAY_SECONDS", 3_600)
    there = connection.settings_dict.copy()
    away()
    assert store.facts(environment_id=1, unit_type="user", unit_id="u1") is None
    connection.settings_dict.update(there)
    assert store.facts(environment_id=1, unit_type="user", unit_id="u1") is None


@pytest.mark.django_db(transaction=True)
def test_over_http_an_outage_serves_assignments_and_marks_missing_facts(
    project: Project, post: Any, away: Callable[[], None], monkeypatch: Any, tmp_path: Path
) -> None:
    plain = running_experiment(project=project)
    stored = behavioural_experiment(project)
    monkeypatch.setattr("assignments.sdk_requests.store", outage_store := LiveStore(tmp_path))
    monkeypatch.setattr("assignments.views.store", outage_store)
    url = "/ofrep/v1/evaluate/flags/{}".format
    body = {"context": {"targetingKey": "u1"}}
    before = post(url(plain.flag.key), body).json()
    away()
    assert post(url(plain.flag.key), body).json() == before
    degraded = post(url(stored.flag.key), body)
    assert degraded.status_code == 200
    assert degraded.json()["metadata"]["facts_unavailable"] is True
    assert degraded.json()["value"] is False
    unknown = post(url(plain.flag.key), body, key="sdk_server_" + "1" * 64)
    assert (unknown.status_code, unknown["Retry-After"]) == (503, "2")
