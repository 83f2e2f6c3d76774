"""Make the experiment that imported data belongs to: its metrics, segments to report by, and plan."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.text import slugify

from accounts.audit import Actor
from accounts.models import Environment, Project
from assignments.import_mapping import ImportMapping, Outcome
from assignments.import_rows import UnitRows
from core.errors import Conflict, DomainError, NotFound
from experiments.models import Experiment, Metric, MetricKind, StoppingRule
from experiments.services.imported import create_imported_experiment, start_imported_experiment
from experiments.services.inputs import MetricInput, PlanInput
from experiments.services.metrics import create_metric
from experiments.services.setup import set_breakdowns, set_metrics, set_plan
from segments.models import Segment

UNIT_TYPE = "user"
METRIC_KINDS = {"flag": MetricKind.CONVERSION, "count": MetricKind.COUNT, "value": MetricKind.SUM}
DEFAULT_MDE = 0.05
MAX_PLAN_DAYS = 3650


@dataclass(frozen=True)
class Description:
    """What people want to know of the experiment, beside its data."""

    key: str
    name: str
    hypothesis: str
    note: str = ""
    mde: float = DEFAULT_MDE


def create_from(
    environment: Environment, mapping: ImportMapping, rows: UnitRows, about: Description, actor: Actor
) -> Experiment:
    """Describe, plan and start an imported experiment; the split is tested only when the mapping plans one."""
    experiment = create_imported_experiment(
        environment=environment,
        name=about.name,
        hypothesis=about.hypothesis,
        variants=rows.variants,
        names=mapping.arms,
        actor=actor,
        key=about.key,
        unit_type=UNIT_TYPE,
        note=about.note,
    )
    metrics = [
        MetricInput(_metric(environment.project, outcome, actor), outcome.role, outcome.margin)
        for outcome in mapping.outcomes
    ]
    set_metrics(experiment=experiment, metrics=metrics, actor=actor)
    segments = [_segment(environment.project, key) for key in mapping.segments]
    set_breakdowns(experiment=experiment, segments=segments, actor=actor)
    started_at = min(row.exposed_at for row in rows.rows)
    set_plan(experiment=experiment, plan=_plan(started_at, mapping.ended_at, rows, about), actor=actor)
    return start_imported_experiment(
        experiment=experiment,
        started_at=started_at,
        ended_at=mapping.ended_at,
        planned_weights_bp=_weights(mapping, rows.variants),
        actor=actor,
    )


def _metric(project: Project, outcome: Outcome, actor: Actor) -> Metric:
    kind = METRIC_KINDS[outcome.kind]
    key = slugify(outcome.metric)[:60]
    metric = Metric.objects.filter(project=project, key=key).first()
    if metric is None:
        return create_metric(
            project=project,
            key=key,
            name=outcome.metric,
            kind=kind,
            event_name=outcome.event,
            direction=outcome.direction,
            actor=actor,
        )
    if (metric.kind, metric.event_name) != (kind, outcome.event):
        raise Conflict(f'A metric {key} counts something else. Give the outcome another "metric" name.')
    return metric


def _segment(project: Project, key: str) -> Segment:
    segment = Segment.objects.filter(project=project, key=key).first()
    if segment is None:
        raise NotFound(
            f"The mapping reports by the segment {key}, which this project does not have. Build it first; "
            "`experiment_import --profiles-only` stores the profiles it needs.",
            pointer="/segments",
        )
    return segment


def _plan(started_at: datetime, ended_at: datetime | None, rows: UnitRows, about: Description) -> PlanInput:
    days = (ended_at - started_at).days if ended_at else 1
    return PlanInput(
        mde=about.mde,
        planned_n=len(rows.rows),
        stopping_rule=StoppingRule.FIXED_HORIZON,
        min_days=1,
        max_days=min(max(days, 1), MAX_PLAN_DAYS),
    )


def _weights(mapping: ImportMapping, variants: Sequence[str]) -> list[int] | None:
    if not mapping.planned_shares:
        return None
    if set(mapping.planned_shares) != set(variants):
        raise DomainError(
            f"planned_shares must name exactly the arms of the file: {', '.join(variants)}.",
            pointer="/planned_shares",
        )
    return [round(mapping.planned_shares[variant] * 10_000) for variant in variants]
