"""What "ship to these segments" is worth per unit of the whole population, against nobody and everybody."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.stats.compare import Comparison, t_quantile
from analysis.stats.estimable import Interval, NotEstimable, check_share
from analysis.stats.policy import PolicyValue


@dataclass(frozen=True, slots=True)
class SegmentChoice:
    """One of several disjoint segments. units: of all arms; ships: whether the rule gives it the treatment."""

    key: str
    units: int
    comparison: Comparison | NotEstimable
    ships: bool


@dataclass(frozen=True, slots=True)
class SegmentPolicyValue:
    """Gain per unit of the population of the rule over nobody, and over shipping to everybody."""

    over_nobody: PolicyValue | NotEstimable
    over_everybody: PolicyValue | NotEstimable


def value_segment_policy(choices: Sequence[SegmentChoice], *, alpha: float = 0.05) -> SegmentPolicyValue:
    """Estimate sum of share x difference over the segments shipped to (minus those held back, otherwise).

    This is the doubly robust estimate with segment means as predictions; the shares are a sample too, which
    adds (sum share d^2 - (sum share d)^2) / n. The segments must be disjoint, and a rule chosen on the same
    data looks better than it is.
    Raises ValueError for a negative number of units or a wrong alpha.
    Source: Athey & Wager 2021, section 2, for discrete covariates.
    """
    check_share(alpha, "alpha")
    if any(choice.units < 0 for choice in choices):
        raise ValueError("a number of units cannot be negative")
    treated = [(choice, 1.0 if choice.ships else 0.0) for choice in choices]
    held = [(choice, 0.0 if choice.ships else -1.0) for choice in choices]
    return SegmentPolicyValue(_gain(treated, alpha), _gain(held, alpha))


def _gain(weighted: Sequence[tuple[SegmentChoice, float]], alpha: float) -> PolicyValue | NotEstimable:
    n = sum(choice.units for choice, _ in weighted)
    if n == 0:
        return NotEstimable("there are no units")
    value = squares = variance = 0.0
    for choice, sign in weighted:
        if sign == 0.0 or choice.units == 0:
            continue
        if isinstance(choice.comparison, NotEstimable):
            return NotEstimable(f"segment {choice.key}: {choice.comparison.reason}")
        share, effect = choice.units / n, sign * choice.comparison.difference
        value += share * effect
        squares += share * effect * effect
        variance += share * choice.comparison.se * share * choice.comparison.se
    if not (math.isfinite(variance) and math.isfinite(squares)):
        return NotEstimable("the values are too large to add up")
    se = math.sqrt(variance + max(0.0, squares - value * value) / n)
    reach = t_quantile(math.inf, alpha / 2.0) * se
    return PolicyValue(n, value, se, Interval(value - reach, value + reach))
