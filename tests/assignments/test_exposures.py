"""POST /api/v1/exposures: the first exposure is kept, everything else is told what became of it."""

import threading
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from accounts.audit import SYSTEM
from accounts.models import Environment, KeyKind, Project
from assignments.exposure_services import ingest_exposures
from assignments.models import Crossover, Exposure
from events.models import DeadLetter, Event
from experiments.models import Experiment
from experiments.services import (
    TargetInput,
    archive_experiment,
    complete_experiment,
    set_breakdowns,
    set_override,
    start_experiment,
)
from segments.models import Segment, SegmentMember
from tests.factories import (
    ExperimentFactory,
    ProfileFactory,
    ProjectFactory,
    SegmentFactory,
    make_key,
    production_of,
    running_experiment,
)

URL = "/api/v1/exposures"


@pytest.fixture
def experiment(project: Project) -> Experiment:
    return running_experiment(project=project, now=timezone.now() - timedelta(days=3))


@pytest.fixture
def send(post: Any) -> Any:
    def send(*items: Any, **kwargs: Any) -> dict[str, Any]:
        response = post(URL, {"exposures": list(items)}, **kwargs)
        assert response.status_code == 202, response.content
        return response.json()

    return send


def exposure(
    experiment: Experiment, unit_id: str = "u1", variant: str = "control", **more: Any
) -> dict[str, Any]:
    return {"experiment": experiment.key, "unit_id": unit_id, "variant": variant, **more}


def statuses(answer: dict[str, Any]) -> list[str]:
    return [result.get("code", result["status"]) for result in answer["results"]]


def test_a_first_exposure_is_stored_with_all_that_was_known(experiment: Experiment, send: Any) -> None:
    event_id = str(uuid.uuid4())
    answer = send(
        exposure(
            experiment,
            variant="treatment",
            event_id=event_id,
            reason_code="assigned",
            sdk="py",
            snapshot_version=4,
        )
    )
    assert answer["accepted"] == 1
    stored = Exposure.objects.get()
    assert (stored.experiment, stored.unit_id, stored.variant_index) == (experiment, "u1", 1)
    assert (stored.environment, str(stored.event_id)) == (experiment.environment, event_id)
    assert (stored.reason_code, stored.sdk, stored.snapshot_version, stored.hash_version) == (
        "assigned",
        "py",
        4,
        1,
    )
    assert stored.slot is not None


def test_it_also_becomes_an_event_that_a_segment_can_ask_for(experiment: Experiment, send: Any) -> None:
    send(exposure(experiment, event_id=str(uuid.uuid4())))
    event = Event.objects.get()
    assert (event.name, event.unit_type, event.unit_id) == ("$exposure", "user", "u1")
    assert event.event_id == Exposure.objects.get().event_id
    assert event.properties == {"experiment": experiment.public_id, "variant": "control", "target": 0}


def test_sent_again_it_is_a_duplicate_and_changes_nothing(experiment: Experiment, send: Any) -> None:
    send(exposure(experiment, occurred_at=(timezone.now() - timedelta(hours=1)).isoformat()))
    before = Exposure.objects.values().get()
    answer = send(exposure(experiment), exposure(experiment))
    assert (answer["accepted"], answer["duplicates"]) == (0, 2)
    assert Exposure.objects.values().get() == before
    assert Event.objects.count() == 1
    assert Crossover.objects.count() == 0


def test_another_variant_is_kept_as_a_crossover_once(experiment: Experiment, send: Any) -> None:
    send(exposure(experiment))
    for _ in range(2):
        assert send(exposure(experiment, variant="treatment"))["duplicates"] == 1
    assert Exposure.objects.get().variant_index == 0
    crossover = Crossover.objects.get()
    assert (crossover.unit_id, crossover.variant_index) == ("u1", 1)


def test_of_two_variants_in_one_batch_the_earlier_counts(experiment: Experiment, send: Any) -> None:
    early, late = (timezone.now() - timedelta(hours=h) for h in (2, 1))
    answer = send(
        exposure(experiment, variant="treatment", occurred_at=late.isoformat()),
        exposure(experiment, variant="control", occurred_at=early.isoformat()),
    )
    assert statuses(answer) == ["duplicate", "accepted"]
    assert Exposure.objects.get().variant_index == 0
    assert Crossover.objects.get().variant_index == 1


def test_one_bad_item_never_sinks_its_batch(experiment: Experiment, post: Any) -> None:
    good = b'{"experiment": "%s", "variant": "control", "unit_id": "u%d"}'
    items = [good % (experiment.key.encode(), i) for i in range(99)]
    items.insert(50, rb'{"experiment": "\ud800", "variant": NaN}')
    answer = post(URL, b'{"exposures": [' + b",".join(items) + b"]}").json()
    assert (answer["accepted"], answer["rejected"]) == (99, 1)
    assert answer["results"][50]["code"] == "malformed_json"
    assert Exposure.objects.count() == 99
    letter = DeadLetter.objects.get()
    assert (letter.source, letter.code, bytes(letter.payload)) == ("exposure", "malformed_json", items[50])


def test_refused_items_say_why_and_become_dead_letters(
    experiment: Experiment, project: Project, send: Any
) -> None:
    draft = ExperimentFactory(project=project)
    set_override(experiment=experiment, unit_id="tester", variant_key="treatment", actor=SYSTEM)
    foreign = running_experiment(project=ProjectFactory())
    answer = send(
        exposure(draft),
        exposure(experiment, "tester"),
        exposure(foreign),
        {**exposure(foreign), "experiment": foreign.public_id},
        exposure(experiment, variant="c"),
        "nonsense",
    )
    codes = [
        "experiment_not_started",
        "override",
        "unknown_experiment",
        "unknown_experiment",
        "unknown_variant",
    ]
    assert statuses(answer) == [*codes, "bad_item"]
    assert sorted(DeadLetter.objects.values_list("code", flat=True)) == sorted([*codes, "bad_item"])
    assert (Exposure.objects.count(), Event.objects.count()) == (0, 0)


def test_a_late_exposure_of_a_completed_experiment_counts_and_one_of_an_archived_does_not(
    experiment: Experiment, send: Any
) -> None:
    before_the_end = (timezone.now() - timedelta(minutes=5)).isoformat()
    complete_experiment(experiment=experiment, decision="stop", reason="test", actor=SYSTEM)
    assert statuses(send(exposure(experiment, occurred_at=before_the_end))) == ["accepted"]
    assert statuses(send(exposure(experiment, "u2"))) == ["after_end"]
    archive_experiment(experiment=experiment, actor=SYSTEM)
    assert statuses(send(exposure(experiment, "u3", occurred_at=before_the_end))) == ["experiment_archived"]


def test_a_stored_no_keeps_an_exposure_out_and_out_of_the_dead_letters(
    experiment: Experiment, environment: Environment, send: Any
) -> None:
    ProfileFactory(environment=environment, unit_id="refused", consent={"experiments": False})
    answer = send(exposure(experiment, "refused"), exposure(experiment, "unasked"))
    assert statuses(answer) == ["no_consent", "accepted"]
    assert bytes(DeadLetter.objects.get().payload) == b""
    assert Exposure.objects.get().unit_id == "unasked"


def test_where_consent_is_required_only_a_stored_yes_is_taken(
    experiment: Experiment, environment: Environment, send: Any
) -> None:
    environment.project.consent_required = True
    environment.project.save()
    ProfileFactory(environment=environment, unit_id="willing", consent={"experiments": True})
    answer = send(exposure(experiment, "unasked"), exposure(experiment, "willing"))
    assert statuses(answer) == ["no_consent", "accepted"]
    assert Exposure.objects.get().unit_id == "willing"


def test_the_segments_true_at_exposure_are_frozen(
    project: Project, environment: Environment, send: Any
) -> None:
    def joined(segment: Segment, unit_id: str, entered: float, left: float | None = None) -> None:
        now = timezone.now()
        SegmentMember.objects.create(
            version=segment.latest_version,
            environment=environment,
            unit_id=unit_id,
            entered_at=now - timedelta(days=entered),
            left_at=None if left is None else now - timedelta(days=left),
        )

    aimed, reported, unrelated = (SegmentFactory(project=project) for _ in range(3))
    draft = ExperimentFactory(project=project, targets=(TargetInput(segment=aimed), TargetInput()))
    set_breakdowns(experiment=draft, segments=[reported], actor=SYSTEM)
    experiment = start_experiment(experiment=draft, actor=SYSTEM, now=timezone.now() - timedelta(days=9))
    for segment in (reported, unrelated):
        joined(segment, "member", entered=5)
    joined(reported, "left", entered=5, left=4)
    joined(reported, "later", entered=1)
    at = (timezone.now() - timedelta(days=3)).isoformat()
    send(
        exposure(experiment, "member", target=1, occurred_at=at),
        exposure(experiment, "left", target=1, occurred_at=at),
        exposure(experiment, "later", target=1, occurred_at=at),
        exposure(experiment, "aimed", target=0, occurred_at=at),
    )
    frozen = dict(Exposure.objects.values_list("unit_id", "segments"))
    assert frozen == {
        "member": [reported.latest_version.pk],
        "left": [],
        "later": [],
        "aimed": [aimed.latest_version.pk],
    }


def test_a_newcomer_is_counted_in_its_segments_before_their_next_refresh(
    project: Project, environment: Environment, send: Any
) -> None:
    german = SegmentFactory(project=project, rule={"attribute": "country", "op": "eq", "value": "DE"})
    experiment = ExperimentFactory(project=project)
    set_breakdowns(experiment=experiment, segments=[german], actor=SYSTEM)
    start_experiment(experiment=experiment, actor=SYSTEM, now=timezone.now() - timedelta(days=9))
    now = timezone.now()
    for unit_id, country, changed_days_ago in (
        ("new", "DE", 2),
        ("moved", "FR", 2),
        ("changed since", "DE", 0),
    ):
        ProfileFactory(
            environment=environment,
            unit_id=unit_id,
            attributes={"country": country},
            updated_at=now - timedelta(days=changed_days_ago),
        )
    for unit_id in ("moved", "no profile"):
        SegmentMember.objects.create(
            version=german.latest_version,
            environment=environment,
            unit_id=unit_id,
            entered_at=now - timedelta(days=5),
        )
    at = (now - timedelta(days=1)).isoformat()
    send(*(exposure(experiment, u, occurred_at=at) for u in ("new", "moved", "changed since", "no profile")))
    held = {u for u, segments in Exposure.objects.values_list("unit_id", "segments") if segments}
    assert held == {"new", "no profile"}


def test_the_same_event_id_for_two_experiments_stores_two_exposures_and_one_event(
    experiment: Experiment, project: Project, send: Any
) -> None:
    other, event_id = running_experiment(project=project), str(uuid.uuid4())
    answer = send(exposure(experiment, event_id=event_id), exposure(other, event_id=event_id))
    assert answer["accepted"] == 2
    assert (Exposure.objects.count(), Event.objects.count()) == (2, 1)


@pytest.mark.parametrize(
    ("kind", "status"), [("ingest", 202), ("sdk_server", 202), ("sdk_client", 403), ("api", 403)]
)
def test_only_keys_that_may_write_are_taken(
    experiment: Experiment, environment: Environment, post: Any, kind: str, status: int
) -> None:
    key = make_key(environment, kind=KeyKind(kind))
    assert post(URL, {"exposures": [exposure(experiment)]}, key=key).status_code == status


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b'{"exposures": 3}', 400),
        (b'{"events": []}', 400),
        (b'{"exposures": [' + b",".join([b"1"] * 1_001) + b"]}", 413),
        (b'{"exposures": []}', 202),
        (b"[]", 202),
    ],
)
def test_a_body_that_is_no_batch_is_a_problem(db: None, post: Any, body: bytes, status: int) -> None:
    assert post(URL, body).status_code == status


def test_a_batch_costs_a_fixed_number_of_statements(
    experiment: Experiment, environment: Environment, django_assert_max_num_queries: Any
) -> None:
    items = [exposure(experiment, f"u{i}") for i in range(500)] + [exposure(experiment, "u0", "treatment")]
    loaded = Environment.objects.select_related("project").get(pk=environment.pk)
    with django_assert_max_num_queries(14):  # savepoints of the surrounding test included
        results = ingest_exposures(environment=loaded, items=items, now=timezone.now())
    assert [r.status for r in results] == ["accepted"] * 500 + ["duplicate"]


@pytest.mark.django_db(transaction=True)
def test_many_at_once_store_one_exposure_and_its_crossover() -> None:
    experiment = running_experiment()
    environment = Environment.objects.select_related("project").get(pk=experiment.environment_id)
    start, results = threading.Barrier(6), []

    def run(number: int) -> None:
        batch = [exposure(experiment, f"u{i}", ("control", "treatment")[number % 2]) for i in range(40)]
        start.wait()
        try:
            results.extend(
                ingest_exposures(
                    environment=environment, items=batch[:: 1 - number % 2 * 2], now=timezone.now()
                )
            )
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(r.status for r in results) == ["accepted"] * 40 + ["duplicate"] * 200
    assert (Exposure.objects.count(), Crossover.objects.count(), Event.objects.count()) == (40, 40, 40)


def test_a_key_of_another_environment_reaches_no_experiment_here(experiment: Experiment, send: Any) -> None:
    key = make_key(production_of(ProjectFactory()), kind=KeyKind.INGEST)
    assert statuses(send(exposure(experiment), key=key)) == ["unknown_experiment"]
