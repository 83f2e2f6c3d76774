"""What the verdict looks at, gathered from the parts of a result."""

from collections.abc import Sequence

from analysis.inputs import Inputs, MetricFacts
from analysis.result import Health, MetricResult, SegmentTable
from analysis.stats.adequacy import Adequacy
from analysis.stats.findings import Evidence, GuardrailFinding, PrimaryFinding, SegmentFinding
from analysis.stats.guardrails import GuardrailResult
from analysis.stats.wording import format_count, join_words


def gather_evidence(
    inputs: Inputs,
    metrics: Sequence[MetricResult],
    health: Health,
    adequacy: Adequacy,
    segments: Sequence[SegmentTable],
) -> Evidence:
    """Put the findings into the words and the order that `stats.verdict.decide` expects."""
    names = {variant.index: variant.name for variant in inputs.variants}
    ended = inputs.experiment.ended_at is not None
    return Evidence(
        primaries=_primary_findings(metrics[0], names),
        adequacy=adequacy,
        health=health.problems,
        guardrails=tuple(finding for metric in metrics for finding in _guardrail_findings(metric, names)),
        segments=tuple(
            SegmentFinding(row.segment.key, row.segment.name, names[table.variant], row.is_harmed)
            for table in segments
            for row in table.rows
            if not row.suppressed
        ),
        audience=_audience(inputs),
        auto_pause=inputs.plan.auto_pause and not ended,
        notes=_notes(metrics[0], adequacy, ended=ended),
    )


def metric_noun(metric: MetricFacts) -> str:
    """Return the metric's name as it reads after a number: lower case at its start unless an acronym."""
    name = metric.name
    return name[:1].lower() + name[1:] if name[1:2].islower() else name


def _primary_findings(primary: MetricResult, names: dict[int, str]) -> tuple[PrimaryFinding, ...]:
    return tuple(
        PrimaryFinding(
            variant=names[effect.variant],
            metric=metric_noun(primary.facts),
            direction=primary.facts.direction,
            comparison=effect.comparison,
            p_adjusted=effect.p_adjusted,
            is_rate=primary.facts.spec.kind == "conversion",
        )
        for effect in primary.effects
    )


def _guardrail_findings(metric: MetricResult, names: dict[int, str]) -> list[GuardrailFinding]:
    findings = []
    for effect in metric.effects:
        guardrail = effect.guardrail
        if guardrail is None or metric.facts.margin is None:
            continue
        result = GuardrailResult(
            state=guardrail.state,
            margin=metric.facts.margin,
            direction=metric.facts.direction,
            comparison=effect.comparison,
            p_non_inferior=guardrail.p_non_inferior,
            p_breach=guardrail.p_breach,
            reason=guardrail.reason,
        )
        is_rate = metric.facts.spec.kind == "conversion"
        findings.append(GuardrailFinding(names[effect.variant], metric_noun(metric.facts), result, is_rate))
    return findings


def _audience(inputs: Inputs) -> str:
    if not inputs.targets or any(target.is_everyone for target in inputs.targets):
        return "everyone"
    return join_words([target.name for target in inputs.targets])


def _notes(primary: MetricResult, adequacy: Adequacy, *, ended: bool) -> tuple[str, ...]:
    notes = []
    waiting = sum(arm.immature for arm in primary.arms)
    if waiting and not ended:
        days = primary.facts.spec.window_days
        notes.append(
            f"{format_count(waiting)} units are still inside their window of {days} days; they count later."
        )
    missing = adequacy.planned_units - adequacy.units
    if missing > 0 and ended:
        notes.append(
            f"It ended {format_count(missing)} units short of the plan; repeat it with the planned size."
        )
    return tuple(notes)
