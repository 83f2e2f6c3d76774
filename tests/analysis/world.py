"""A running experiment with exposures and events, written straight into the tables."""

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from analysis.models import Run
from analysis.services import create_run
from assignments.models import Exposure
from experiments.models import Experiment, Metric, MetricRole
from experiments.services import MetricInput, PlanInput
from tests.analysis.people import store_events
from tests.factories import MetricFactory, ProjectFactory, running_experiment

STARTED = datetime(2026, 3, 2, tzinfo=UTC)
NOW = STARTED + timedelta(days=30)


def make_experiment(*, metrics: list[dict[str, Any]] | None = None, **fields: Any) -> Experiment:
    """Start an experiment with the given metrics (the first is primary, others guardrails when they have a margin)."""
    project = fields.pop("project", None) or ProjectFactory()
    uses = []
    for number, definition in enumerate(metrics or [{"key": "purchase", "event_name": "purchase"}]):
        margin = definition.pop("margin", None)
        known = Metric.objects.filter(project=project, key=definition["key"]).first()
        metric: Metric = known or MetricFactory(project=project, **definition)
        role = MetricRole.PRIMARY if number == 0 else MetricRole.GUARDRAIL if margin else MetricRole.SECONDARY
        uses.append(MetricInput(metric, role, margin=margin))
    plan = {"mde": 0.1, "planned_n": 1_000, "stopping_rule": "fixed_horizon", **fields.pop("plan", {})}
    return running_experiment(project=project, metrics=uses, plan=PlanInput(**plan), now=STARTED, **fields)


def expose(
    experiment: Experiment, unit_id: str, variant: int, at: datetime = STARTED, **fields: Any
) -> Exposure:
    """Note that a unit met a variant."""
    return Exposure.objects.create(**_exposure(experiment, unit_id, variant, at, **fields))


def _exposure(
    experiment: Experiment, unit_id: str, variant: int, at: datetime, **fields: Any
) -> dict[str, Any]:
    return {
        "environment": experiment.environment,
        "experiment": experiment,
        "unit_id": unit_id,
        "variant_index": variant,
        "event_id": uuid.uuid4(),
        "occurred_at": at,
        "received_at": at,
        **fields,
    }


def act(
    experiment: Experiment, unit_id: str, name: str, at: datetime, value: float | None = None, **fields: Any
) -> None:
    """Note one event of a unit."""
    store_events(experiment, [(unit_id, name, value, at)], **fields)


def populate(
    experiment: Experiment,
    rates: tuple[float, ...],
    n: int = 600,
    events: Iterable[str] = ("purchase",),
    **fields: Any,
) -> None:
    """Expose n units an arm; of each arm exactly the share `rates` converts, one hour after its exposure."""
    exposures, acts = [], []
    for variant, rate in enumerate(rates):
        for i in range(n):
            unit = f"unit-{variant}-{i}"
            at = STARTED + timedelta(minutes=i)
            exposures.append(Exposure(**_exposure(experiment, unit, variant, at, **fields)))
            if i < round(rate * n):
                acts += [(unit, name, 1.0, at + timedelta(hours=1)) for name in events]
    Exposure.objects.bulk_create(exposures)
    store_events(experiment, acts)


def make_run(name: str = "Checkout CTA", rates: tuple[float, float] = (0.2, 0.3), **fields: Any) -> Run:
    """Analyse an experiment with two arms of 600 and a guardrail that holds."""
    experiment = make_experiment(
        name=name,
        metrics=[
            {"key": "purchase", "name": "Conversion", "event_name": "purchase"},
            {
                "key": "complaint",
                "name": "Complaints",
                "event_name": "complaint",
                "direction": "decrease",
                "margin": 0.2,
            },
        ],
        **fields,
    )
    populate(experiment, rates)
    complaints = [
        (f"unit-{arm}-{i}", "complaint", None, NOW - timedelta(days=1)) for arm in (0, 1) for i in range(200)
    ]
    store_events(experiment, complaints)
    return create_run(experiment=experiment, watermark=NOW)
