"""Group-sequential comparison: the interval and p-value of one look, and the estimate after stopping."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from scipy import interpolate, optimize

from analysis.stats.arms import ArmEstimate, contrast_variance
from analysis.stats.brownian import bounds_of, start_paths
from analysis.stats.compare import Comparison, Lift, build_comparison, fieller_interval, valid_pair
from analysis.stats.estimable import Alternative, Interval, NotEstimable, check_share
from analysis.stats.group_sequential import Boundary, spend_boundary
from analysis.stats.spending import Spending

SMALLEST_STEP = 0.001
"""Looks closer than this share of the planned units are one look: the second could show nothing new."""

SMALLEST_P = 1e-10
LARGEST_P = 0.999
KNOTS_PER_DECADE = 8


@dataclass(frozen=True, slots=True)
class MonitoringPlan:
    """How alpha is spent over the looks of one comparison.

    planned_units: N* of *these two arms*, from the plan; spending, power: see spending.spent_alpha.
    Raises ValueError for a wrong alpha, or planned_units <= 0.
    """

    planned_units: float
    alpha: float = 0.05
    alternative: Alternative = "two-sided"
    spending: Spending = "obrien_fleming"
    power: float = 1.0

    def __post_init__(self) -> None:
        check_share(self.alpha, "alpha")
        bounds_of(0.0, self.alternative)
        if not (self.planned_units > 0.0 and math.isfinite(self.planned_units)):
            raise ValueError(f"planned_units must be positive, not {self.planned_units!r}")

    def boundary(
        self, units_at_looks: Sequence[float], *, is_final: bool = False, alpha: float | None = None
    ) -> Boundary:
        """Critical values at looks that took place at these numbers of units (of both arms), rising."""
        return spend_boundary(
            [units / self.planned_units for units in units_at_looks],
            self.alpha if alpha is None else alpha,
            spending=self.spending,
            power=self.power,
            alternative=self.alternative,
            is_final=is_final,
        )


def compare_arms_group_sequential(
    control: ArmEstimate | NotEstimable,
    treatment: ArmEstimate | NotEstimable,
    *,
    plan: MonitoringPlan,
    earlier_units: Sequence[float] = (),
    is_final: bool = False,
) -> Comparison | NotEstimable:
    """Compare two arms at one look of a group-sequential plan.

    The intervals are repeated confidence intervals: at all looks together they miss with probability alpha
    at most, whether or not one stops. The p-value is the smallest alpha whose interval excludes no
    difference at this look, to 3 digits and never below 1e-10.
    earlier_units: units of both arms at each *earlier* look; is_final: nobody looks again.
    NotEstimable when nothing was added since the last look, or alpha has no room yet.
    Source: Jennison & Turnbull, JRSS-B 1989 (repeated intervals); Lan & DeMets 1983.
    """
    pair = valid_pair(control, treatment)
    if isinstance(pair, NotEstimable):
        return pair
    c, t = pair
    looks = rising_looks((*earlier_units, float(c.n + t.n)), plan.planned_units)
    if isinstance(looks, NotEstimable):
        return looks
    boundary = plan.boundary(looks, is_final=is_final)
    critical = boundary.critical[-1]
    if math.isinf(critical):
        share = 100.0 * boundary.fractions[-1]
        return NotEstimable(f"at {share:.2g} % of the planned units the plan allows no decision yet")
    statistic = (t.mean - c.mean) / math.sqrt(contrast_variance(c, t))
    return build_comparison(
        c,
        t,
        method="group_sequential",
        critical=critical,
        df=math.inf,
        alpha=plan.alpha,
        alternative=plan.alternative,
        p_value=repeated_p_value(_toward(statistic, plan.alternative), boundary, plan, is_final=is_final),
    )


def rising_looks(units: Sequence[float], planned_units: float) -> tuple[float, ...] | NotEstimable:
    """Keep the looks that added information; the last one must be among them."""
    step, kept = SMALLEST_STEP * planned_units, [0.0]
    for count in units[:-1]:
        if count - kept[-1] >= step:
            kept.append(float(count))
    if not units or units[-1] - kept[-1] < step:
        return NotEstimable("too few new units since the last look")
    return (*kept[1:], float(units[-1]))


def repeated_p_value(toward: float, boundary: Boundary, plan: MonitoringPlan, *, is_final: bool) -> float:
    """Return the smallest alpha whose boundary at the last look is reached by `toward` (|z| when two-sided)."""
    curve, lowest, highest = _alpha_by_critical(boundary.fractions, plan, is_final)
    if toward <= lowest:
        return 1.0
    return SMALLEST_P if toward >= highest else float(math.exp(curve(toward)))


@lru_cache(maxsize=128)
def _alpha_by_critical(
    fractions: tuple[float, ...], plan: MonitoringPlan, is_final: bool
) -> tuple[interpolate.PchipInterpolator, float, float]:
    """ln alpha as a monotone function of the last critical value; the plan's own alpha is a knot."""
    decades = -math.log10(SMALLEST_P)
    steps = range(round(decades * KNOTS_PER_DECADE))
    levels = {10.0 ** (-decades + step / KNOTS_PER_DECADE) for step in steps}
    levels |= {0.6, 0.7, 0.8, 0.9, 0.97, LARGEST_P, plan.alpha}
    units = [t * plan.planned_units for t in fractions]
    knots: list[tuple[float, float]] = []
    for level in sorted(levels):
        critical = plan.boundary(units, is_final=is_final, alpha=level).critical[-1]
        if math.isfinite(critical) and (not knots or critical < knots[-1][0]):
            knots.append((critical, math.log(level)))
    knots.reverse()
    x, y = [z for z, _ in knots], [value for _, value in knots]
    return interpolate.PchipInterpolator(x, y), x[0], x[-1]


def _toward(statistic: float, alternative: Alternative) -> float:
    if alternative == "two-sided":
        return abs(statistic)
    return statistic if alternative == "greater" else -statistic


@dataclass(frozen=True, slots=True)
class StoppedEstimate:
    """What to report once a group-sequential test has stopped, freed of the bias toward early extremes.

    difference: median-unbiased; p_value: stage-wise ordering; absolute, lift: its 1 - alpha interval
    (one-sided plans give both sides of 1 - 2 alpha).
    """

    difference: float
    p_value: float
    absolute: Interval
    lift: Lift | NotEstimable


def estimate_after_stopping(comparison: Comparison, boundary: Boundary) -> StoppedEstimate:
    """Estimate the effect of a test that stopped at the last look of `boundary`, by the stage-wise ordering.

    An exit at an earlier look is more extreme, within a look the larger statistic. The median-unbiased
    difference is the drift under which the observed outcome is the median; the lift comes from the same
    quantiles through Fieller's contrast.
    Raises ValueError for a comparison that is not group-sequential.
    Source: Tsiatis, Rosner & Mehta, Biometrics 1984; Jennison & Turnbull 2000, section 8.4-8.5.
    """
    if comparison.method != "group_sequential":
        raise ValueError("only a group-sequential comparison has an estimate after stopping")
    z, root = comparison.statistic, math.sqrt(boundary.fractions[-1])
    two_sided = boundary.alternative == "two-sided"
    tail = boundary.alpha / 2.0 if two_sided else boundary.alpha
    low, middle, high = (_drift_with_tail(boundary, z, p) * root for p in (tail, 0.5, 1.0 - tail))
    above = outcome_tail(boundary, z, 0.0)
    one_sided = above if boundary.alternative == "greater" else 1.0 - above
    lower, centre, upper = (_lift_at(comparison, z - value) for value in (low, middle, high))
    lift: Lift | NotEstimable
    if isinstance(lower, NotEstimable) or isinstance(centre, NotEstimable) or isinstance(upper, NotEstimable):
        lift = next(bound for bound in (lower, centre, upper) if isinstance(bound, NotEstimable))
    else:
        lift = Lift(centre, Interval(lower, upper))
    return StoppedEstimate(
        difference=middle * comparison.se,
        p_value=2.0 * min(above, 1.0 - above) if two_sided else one_sided,
        absolute=Interval(low * comparison.se, high * comparison.se),
        lift=lift,
    )


def outcome_tail(boundary: Boundary, z: float, drift: float) -> float:
    """Chance of an outcome at least as high as Z = z at the last look, E[Z] = drift sqrt(fraction)."""
    rising = z >= 0.0 if boundary.alternative == "two-sided" else boundary.alternative == "greater"
    paths, gone, last = start_paths(drift), 0.0, len(boundary.fractions) - 1
    for look, (fraction, critical) in enumerate(zip(boundary.fractions, boundary.critical, strict=True)):
        low, high = bounds_of(critical, boundary.alternative)
        if look == last:
            gone += paths.beyond(fraction, z) if rising else paths.below(fraction, z)
        else:
            gone += paths.beyond(fraction, high) if rising else paths.below(fraction, low)
            paths = paths.onward(fraction, low, high)
    return min(1.0, gone) if rising else max(0.0, 1.0 - gone)


def _drift_with_tail(boundary: Boundary, z: float, tail: float) -> float:
    centre, reach = z / math.sqrt(boundary.fractions[-1]), 12.0 / math.sqrt(boundary.fractions[0])
    low, high = centre - reach, centre + reach
    return float(optimize.brentq(lambda drift: outcome_tail(boundary, z, drift) - tail, low, high, xtol=1e-9))


def _lift_at(comparison: Comparison, quantile: float) -> float | NotEstimable:
    """Lift whose contrast statistic equals `quantile`: one end of a Fieller interval."""
    interval = fieller_interval(comparison.control, comparison.treatment, abs(quantile))
    if isinstance(interval, NotEstimable):
        return interval
    return interval.low if quantile >= 0.0 else interval.high
