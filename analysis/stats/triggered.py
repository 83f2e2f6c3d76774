"""Triggered analysis: the effect among units that could feel the change, and what it means for everybody."""

import math
from dataclasses import dataclass

from analysis.stats.arms import ArmEstimate, contrast_variance
from analysis.stats.compare import Comparison, Lift
from analysis.stats.estimable import Interval, NotEstimable


@dataclass(frozen=True, slots=True)
class Dilution:
    """The triggered effect spread over all units.

    trigger_share: triggered / all units; metric_share: share of the control metric's total that triggered
    units hold; difference, absolute: per unit of the whole population; lift: of the whole population's mean.
    """

    trigger_share: float
    metric_share: float | NotEstimable
    difference: float
    absolute: Interval
    lift: Lift | NotEstimable


def dilute_effect(
    comparison: Comparison | NotEstimable,
    untriggered: ArmEstimate | NotEstimable | None,
    *,
    triggered_units: int,
) -> Dilution | NotEstimable:
    """Translate a comparison of triggered units into the effect on everybody: d_all = share x d_triggered.

    untriggered: mean of all units that did not trigger, *both arms pooled* (nothing changed for them), None
    when there are none; triggered_units: of both arms.
    The lift of everybody is theta in share (m1 - m0) - theta (share m0 + (1 - share) mu), solved like
    Fieller's with variance share^2 (a + (1 + theta)^2 b) + theta^2 (1 - share)^2 c, so it excludes 0 exactly
    when the triggered comparison does. Its value is metric_share x the triggered lift. The observed share
    is taken as given.
    NotEstimable when a mean is missing.  Raises ValueError for triggered_units < 0.
    Source: Deng & Hu, WSDM 2015, sections 3-4; Fieller 1954.
    """
    if triggered_units < 0:
        raise ValueError("a number of units cannot be negative")
    if isinstance(comparison, NotEstimable):
        return comparison
    if isinstance(untriggered, NotEstimable):
        return NotEstimable(f"units that did not trigger: {untriggered.reason}")
    if triggered_units == 0:
        return NotEstimable("no unit triggered")
    rest = untriggered or ArmEstimate(0, 0.0, 0.0, math.inf)
    share = triggered_units / (triggered_units + rest.n)
    control_total = share * comparison.control.mean
    everybody = control_total + (1.0 - share) * rest.mean
    metric_share: float | NotEstimable = NotEstimable("the mean of everybody is not positive")
    if everybody > 0.0:
        metric_share = control_total / everybody
    return Dilution(
        trigger_share=share,
        metric_share=metric_share,
        difference=share * comparison.difference,
        absolute=Interval(share * comparison.absolute.low, share * comparison.absolute.high),
        lift=_diluted_lift(comparison, rest, share, everybody),
    )


def _diluted_lift(
    comparison: Comparison, rest: ArmEstimate, share: float, everybody: float
) -> Lift | NotEstimable:
    """Solve (D - theta M)^2 <= q^2 (A + 2 B theta + C theta^2) for theta."""
    if everybody <= 0.0:
        return NotEstimable("the mean of everybody is not positive, so a relative lift is undefined")
    c, t, q2 = comparison.control, comparison.treatment, comparison.critical**2
    difference = share * comparison.difference
    a = share * share * contrast_variance(c, t)
    b = share * share * (contrast_variance(c, t) + c.se2 - t.se2) / 2.0  # b minus the arms' covariance
    var_mean = share * share * c.se2 + (1.0 - share) ** 2 * rest.se2
    leading = everybody * everybody - q2 * var_mean
    if leading <= 0.0:
        return NotEstimable("the mean of everybody is not distinguishable from 0, so the lift is unbounded")
    middle = difference * everybody + q2 * b
    root = math.sqrt(max(0.0, middle * middle - leading * (difference * difference - q2 * a)))
    low, high = (middle - root) / leading, (middle + root) / leading
    if not (math.isfinite(low) and math.isfinite(high)):
        return NotEstimable("the values are too large to compare")
    if comparison.alternative == "greater":
        high = math.inf
    if comparison.alternative == "less":
        low = -math.inf
    return Lift(difference / everybody, Interval(low, high))
