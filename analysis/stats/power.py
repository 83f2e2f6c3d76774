"""Power, detectable effect and sample size of two arms, in the whole experiment or one segment."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from scipy import optimize, special

from analysis.stats.always_valid import (
    MINIMUM_CONVERSIONS,
    MINIMUM_UNITS,
    sequence_critical,
    tuning_variance,
)
from analysis.stats.compare import Comparison, t_quantile
from analysis.stats.estimable import Alternative, NotEstimable, check_finite, check_share
from analysis.stats.group_sequential import Boundary, spend_boundary
from analysis.stats.group_sequential_design import characterise_plan, power_at_drift
from analysis.stats.spending import Spending

LARGEST_T_DF = 1e5
"""Above this many degrees of freedom the normal distribution gives the same digits."""

LARGEST_UNITS = 1e12
LARGEST_DRIFT = 30.0


@dataclass(frozen=True, slots=True)
class Baseline:
    """The control arm as expected: mean and variance per unit; is_rate: values are 0 or 1.

    Raises ValueError for a negative variance, or a rate outside 0..1.
    """

    mean: float
    variance: float
    is_rate: bool = False

    def __post_init__(self) -> None:
        check_finite(self.mean, "mean")
        check_finite(self.variance, "variance")
        if self.variance < 0.0:
            raise ValueError("a variance cannot be negative")
        if self.is_rate and not 0.0 <= self.mean <= 1.0:
            raise ValueError(f"a rate lies between 0 and 1, not {self.mean!r}")


def rate_baseline(rate: float) -> Baseline:
    """Return the baseline of a conversion rate: variance p (1 - p)."""
    return Baseline(rate, rate * (1.0 - rate), is_rate=True)


@dataclass(frozen=True, slots=True)
class Design:
    """How the comparison will be made.

    control_share, treatment_share: of all exposed units (two of three equal arms: 1/3 each); comparisons:
    treatment arms against control, alpha is divided by it (Bonferroni bounds Holm from above);
    variance_reduction: R^2 of a covariate; design_effect: 1 + (m - 1) ICC of clusters; always_valid:
    critical value of the confidence sequence, tuned at tuned_at units of both arms, or at the size in
    question when None; looks: planned information fractions of a group-sequential test, the last one 1, and
    its spending function; distribution: of a mean's test.
    Raises ValueError for shares, levels or counts out of range.
    """

    alpha: float = 0.05
    power: float = 0.8
    alternative: Alternative = "two-sided"
    control_share: float = 0.5
    treatment_share: float = 0.5
    comparisons: int = 1
    variance_reduction: float = 0.0
    design_effect: float = 1.0
    always_valid: bool = False
    tuned_at: float | None = None
    distribution: Literal["t", "normal"] = "t"
    looks: tuple[float, ...] = ()
    spending: Spending = "obrien_fleming"

    def __post_init__(self) -> None:
        check_share(self.alpha, "alpha")
        check_share(self.power, "power")
        check_share(self.control_share, "control_share")
        check_share(self.treatment_share, "treatment_share")
        if self.control_share + self.treatment_share > 1.0 + 1e-9:
            raise ValueError("the shares of two arms cannot add up to more than 1")
        if self.comparisons < 1 or self.design_effect < 1.0 or not 0.0 <= self.variance_reduction < 1.0:
            raise ValueError("comparisons and design_effect start at 1, variance_reduction lies in 0..1")
        if self.looks and (self.always_valid or abs(self.looks[-1] - 1.0) > 1e-9):
            raise ValueError("planned looks end at 1 and do not go together with always_valid")

    @property
    def alpha_each(self) -> float:
        """Level of one comparison."""
        return self.alpha / self.comparisons

    @property
    def boundary(self) -> Boundary:
        """Critical values at the planned looks. Raises ValueError when there are none or they do not rise."""
        return spend_boundary(
            self.looks, self.alpha_each, spending=self.spending, alternative=self.alternative
        )

    @property
    def scale(self) -> float:
        """Factor on every variance."""
        return (1.0 - self.variance_reduction) * self.design_effect


def power_for_difference(baseline: Baseline, design: Design, *, units: float, difference: float) -> float:
    """Probability that a true absolute difference is found with `units` exposed in all arms together.

    Means: non-central t, equal variances. Rates: score test, pooled variance under no difference.
    Always-valid: the probability that the sequence excludes 0 *at* the last look, a lower bound for "at any
    look". Group-sequential: at any of the planned looks, `units` being the size at the last one. A rate that
    would leave 0..1 is treated as 0 or 1.
    Source: Cohen 1988; Fleiss, Levin & Paik 2003, chapter 4; Jennison & Turnbull 2000, chapter 3.
    """
    if design.looks:
        return _power_with_looks(baseline, design, units=units, difference=difference)
    n0, n1 = units * design.control_share, units * design.treatment_share
    if n0 < 2.0 or n1 < 2.0 or (baseline.variance == 0.0 and not baseline.is_rate):
        return 0.0
    if baseline.is_rate:
        return _power_of_rates(baseline, design, n0=n0, n1=n1, difference=difference)
    effect = _toward_alternative(difference, design.alternative)
    se = math.sqrt(baseline.variance * design.scale * (1.0 / n0 + 1.0 / n1))
    df = n0 + n1 - 2.0
    if design.always_valid or design.distribution == "normal" or df > LARGEST_T_DF:
        return _normal_power(effect, _critical(design, units), se, se, design.alternative)
    return _t_power(effect / se, df, design)


def _power_with_looks(baseline: Baseline, design: Design, *, units: float, difference: float) -> float:
    """Power at the drift that gives the fixed test, toward the difference alone, the same power."""
    side = design.alternative
    if side == "two-sided":
        fixed = replace(design, looks=(), alpha=design.alpha / 2.0, alternative=_side_of(difference))
    else:
        fixed = replace(design, looks=())
    toward = power_for_difference(baseline, fixed, units=units, difference=difference)
    if toward == 0.0:
        return 0.0
    drift = float(special.ndtri(toward)) + t_quantile(math.inf, fixed.alpha_each)
    drift = min(LARGEST_DRIFT, max(-LARGEST_DRIFT, drift))
    return power_at_drift(design.boundary, -drift if fixed.alternative == "less" else drift)


def _side_of(difference: float) -> Alternative:
    return "greater" if difference >= 0.0 else "less"


def _toward_alternative(difference: float, alternative: Alternative) -> float:
    if alternative == "two-sided":
        return abs(difference)
    return difference if alternative == "greater" else -difference


def _power_of_rates(baseline: Baseline, design: Design, *, n0: float, n1: float, difference: float) -> float:
    effect = _toward_alternative(difference, design.alternative)
    p0 = baseline.mean
    p1 = min(1.0, max(0.0, p0 + difference))
    pooled = (n0 * p0 + n1 * p1) / (n0 + n1)
    se1 = math.sqrt(design.scale * (p0 * (1.0 - p0) / n0 + p1 * (1.0 - p1) / n1))
    se0 = math.sqrt(design.scale * pooled * (1.0 - pooled) * (1.0 / n0 + 1.0 / n1))
    if se1 == 0.0 or se0 == 0.0:
        return 1.0 if effect > 0.0 else 0.0
    units = n0 / design.control_share
    null_se = se1 if design.always_valid else se0
    return _normal_power(effect, _critical(design, units), null_se, se1, design.alternative)


def _critical(design: Design, units: float) -> float:
    one_sided = design.alternative != "two-sided"
    if not design.always_valid:
        return t_quantile(math.inf, design.alpha_each if one_sided else design.alpha_each / 2.0)
    both = units * (design.control_share + design.treatment_share)
    tuned_at = both if design.tuned_at is None else design.tuned_at
    rho2 = tuning_variance(tuned_at, 2.0 * design.alpha_each if one_sided else design.alpha_each)
    return sequence_critical(both, rho2, design.alpha_each, design.alternative)


def _normal_power(
    effect: float, critical: float, null_se: float, se: float, alternative: Alternative
) -> float:
    power = float(special.ndtr((effect - critical * null_se) / se))
    if alternative == "two-sided":
        power += float(special.ndtr((-effect - critical * null_se) / se))
    return power


def _t_power(noncentrality: float, df: float, design: Design) -> float:
    two_sided = design.alternative == "two-sided"
    critical = t_quantile(df, design.alpha_each / 2.0 if two_sided else design.alpha_each)
    power = 1.0 - _noncentral_t_cdf(critical, df, noncentrality)
    if two_sided:
        power += _noncentral_t_cdf(-critical, df, noncentrality)
    return power


def _noncentral_t_cdf(value: float, df: float, noncentrality: float) -> float:
    """P(T <= value); scipy answers NaN where the tail is so small that nothing is left of it."""
    probability = float(special.nctdtr(df, noncentrality, value))
    return 0.0 if math.isnan(probability) else min(1.0, max(0.0, probability))


def units_for_difference(baseline: Baseline, design: Design, *, difference: float) -> int | NotEstimable:
    """Whole units in all arms together that find an absolute difference with the planned power.

    Always-valid plans also need 100 units and 25 conversions in each arm before they say anything.
    Raises ValueError for a difference of 0 or one that points away from a one-sided alternative.
    """
    units = exact_units(baseline, design, difference=difference)
    return units if isinstance(units, NotEstimable) else math.ceil(units * (1.0 - 1e-9))


def exact_units(baseline: Baseline, design: Design, *, difference: float) -> float | NotEstimable:
    """The same number before rounding up, as printed in tables of other programs."""
    check_finite(difference, "difference")
    if not _toward_alternative(difference, design.alternative) > 0.0:
        raise ValueError("no number of units finds a difference of 0 or one on the other side")
    if baseline.is_rate and not 0.0 <= baseline.mean + difference <= 1.0:
        return NotEstimable(f"the rate would leave 0..1: {baseline.mean:.4g} {difference:+.4g}")
    if baseline.variance == 0.0 and not baseline.is_rate:
        return NotEstimable("the values do not vary, so no sample size can be computed")

    def lacking(log_units: float) -> float:
        found = power_for_difference(baseline, design, units=math.exp(log_units), difference=difference)
        return found - design.power

    solution = _solve_rising(lacking, math.log(smallest_units(baseline, design)), math.log(LARGEST_UNITS))
    if isinstance(solution, NotEstimable):
        return NotEstimable("more than a trillion units would be needed")
    return math.exp(solution)


def smallest_units(baseline: Baseline, design: Design) -> float:
    """Units in all arms below which the analysis gives no answer at all."""
    share = min(design.control_share, design.treatment_share)
    if not design.always_valid:
        return 2.0 / share
    rarer = min(baseline.mean, 1.0 - baseline.mean) if baseline.is_rate else 1.0
    return max(MINIMUM_UNITS, MINIMUM_CONVERSIONS / rarer if rarer > 0.0 else 0.0) / share


def detectable_difference(baseline: Baseline, design: Design, *, units: float) -> float | NotEstimable:
    """Smallest absolute difference found with the planned power; negative for the alternative "less"."""
    if units < smallest_units(baseline, design):
        return NotEstimable("too few units for any comparison")
    if baseline.variance == 0.0:
        return NotEstimable("the values do not vary")
    sign = -1.0 if design.alternative == "less" else 1.0
    widest = math.sqrt(baseline.variance * design.scale * 4.0 / (units * _smaller_share(design))) * 100.0
    if baseline.is_rate:
        widest = baseline.mean if sign < 0.0 else 1.0 - baseline.mean

    def lacking(size: float) -> float:
        found = power_for_difference(baseline, design, units=units, difference=sign * size)
        return found - design.power

    solution = _solve_rising(lacking, 0.0, widest)
    if isinstance(solution, NotEstimable):
        return NotEstimable("too few units to find even the largest possible difference")
    return sign * solution


def _smaller_share(design: Design) -> float:
    return min(design.control_share, design.treatment_share)


def units_for_lift(baseline: Baseline, design: Design, *, lift: float) -> int | NotEstimable:
    """Units in all arms together that find a relative lift (0.05 = +5 %) with the planned power."""
    if baseline.mean <= 0.0:
        return NotEstimable("the baseline is not positive, so a relative lift is undefined")
    return units_for_difference(baseline, design, difference=lift * baseline.mean)


def detectable_lift(baseline: Baseline, design: Design, *, units: float) -> float | NotEstimable:
    """Smallest relative lift found with the planned power by `units` in all arms together."""
    if baseline.mean <= 0.0:
        return NotEstimable("the baseline is not positive, so a relative lift is undefined")
    difference = detectable_difference(baseline, design, units=units)
    return difference if isinstance(difference, NotEstimable) else difference / baseline.mean


def detectable_lift_now(comparison: Comparison | NotEstimable, *, power: float) -> float | NotEstimable:
    """Smallest relative lift that the data at hand could have found: (q + z_power) se / m0.

    From the reached standard error and critical value, so it needs no plan. Raises ValueError for a wrong
    power.
    """
    check_share(power, "power")
    if isinstance(comparison, NotEstimable):
        return comparison
    if isinstance(comparison.relative, NotEstimable):
        return comparison.relative
    return (comparison.critical + float(special.ndtri(power))) * comparison.se / comparison.control.mean


def sequential_inflation(design: Design) -> float:
    """How many times more units an always-valid plan, or one with looks, needs than the fixed one."""
    if design.looks:
        return characterise_plan(design.boundary, design.power).inflation
    one_sided = design.alternative != "two-sided"
    z_power = float(special.ndtri(design.power))
    fixed = t_quantile(math.inf, design.alpha_each if one_sided else design.alpha_each / 2.0)
    rho2 = tuning_variance(1.0, 2.0 * design.alpha_each if one_sided else design.alpha_each)
    sequence = sequence_critical(1.0, rho2, design.alpha_each, design.alternative)
    return ((sequence + z_power) / (fixed + z_power)) ** 2


def _solve_rising(function: Callable[[float], float], low: float, high: float) -> float | NotEstimable:
    """Root of a rising function between low and high; low when it is positive there already."""
    if function(low) >= 0.0:
        return low
    if function(high) < 0.0:
        return NotEstimable("no solution")
    return float(optimize.brentq(function, low, high, xtol=1e-14, rtol=1e-13, maxiter=500))
