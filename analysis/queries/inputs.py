"""Read what an analysis needs: the plan by the ORM, exposures and moments by their Ibis expressions."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import ibis.expr.types as ir
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, F, Min, Q

from analysis.codec import hash_of
from analysis.exposed import Opening, Scope, exposure_counts_expression
from analysis.inputs import (
    Arrivals,
    BreakdownFacts,
    ExperimentFacts,
    ExposureCount,
    Inputs,
    MetricFacts,
    PhaseFacts,
    PlanFacts,
    TargetFacts,
    VariantFacts,
)
from analysis.moments import CellSums, MetricSpec, cells_from_row, moments_expression, to_sql
from assignments.models import Crossover, Exposure
from core.errors import DomainError
from events.models import Event
from experiments.models import Experiment, ExperimentMetric, MetricRole, Phase, Plan

WORK_MEM = "128MB"
LATE_HOURS = 24
ARRIVAL_DAYS = 7
ROLE_ORDER = {MetricRole.PRIMARY: 0, MetricRole.GUARDRAIL: 1, MetricRole.SECONDARY: 2}


class NotAnalysable(DomainError):
    """The experiment has not started, or has no plan or primary metric."""

    code = "not_analysable"
    status = 409


def load_inputs(experiment: Experiment, watermark: datetime, *, seed: int = 0) -> Inputs:
    """Read one analysis as of `watermark`. Raises NotAnalysable when there is nothing to analyse."""
    plan = plan_facts(experiment)
    facts = _experiment_facts(experiment, watermark)
    phases = _phases(experiment, watermark)
    metrics = _metrics(experiment)
    breakdowns = _breakdowns(experiment)
    scope = Scope(
        experiment_id=experiment.pk,
        environment_id=experiment.environment_id,
        unit_type=experiment.unit_type,
        watermark=watermark,
        ended_at=facts.ended_at,
        breakdowns=tuple(b.version_id for b in breakdowns),
        openings=_openings(phases),
        first_exposure_at=_first_exposure(experiment, watermark),
    )
    specs = [metric.spec for metric in metrics]
    return Inputs(
        experiment=facts,
        variants=tuple(VariantFacts(v.index, v.key, v.name) for v in experiment.variants.all()),
        targets=_targets(experiment),
        phases=phases,
        metrics=metrics,
        plan=plan,
        breakdowns=breakdowns,
        watermark=watermark,
        revision=experiment.revision,
        code_version=settings.STRATA_VERSION,
        seed=seed,
        exposures=fetch_exposures(scope),
        cells=fetch_cells(scope, specs),
        crossover_units=_crossover_units(experiment, watermark),
        arrivals=_arrivals(scope, specs),
        plan_hash=hash_of((plan, metrics, [(b.key, b.number) for b in breakdowns]))[:12],
    )


def fetch_rows(expression: ir.Table) -> list[dict[str, Any]]:
    """Run an Ibis expression on Django's own connection.

    Nested loops are off for it: right after an import the planner has no statistics, takes every table for nearly
    empty, and would compare each unit with each event.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL enable_nestloop = off; SET LOCAL work_mem = '{WORK_MEM}'")
        cursor.execute(to_sql(expression))
        names = [column.name for column in cursor.description or ()]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        cursor.execute("SET LOCAL enable_nestloop = on; SET LOCAL work_mem TO DEFAULT")
        return rows


def fetch_cells(scope: Scope, specs: Sequence[MetricSpec]) -> tuple[CellSums, ...]:
    """Return the sums of all metrics: one scan for each metric family."""
    cells: list[CellSums] = []
    for family in ("totals", "ratios"):
        members = [spec for spec in specs if spec.family == family]
        if members:
            rows = fetch_rows(moments_expression(scope, members))
            cells += [cell for row in rows for cell in cells_from_row(row, members)]
    return tuple(cells)


def fetch_exposures(scope: Scope) -> tuple[ExposureCount, ...]:
    """Return how many units were exposed, by cell, day and SDK."""
    return tuple(
        ExposureCount(
            variant=row["variant_index"],
            phase=row["phase_number"],
            target=row["target_position"],
            day=row["day"],
            sdk=row["sdk"],
            units=int(row["units"]),
            overlapping=int(row["overlapping"] or 0),
            from_future=int(row["from_future"] or 0),
        )
        for row in fetch_rows(exposure_counts_expression(scope))
    )


def plan_facts(experiment: Experiment) -> PlanFacts:
    """Return the plan. Raises NotAnalysable when there is none."""
    plan = Plan.objects.filter(experiment=experiment).first()
    if plan is None:
        raise NotAnalysable(f"{experiment.name} has no plan; write one on its set-up page.", code="no_plan")
    return PlanFacts(
        alpha=plan.alpha,
        power=plan.power,
        mde=plan.mde,
        stopping_rule=plan.stopping_rule,  # type: ignore[arg-type]
        min_days=plan.min_days,
        max_days=plan.max_days,
        planned_n=plan.planned_n,
        daily_units=plan.daily_units,
        auto_pause=plan.auto_pause,
    )


def _experiment_facts(experiment: Experiment, watermark: datetime) -> ExperimentFacts:
    if experiment.started_at is None:
        raise NotAnalysable(f"{experiment.name} has not started; launch it first.", code="not_started")
    ended = experiment.ended_at
    return ExperimentFacts(
        public_id=experiment.public_id,
        key=experiment.key,
        name=experiment.name,
        hypothesis=experiment.hypothesis,
        unit_type=experiment.unit_type,
        origin=experiment.origin,
        note=experiment.note,
        currency=experiment.project.currency,
        started_at=experiment.started_at,
        ended_at=ended if ended is not None and ended <= watermark else None,
    )


def _first_exposure(experiment: Experiment, watermark: datetime) -> datetime | None:
    exposures = Exposure.objects.filter(experiment=experiment, received_at__lte=watermark)
    first: datetime | None = exposures.aggregate(first=Min("occurred_at"))["first"]
    return first


def _targets(experiment: Experiment) -> tuple[TargetFacts, ...]:
    targets = experiment.targets.select_related("segment_version__segment")
    return tuple(TargetFacts(t.position, str(t), t.segment_version_id is None) for t in targets)


def _phases(experiment: Experiment, watermark: datetime) -> tuple[PhaseFacts, ...]:
    """Return the phases with the slots each of them *newly* opened (Phase.shares are totals)."""
    phases = list(Phase.objects.filter(experiment=experiment, started_at__lte=watermark))
    before: dict[int, tuple[int, ...]] = {}
    facts = []
    for phase in phases:
        totals = {int(position): tuple(int(bp) for bp in shares) for position, shares in phase.shares.items()}
        opened = {
            position: tuple(
                now - was for now, was in zip(shares, before.get(position, (0,) * len(shares)), strict=True)
            )
            for position, shares in totals.items()
        }
        facts.append(
            PhaseFacts(
                phase.number, phase.started_at, tuple(sorted((p, o) for p, o in opened.items() if sum(o) > 0))
            )
        )
        before |= totals
    return tuple(facts)


def _openings(phases: Sequence[PhaseFacts]) -> tuple[Opening, ...]:
    """Return the slot prefix each phase opened, per target; nothing to tell apart when there was one phase."""
    if len(phases) < 2:
        return ()
    ends: dict[int, int] = {}
    openings = []
    for phase in phases:
        for target, opened in phase.opened:
            ends[target] = ends.get(target, 0) + sum(opened)
            openings.append(Opening(target, phase.number, ends[target]))
    return tuple(sorted(openings, key=lambda o: (o.target, o.phase)))


def _metrics(experiment: Experiment) -> tuple[MetricFacts, ...]:
    uses = sorted(
        ExperimentMetric.objects.filter(experiment=experiment).select_related("metric"),
        key=lambda use: (ROLE_ORDER[MetricRole(use.role)], use.pk),
    )
    if not uses or uses[0].role != MetricRole.PRIMARY:
        raise NotAnalysable(
            f"{experiment.name} has no primary metric; choose one on its set-up page.",
            code="no_primary_metric",
        )
    return tuple(metric_facts(use) for use in uses)


def metric_facts(use: ExperimentMetric) -> MetricFacts:
    """Return a metric and its part in the plan."""
    metric = use.metric
    spec = MetricSpec(metric.key, metric.kind, metric.event_name, metric.window_days, metric.cap)  # type: ignore[arg-type]
    return MetricFacts(
        spec=spec,
        name=metric.name,
        role=use.role,  # type: ignore[arg-type]
        direction=metric.direction,  # type: ignore[arg-type]
        unit_label=metric.unit_label,
        margin=use.margin if use.role == MetricRole.GUARDRAIL else None,
    )


def _breakdowns(experiment: Experiment) -> tuple[BreakdownFacts, ...]:
    """Return the declared breakdowns and the segments of the targets, each once."""
    declared = [b.segment_version for b in experiment.breakdowns.select_related("segment_version__segment")]
    targeted = [t.segment_version for t in experiment.targets.select_related("segment_version__segment")]
    versions = {v.pk: v for v in [*declared, *targeted] if v is not None}
    facts = [
        BreakdownFacts(v.pk, v.segment.key, v.segment.name, v.number, v.sentence) for v in versions.values()
    ]
    return tuple(sorted(facts, key=lambda b: (b.name, b.number, b.version_id)))


def _crossover_units(experiment: Experiment, watermark: datetime) -> int:
    overridden = experiment.overrides.values("unit_id")
    seen = Crossover.objects.filter(experiment=experiment, first_seen_at__lte=watermark)
    return seen.exclude(unit_id__in=overridden).values("unit_id").distinct().count()


def _arrivals(scope: Scope, specs: Sequence[MetricSpec]) -> Arrivals:
    late = Q(received_at__gt=F("occurred_at") + timedelta(hours=LATE_HOURS))
    counts = Event.objects.filter(
        environment_id=scope.environment_id,
        name__in=sorted({spec.event_name for spec in specs}),
        received_at__gt=scope.watermark - timedelta(days=ARRIVAL_DAYS),
        received_at__lte=scope.watermark,
    ).aggregate(events=Count("event_id"), late=Count("event_id", filter=late))
    return Arrivals(**counts)
