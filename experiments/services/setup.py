"""The set-up of a draft, part by part: each is replaced as a whole, and only before launch."""

import math
from collections.abc import Iterable, Sequence

from django.db import transaction

from accounts.audit import Actor
from core.errors import DomainError, InvalidInput, Problem
from experiments.allocation import closed, validate_weights
from experiments.documents import breakdowns_document, metrics_document, plan_document, targets_document
from experiments.models import (
    Breakdown,
    Experiment,
    ExperimentMetric,
    MetricRole,
    Plan,
    StoppingRule,
    Target,
)
from experiments.services.changes import lock_draft, note_change
from experiments.services.inputs import MetricInput, PlanInput, TargetInput
from experiments.splits import equal_weights
from segments.models import Segment, SegmentStatus

MAX_TARGETS = 20
MAX_METRICS = 50
MAX_BREAKDOWNS = 50


@transaction.atomic
def set_targets(*, experiment: Experiment, targets: Sequence[TargetInput], actor: Actor) -> None:
    """Say who takes part, in order: the first match wins. Pins the newest version of each segment.

    Raises InvalidInput with the place of every fault: weights that do not sum, a retired or foreign segment.
    """
    lock_draft(experiment, "targets")
    before = targets_document(experiment)
    experiment.targets.all().delete()
    store_targets(experiment, targets)
    note_change(
        experiment,
        actor=actor,
        action="experiment.targets_set",
        before=before,
        after=targets_document(experiment),
    )


def store_targets(experiment: Experiment, targets: Sequence[TargetInput]) -> None:
    """Store the targets of a draft that has none."""
    if len(targets) > MAX_TARGETS:
        raise DomainError(f"An experiment has at most {MAX_TARGETS} targets.", pointer="/targets")
    variants = experiment.variants.count()
    problems: list[Problem] = []
    rows = []
    for position, target in enumerate(targets):
        weights = equal_weights(variants) if target.weights_bp is None else list(target.weights_bp)
        problems += _target_faults(experiment, target, weights, variants, f"/targets/{position}")
        rows.append(
            Target(
                experiment=experiment,
                position=position,
                segment_version=target.segment.latest_version if target.segment else None,
                share_bp=target.share_bp,
                weights_bp=weights,
                allocation=closed().to_json(),
            )
        )
    if problems:
        raise InvalidInput(problems)
    Target.objects.bulk_create(rows)


def _target_faults(
    experiment: Experiment, target: TargetInput, weights: list[int], variants: int, pointer: str
) -> list[Problem]:
    faults = _segment_faults(experiment, target.segment, f"{pointer}/segment") if target.segment else []
    if not 0 <= target.share_bp <= 10_000:
        faults.append(Problem(f"{pointer}/share_bp", "invalid_share", "A share lies between 0 and 100 %."))
    if len(weights) != variants:
        detail = f"There are {variants} variants and {len(weights)} weights; give each variant one."
        faults.append(Problem(f"{pointer}/weights_bp", "invalid_weights", detail))
        return faults
    try:
        validate_weights(weights)
    except DomainError as error:
        faults.append(Problem(f"{pointer}/weights_bp{error.pointer}", error.code, error.message))
    return faults


def _segment_faults(experiment: Experiment, segment: Segment, pointer: str) -> list[Problem]:
    if segment.project_id != experiment.project_id:
        return [Problem(pointer, "unknown_segment", "There is no such segment in this project.")]
    if segment.status == SegmentStatus.RETIRED:
        detail = f"The segment {segment.name} is retired. Choose another, or bring it back."
        return [Problem(pointer, "segment_retired", detail)]
    if segment.unit_type != experiment.unit_type:
        detail = (
            f"{segment.name} is about {segment.unit_type} units, the experiment about {experiment.unit_type}."
        )
        return [Problem(pointer, "unit_type_mismatch", detail)]
    if not segment.versions.exists():
        return [
            Problem(pointer, "segment_empty", f"The segment {segment.name} has no rule yet. Save one first.")
        ]
    return []


@transaction.atomic
def set_metrics(*, experiment: Experiment, metrics: Sequence[MetricInput], actor: Actor) -> None:
    """Say what decides (one primary), what is looked at (secondary), and what must not get worse (guardrails)."""
    lock_draft(experiment, "metrics")
    before = metrics_document(experiment)
    problems = list(_metric_faults(experiment, metrics))
    if problems:
        raise InvalidInput(problems)
    experiment.metrics.all().delete()
    ExperimentMetric.objects.bulk_create(
        ExperimentMetric(
            experiment=experiment,
            metric=m.metric,
            role=m.role,
            margin=m.margin if m.role == MetricRole.GUARDRAIL else None,
            baseline_mean=m.baseline_mean,
            baseline_sd=m.baseline_sd,
        )
        for m in metrics
    )
    note_change(
        experiment,
        actor=actor,
        action="experiment.metrics_set",
        before=before,
        after=metrics_document(experiment),
    )


def _metric_faults(experiment: Experiment, metrics: Sequence[MetricInput]) -> Iterable[Problem]:
    if len(metrics) > MAX_METRICS:
        yield Problem("/metrics", "too_many", f"An experiment has at most {MAX_METRICS} metrics.")
    primaries = [index for index, m in enumerate(metrics) if m.role == MetricRole.PRIMARY]
    if len(primaries) > 1:
        detail = "One metric decides: choose one primary and make the others secondary."
        yield Problem(f"/metrics/{primaries[1]}/role", "two_primary_metrics", detail)
    seen: set[int] = set()
    for index, m in enumerate(metrics):
        pointer = f"/metrics/{index}"
        if m.metric.project_id != experiment.project_id:
            yield Problem(f"{pointer}/metric", "unknown_metric", "There is no such metric in this project.")
        if m.metric.pk in seen:
            yield Problem(
                f"{pointer}/metric", "metric_twice", f"{m.metric.name} is listed twice; keep one role."
            )
        seen.add(m.metric.pk)
        if m.role not in MetricRole.values:
            yield Problem(
                f"{pointer}/role", "invalid_role", f"A role is one of: {', '.join(MetricRole.values)}."
            )
        if m.role == MetricRole.GUARDRAIL and not (m.margin and 0 < m.margin < 1):
            detail = (
                f"{m.metric.name} needs a margin above 0 and below 1: how much worse is fine (0.02 = 2 %)."
            )
            yield Problem(f"{pointer}/margin", "margin_missing", detail)
        if m.baseline_mean is not None and not math.isfinite(m.baseline_mean):
            yield Problem(
                f"{pointer}/baseline_mean", "invalid_baseline", "A baseline mean is a finite number."
            )
        if m.baseline_sd is not None and not 0 < m.baseline_sd < math.inf:
            yield Problem(f"{pointer}/baseline_sd", "invalid_baseline", "A standard deviation is above 0.")


@transaction.atomic
def set_plan(*, experiment: Experiment, plan: PlanInput, actor: Actor) -> Plan:
    """Decide before launch how much error, how small an effect, and how long. Raises InvalidInput."""
    lock_draft(experiment, "plan")
    problems = list(_plan_faults(plan))
    if problems:
        raise InvalidInput(problems)
    before = plan_document(experiment)
    values = {field: getattr(plan, field) for field in PlanInput.__dataclass_fields__}
    stored, _ = Plan.objects.update_or_create(experiment=experiment, defaults=values)
    note_change(
        experiment, actor=actor, action="experiment.plan_set", before=before, after=plan_document(experiment)
    )
    return stored


def _plan_faults(plan: PlanInput) -> Iterable[Problem]:
    checks = (
        (
            "mde",
            0 < plan.mde <= 10,
            "The smallest effect worth finding lies above 0 and up to 1,000 % (5 % is 0.05).",
        ),
        ("alpha", 0 < plan.alpha <= 0.2, "α lies above 0 and up to 0.2; 0.05 is usual."),
        ("power", 0.5 <= plan.power < 1, "Power lies between 0.5 and 1; 0.8 is usual."),
        ("planned_n", plan.planned_n >= 1, "The planned number of units is at least 1."),
        ("min_days", plan.min_days >= 1, "Run at least 1 day; 7 see every day of the week."),
        ("max_days", plan.max_days >= plan.min_days, "The longest run cannot be shorter than the shortest."),
        (
            "stopping_rule",
            plan.stopping_rule in StoppingRule.values,
            f"One of: {', '.join(StoppingRule.values)}.",
        ),
        (
            "daily_units",
            plan.daily_units is None or 0 < plan.daily_units < math.inf,
            "New units a day are above 0.",
        ),
    )
    for field, holds, detail in checks:
        if not holds:
            yield Problem(f"/{field}", "out_of_range", detail)


@transaction.atomic
def set_breakdowns(*, experiment: Experiment, segments: Sequence[Segment], actor: Actor) -> None:
    """Declare the segments by which results are reported; pins the newest version of each."""
    lock_draft(experiment, "breakdowns")
    problems = [
        problem
        for index, segment in enumerate(segments)
        for problem in _segment_faults(experiment, segment, f"/breakdowns/{index}")
    ]
    if len(segments) > MAX_BREAKDOWNS:
        problems.append(
            Problem("/breakdowns", "too_many", f"At most {MAX_BREAKDOWNS} breakdowns can be read.")
        )
    if problems:
        raise InvalidInput(problems)
    before = breakdowns_document(experiment)
    experiment.breakdowns.all().delete()
    versions = dict.fromkeys(segment.latest_version for segment in segments)
    Breakdown.objects.bulk_create(Breakdown(experiment=experiment, segment_version=v) for v in versions)
    note_change(
        experiment,
        actor=actor,
        action="experiment.breakdowns_set",
        before=before,
        after=breakdowns_document(experiment),
    )
