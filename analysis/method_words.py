"""Method and plan in words, as pages and mails print them."""

from collections.abc import Iterator, Sequence

from analysis.comparing import Approach
from analysis.inputs import Inputs
from analysis.result import MetricResult, SegmentTable
from analysis.stats.compare import Comparison
from analysis.stats.segments import SegmentEffect
from analysis.stats.small_counts import ENOUGH_FOR_MEANS
from analysis.stats.wording import format_count, format_days, format_level

KIND_WORDS = {
    "conversion": "share of units with at least one",
    "count": "number of events per unit:",
    "sum": "total value per unit of",
    "mean": "average value per event of",
}


SMALL_COUNT_WORDS = {
    "score": "the score test and its intervals (Miettinen-Nurminen)",
    "exact": "the same intervals and the larger p-value of the score and an exact test (Boschloo, or Fisher)",
}


def describe_method(
    inputs: Inputs,
    approach: Approach,
    metrics: Sequence[MetricResult],
    tables: Sequence[SegmentTable],
    *,
    is_final: bool,
) -> tuple[str, ...]:
    """Return one sentence for each decision behind the numbers."""
    return (
        _plan_sentence(inputs),
        _stopping_sentence(inputs, approach, is_final=is_final),
        *_small_count_sentences(metrics, tables),
        _pooling_sentence(approach),
        _families_sentence(inputs),
        _metric_sentence(inputs),
        "Units count in the variant they met first; units with an override are left out; "
        "units without events count as 0.",
        "Segments are what was true of a unit at its first exposure.",
    )


def _plan_sentence(inputs: Inputs) -> str:
    plan = inputs.plan
    return (
        f"Planned: {format_count(plan.planned_n)} units to find a lift of {100 * plan.mde:.3g} % with a power of "
        f"{100 * plan.power:.3g} % at an error rate of {100 * plan.alpha:.3g} %, within {plan.min_days} to "
        f"{format_days(plan.max_days)}."
    )


def _stopping_sentence(inputs: Inputs, approach: Approach, *, is_final: bool) -> str:
    level = format_level(approach.alpha)
    if inputs.plan.stopping_rule == "always_valid":
        return (
            f"Always valid: the {level} intervals are an asymptotic confidence sequence, so looking early or often "
            "costs nothing."
        )
    if is_final:
        return f"Fixed horizon, at its end: {level} intervals by Welch's t, relative ones by Fieller."
    return (
        "Fixed horizon, before its end: the verdict is locked; the intervals shown until then are the wider "
        "always-valid ones, so that nobody is misled by an early look."
    )


def _small_count_sentences(metrics: Sequence[MetricResult], tables: Sequence[SegmentTable]) -> Iterator[str]:
    """Say where a rate was not compared by Welch's t; nothing when it was everywhere."""
    shown = [(f"“{m.facts.name}”", e.comparison) for m in metrics for e in m.effects]
    rows = [row for table in tables for row in table.rows]
    shown += [
        (f"segment “{row.segment.name}”", row.effect.comparison)
        for row in rows
        if isinstance(row.effect, SegmentEffect)
    ]
    for method, words in SMALL_COUNT_WORDS.items():
        names = dict.fromkeys(n for n, c in shown if isinstance(c, Comparison) and c.method == method)
        if names:
            yield (
                f"Fewer than {ENOUGH_FOR_MEANS} conversions, or units without, in an arm: "
                f"{', '.join(names)} by {words}."
            )


def _pooling_sentence(approach: Approach) -> str:
    if approach.stratified:
        return (
            "Weights differed between phases or targets: arms are compared within each and averaged with the mix of "
            "all arms (post-stratification)."
        )
    return "All phases and targets had the same weights; their units are pooled."


def _families_sentence(inputs: Inputs) -> str:
    arms = len(inputs.variants) - 1
    primary = (
        f"the primary metric by Holm over {arms} variants"
        if arms > 1
        else "one primary comparison needs none"
    )
    return (
        f"P-values are adjusted within their family: {primary}; secondary metrics and segments by "
        "Benjamini-Hochberg; guardrails keep their own error rate."
    )


def _metric_sentence(inputs: Inputs) -> str:
    primary = inputs.metrics[0]
    spec = primary.spec
    window = (
        f"within {format_days(spec.window_days)} of exposure"
        if spec.window_days
        else "from exposure to the end"
    )
    cap = f", capped at {spec.cap:g}" if spec.cap is not None else ""
    return f"{primary.name}: {KIND_WORDS[spec.kind]} “{spec.event_name}” {window}{cap}."
