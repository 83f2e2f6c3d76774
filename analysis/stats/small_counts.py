"""Rates with few conversions: which test answers is decided by a stated rule, never by its result."""

import math
from typing import Literal

from analysis.stats.arms import ArmEstimate
from analysis.stats.compare import (
    Comparison,
    Lift,
    compare_arms,
    t_quantile,
    tail_probability,
)
from analysis.stats.estimable import Alternative, Interval, NotEstimable, check_share
from analysis.stats.rate_score import RateCount, score_interval, score_statistic
from analysis.stats.rates import check_rates

ENOUGH_FOR_MEANS = 50
"""Rarer outcomes per arm from which Welch's t of a rate is used (its skewness is then below 1 in 7)."""

ENOUGH_FOR_SCORE = 5.0
"""Smallest expected cell from which the score test is used (Cochran's rule); below, an exact test joins it."""

LARGEST_BOSCHLOO = 40_000
"""n0 x n1 up to which Boschloo's test is computed; above, Fisher's, which is then as good as equal."""

RateRule = Literal["welch_t", "score", "exact"]


def choose_rate_method(control: RateCount, treatment: RateCount) -> RateRule:
    """Say which method compares two rates.

    welch_t: each arm has at least 50 conversions and 50 units without; score: fewer, but every *expected* cell
    (under equal rates) is at least 5; exact: else.
    Source: Cochran, Biometrics 1954; Fagerland, Lydersen & Laake 2015, recommendations.
    """
    rarer = min(min(arm.conversions, arm.n - arm.conversions) for arm in (control, treatment))
    if rarer >= ENOUGH_FOR_MEANS:
        return "welch_t"
    total = control.conversions + treatment.conversions
    smallest = min(total, control.n + treatment.n - total) * min(control.n, treatment.n)
    return "score" if smallest >= ENOUGH_FOR_SCORE * (control.n + treatment.n) else "exact"


def compare_rates(
    control: ArmEstimate | NotEstimable,
    treatment: ArmEstimate | NotEstimable,
    *,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
) -> Comparison | NotEstimable:
    """Compare two conversion rates at a fixed horizon by the method that `choose_rate_method` names.

    welch_t: exactly compare_arms. score: p-value and both intervals from one score statistic
    (Miettinen-Nurminen difference and ratio, which share their statistic at no effect), so they cannot
    disagree. exact: the p-value is the larger of score and exact test (Boschloo, Fisher for large arms), and an
    interval that excludes no effect against that p-value is extended to it. se is the unrestricted one in all.
    Raises ValueError for an alpha outside 0..1, an unknown alternative or an adjusted arm.
    """
    check_share(alpha, "alpha")
    counts = _counts_of(control, treatment)
    if isinstance(counts, NotEstimable):
        return counts
    rule = choose_rate_method(*counts)
    plain = compare_arms(control, treatment, alpha=alpha, alternative=alternative)
    if rule == "welch_t" or isinstance(plain, NotEstimable):
        return plain
    statistic = score_statistic(*counts, scale="difference", value=0.0)
    p_value = tail_probability(statistic, math.inf, alternative)
    if rule == "exact":
        exact = _exact_p(*counts, alternative)
        if isinstance(exact, NotEstimable):
            return exact
        p_value = max(p_value, exact)
    return _assemble(plain, counts, rule, statistic, p_value)


def _counts_of(
    control: ArmEstimate | NotEstimable, treatment: ArmEstimate | NotEstimable
) -> tuple[RateCount, RateCount] | NotEstimable:
    if isinstance(control, NotEstimable):
        return NotEstimable(f"control: {control.reason}")
    if isinstance(treatment, NotEstimable):
        return NotEstimable(f"treatment: {treatment.reason}")
    found = []
    for arm in (control, treatment):
        ones = arm.mean * arm.n
        if abs(ones - round(ones)) > 1e-6 * max(1.0, ones) or not 0 <= round(ones) <= arm.n:
            raise ValueError("compare_rates takes plain rates; compare adjusted arms with compare_arms")
        found.append(RateCount(round(ones), arm.n))
    return found[0], found[1]


def _exact_p(control: RateCount, treatment: RateCount, alternative: Alternative) -> float | NotEstimable:
    small = control.n * treatment.n <= LARGEST_BOSCHLOO
    return check_rates(control, treatment, "boschloo" if small else "fisher", alternative)


def _assemble(
    plain: Comparison,
    counts: tuple[RateCount, RateCount],
    rule: Literal["score", "exact"],
    statistic: float,
    p_value: float,
) -> Comparison:
    alternative = plain.alternative
    critical = t_quantile(math.inf, plain.alpha / 2.0 if alternative == "two-sided" else plain.alpha)
    significant = p_value < plain.alpha
    absolute = _open(score_interval(*counts, critical), alternative)
    relative: Lift | NotEstimable = NotEstimable("control has no conversions, so the lift is unbounded")
    if counts[0].conversions:
        ratio = score_interval(*counts, critical, scale="ratio")
        lift = _open(Interval(ratio.low - 1.0, ratio.high - 1.0), alternative)
        relative = Lift(plain.difference / plain.control.mean, _agree(lift, significant))
    return Comparison(
        method=rule,
        control=plain.control,
        treatment=plain.treatment,
        difference=plain.difference,
        se=plain.se,
        statistic=statistic,
        df=math.inf,
        critical=critical,
        alpha=plain.alpha,
        alternative=alternative,
        p_value=p_value,
        absolute=_agree(absolute, significant),
        relative=relative,
    )


def _open(interval: Interval, alternative: Alternative) -> Interval:
    if alternative == "two-sided":
        return interval
    greater = alternative == "greater"
    return Interval(interval.low if greater else -math.inf, math.inf if greater else interval.high)


def _agree(interval: Interval, significant: bool) -> Interval:
    """Extend an interval to no effect when the (exact) p-value does not exclude it."""
    if significant or not interval.excludes(0.0):
        return interval
    return Interval(min(interval.low, 0.0), max(interval.high, 0.0))
