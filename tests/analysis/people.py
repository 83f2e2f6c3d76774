"""The people of the RAND Health Insurance Experiment, written into the product's own tables.

Arms: docs of the shared data ("arm_mapping_note"): free = no coinsurance and no individual deductible.
"""

import csv
import gzip
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

from accounts.audit import SYSTEM
from accounts.models import Project
from assignments.models import Exposure
from experiments.models import Experiment, Metric, MetricRole
from experiments.services import (
    MetricInput,
    PlanInput,
    create_imported_experiment,
    set_breakdowns,
    set_metrics,
    set_plan,
    start_imported_experiment,
)
from segments.models import SegmentVersion
from tests.factories import MetricFactory, ProjectFactory, SegmentFactory, production_of
from tests.paths import SHARED

FILE = SHARED / "data" / "rand_hie.csv.gz"
ARMS = ("free", "coins25", "coins50", "coins95", "indiv_deductible")
STARTED = datetime(2026, 1, 5, tzinfo=UTC)
ENDED = STARTED + timedelta(days=365)
WATERMARK = datetime(2027, 2, 1, tzinfo=UTC)


COPY_EVENTS = """
COPY events_event
  (event_id, environment_id, unit_type, unit_id, name, occurred_at, received_at, value, properties)
FROM STDIN
"""


@dataclass(frozen=True)
class Person:
    unit_id: str
    arm: int
    female: bool
    visits: int
    spent: float


def read_people() -> list[Person]:
    """Return the people in their first year."""
    people = []
    with gzip.open(FILE, "rt") as file:
        for row in csv.DictReader(file):
            if float(row["year"]) == 1:
                people.append(_person(row))
    return people


def _person(row: dict[str, str]) -> Person:
    return Person(
        unit_id=f"person-{row['zper']}",
        arm=_arm(float(row["coins"]), float(row["idp"])),
        female=float(row["female"]) == 1,
        visits=int(float(row["mdvis"])),
        spent=float(row["meddol"]),
    )


def _arm(coins: float, idp: float) -> int:
    if coins == 0:
        return ARMS.index("indiv_deductible" if idp == 1 else "free")
    return ARMS.index({25.0: "coins25", 50.0: "coins50"}.get(coins, "coins95"))


@dataclass(frozen=True)
class Imported:
    experiment: Experiment
    project: Project
    female: SegmentVersion
    male: SegmentVersion


def import_people(people: list[Person], **plan: Any) -> Imported:
    """Store people as exposures and events of an imported experiment that is over."""
    project = ProjectFactory()
    environment = production_of(project)
    female, male = (
        SegmentFactory(
            project=project, name=name, rule={"attribute": "sex", "op": "eq", "value": name.lower()}
        )
        for name in ("Female", "Male")
    )
    experiment = create_imported_experiment(
        environment=environment,
        name="Health insurance",
        hypothesis="Paying a share lowers use.",
        variants=ARMS,
        actor=SYSTEM,
    )
    set_metrics(experiment=experiment, metrics=_metrics(project), actor=SYSTEM)
    set_plan(experiment=experiment, plan=_plan(plan), actor=SYSTEM)
    set_breakdowns(experiment=experiment, segments=[female, male], actor=SYSTEM)
    start_imported_experiment(experiment=experiment, started_at=STARTED, ended_at=ENDED, actor=SYSTEM)
    experiment.refresh_from_db()
    versions = (female.latest_version, male.latest_version)
    _store(people, experiment, versions)
    return Imported(experiment, project, *versions)


def _plan(fields: dict[str, Any]) -> PlanInput:
    defaults: dict[str, Any] = {
        "mde": 0.1,
        "planned_n": 5_000,
        "stopping_rule": "fixed_horizon",
        "max_days": 365,
    }
    return PlanInput(**defaults | fields)


def _metrics(project: Project) -> list[MetricInput]:
    def metric(name: str, kind: str, event: str, **fields: Any) -> Metric:
        return MetricFactory(
            project=project,
            name=name,
            key=name.lower().replace(" ", "-"),
            kind=kind,
            event_name=event,
            **fields,
        )

    return [
        MetricInput(metric("Visits", "count", "visit"), MetricRole.PRIMARY),
        MetricInput(metric("Any use", "conversion", "spend"), MetricRole.GUARDRAIL, margin=0.05),
        MetricInput(metric("Medical spending", "sum", "spend", direction="decrease"), MetricRole.SECONDARY),
        MetricInput(metric("Spending per bill", "mean", "spend"), MetricRole.SECONDARY),
    ]


def _store(
    people: list[Person], experiment: Experiment, versions: tuple[SegmentVersion, SegmentVersion]
) -> None:
    Exposure.objects.bulk_create(
        Exposure(
            environment=experiment.environment,
            experiment=experiment,
            unit_id=person.unit_id,
            variant_index=person.arm,
            segments=[versions[0].pk if person.female else versions[1].pk],
            event_id=uuid.uuid4(),
            occurred_at=STARTED,
            received_at=STARTED,
        )
        for person in people
    )
    store_events(
        experiment,
        [(p.unit_id, "visit", None, STARTED + timedelta(days=1)) for p in people for _ in range(p.visits)]
        + [(p.unit_id, "spend", p.spent, STARTED + timedelta(days=2)) for p in people if p.spent > 0],
    )


def store_events(
    experiment: Experiment,
    rows: list[tuple[str, str, float | None, datetime]],
    received_at: datetime | None = None,
) -> None:
    """Write (unit, name, value, occurred at) rows into the events table, received when they happened by default."""
    times = [received_at or row[3] for row in rows]
    with connection.cursor() as cursor:
        if times:
            first, last = min(times), max(times)
            weeks = (last - first).days // 7 + 2
            cursor.execute("SELECT strata_create_event_partitions(%s, %s)", [first, weeks])
        with cursor.copy(COPY_EVENTS) as copy:
            for (unit, name, value, occurred), received in zip(rows, times, strict=True):
                event_id, where = uuid.uuid4(), experiment.environment_id
                copy.write_row(
                    (event_id, where, experiment.unit_type, unit, name, occurred, received, value, "{}")
                )
