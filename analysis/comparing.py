"""Arms of one metric compared the way the plan says: pooled or over strata, always-valid or at the planned end."""

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.inputs import Inputs, MetricFacts
from analysis.moments import EVERYONE
from analysis.result import ArmResult, EffectResult, GuardrailFacts, MetricResult
from analysis.stats.always_valid import compare_arms_always_valid
from analysis.stats.arms import ArmEstimate, Stratum, stratify_pair
from analysis.stats.compare import Comparison, compare_arms
from analysis.stats.estimable import NotEstimable
from analysis.stats.guardrails import GuardrailResult, check_guardrail
from analysis.stats.multiplicity import AdjustMethod, adjust_p_values
from analysis.stats.small_counts import compare_rates
from analysis.sums import Stratum as StratumKey
from analysis.sums import SumTable, estimate_arm

Pair = tuple[ArmEstimate | NotEstimable, ArmEstimate | NotEstimable]
ADJUSTMENT: dict[str, AdjustMethod] = {"primary": "holm", "secondary": "bh"}


@dataclass(frozen=True, slots=True)
class Approach:
    """How this run compares: over strata or pooled, and at which error level.

    always_valid: the looks so far were not the planned end; pair_units: N* of control plus one treatment arm,
    by treatment variant.
    """

    stratified: bool
    always_valid: bool
    alpha: float
    pair_units: dict[int, float]


def choose_approach(inputs: Inputs, *, is_final: bool) -> Approach:
    """Stratify when phases or targets had different weights; always-valid until a fixed horizon's end."""
    return Approach(
        stratified=weights_differ(inputs),
        always_valid=inputs.plan.stopping_rule == "always_valid" or not is_final,
        alpha=inputs.plan.alpha,
        pair_units={v.index: _pair_units(inputs, v.index) for v in inputs.variants[1:]},
    )


def planned_weights(inputs: Inputs) -> dict[StratumKey, tuple[int, ...]]:
    """Return the slots opened for each variant, by (phase, target); empty for a split nobody planned."""
    return {(phase.number, target): opened for phase in inputs.phases for target, opened in phase.opened}


def weights_differ(inputs: Inputs) -> bool:
    """Tell whether two strata were randomised with different weights."""
    shares = {tuple(round(w / sum(opened), 9) for w in opened) for opened in planned_weights(inputs).values()}
    return len(shares) > 1


def compare_metric(inputs: Inputs, metric: MetricFacts, approach: Approach) -> MetricResult:
    """Compare every treatment arm with control; p-values are not adjusted yet."""
    table = SumTable(metric, inputs.cells)
    arms = []
    for variant in inputs.variants:
        sums = table.sums(variant.index)
        arms.append(ArmResult(variant.index, sums.n, sums.immature, sums.active, estimate_arm(metric, sums)))
    effects = []
    for variant in inputs.variants[1:]:
        pair = arm_pair(table, variant.index, inputs, approach)
        comparison = compare_pair(metric, pair, variant.index, approach)
        p_value = comparison.p_value if isinstance(comparison, Comparison) else comparison
        outcome = "unclear" if isinstance(comparison, NotEstimable) else comparison.outcome(metric.direction)
        guardrail = _check_guardrail(metric, pair, variant.index, approach)
        effects.append(EffectResult(variant.index, comparison, p_value, outcome, guardrail))
    return MetricResult(metric, tuple(arms), tuple(effects))


def arm_pair(
    table: SumTable,
    treatment: int,
    inputs: Inputs,
    approach: Approach,
    *,
    breakdown: int = EVERYONE,
    outside: bool = False,
) -> Pair:
    """Return control and one treatment arm, of everyone, a breakdown, or all who are outside it."""
    if not approach.stratified:
        control, arm = (table.sums(v, breakdown=breakdown, outside=outside) for v in (0, treatment))
        return estimate_arm(table.metric, control), estimate_arm(table.metric, arm)
    strata = []
    for key in table.strata:
        sums = {
            v.index: table.sums(v.index, breakdown=breakdown, outside=outside, stratum=key)
            for v in inputs.variants
        }
        strata.append(
            Stratum(
                weight=float(sum(part.n for part in sums.values())),
                control=estimate_arm(table.metric, sums[0]),
                treatment=estimate_arm(table.metric, sums[treatment]),
            )
        )
    if not strata:
        return (NotEstimable("there are no units"),) * 2
    pair = stratify_pair(strata)
    return (pair, pair) if isinstance(pair, NotEstimable) else (pair.control, pair.treatment)


def compare_pair(
    metric: MetricFacts, pair: Pair, treatment: int, approach: Approach
) -> Comparison | NotEstimable:
    """Compare one pair of arms by the plan's method; rates with small counts by score or exact test at the end.

    A guardrail keeps Welch's t, by which its state is decided; averages over strata are no counts any more.
    """
    if approach.always_valid:
        units = approach.pair_units[treatment]
        return compare_arms_always_valid(*pair, planned_units=units, alpha=approach.alpha)
    if metric.spec.kind == "conversion" and metric.role != "guardrail" and not approach.stratified:
        return compare_rates(*pair, alpha=approach.alpha)
    return compare_arms(*pair, alpha=approach.alpha)


def adjust_families(metrics: Sequence[MetricResult]) -> tuple[MetricResult, ...]:
    """Adjust p-values within their family: Holm over primary x arms, BH over secondary x arms, guardrails none."""
    adjusted: dict[tuple[str, int], float | NotEstimable] = {}
    for role, method in ADJUSTMENT.items():
        members = [(m, e) for m in metrics if m.facts.role == role for e in m.effects]
        p_values = adjust_p_values([e.p_adjusted for _, e in members], method)
        adjusted |= {(m.facts.spec.key, e.variant): p for (m, e), p in zip(members, p_values, strict=True)}
    return tuple(
        MetricResult(m.facts, m.arms, tuple(_with_adjusted(m.facts, e, adjusted) for e in m.effects))
        for m in metrics
    )


def _with_adjusted(
    metric: MetricFacts, effect: EffectResult, adjusted: dict[tuple[str, int], float | NotEstimable]
) -> EffectResult:
    p_value = adjusted.get((metric.spec.key, effect.variant), effect.p_adjusted)
    outcome = effect.outcome
    if isinstance(effect.comparison, Comparison) and not isinstance(p_value, NotEstimable):
        outcome = effect.comparison.outcome(metric.direction, p_value)
    return EffectResult(effect.variant, effect.comparison, p_value, outcome, effect.guardrail)


def _check_guardrail(
    metric: MetricFacts, pair: Pair, treatment: int, approach: Approach
) -> GuardrailFacts | None:
    if metric.role != "guardrail" or metric.margin is None:
        return None
    result: GuardrailResult = check_guardrail(
        *pair,
        margin=metric.margin,
        direction=metric.direction,
        alpha=approach.alpha / 2.0,
        planned_units=approach.pair_units[treatment] if approach.always_valid else None,
    )
    return GuardrailFacts(
        state=result.state,
        margin_lift=result.margin_lift,
        p_non_inferior=result.p_non_inferior,
        p_breach=result.p_breach,
        reason=result.reason,
    )


def _pair_units(inputs: Inputs, treatment: int) -> float:
    """N* of two arms: the plan's size times their planned share (equal arms where no split was planned)."""
    first = inputs.phases[0].opened if inputs.phases else ()
    totals = [sum(opened[v.index] for _, opened in first) for v in inputs.variants] if first else []
    if not totals or not totals[0] or not totals[treatment]:
        return inputs.plan.planned_n * 2.0 / len(inputs.variants)
    return inputs.plan.planned_n * (totals[0] + totals[treatment]) / sum(totals)
