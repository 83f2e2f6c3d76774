"""Novelty and primacy: does the effect fade or grow with the days since a unit's first exposure?"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from analysis.stats.arms import ArmEstimate
from analysis.stats.compare import Comparison, compare_arms
from analysis.stats.estimable import NotEstimable, check_share
from analysis.stats.moments import Moments

Trend = Literal["fading", "growing", "steady"]


@dataclass(frozen=True, slots=True)
class AgeEffects:
    """Effect by days since first exposure in one fixed cohort.

    by_day: comparison on each day; slope: comparison of the units' own slopes per day (its difference is the
    change of the effect per day); early, late: effect in the first and second half of the days;
    trend: "fading" (novelty) when the slope is credible and the early effect is larger in size than the late
    one, "growing" (primacy) when it is smaller, else "steady".
    """

    by_day: tuple[Comparison | NotEstimable, ...]
    slope: Comparison | NotEstimable
    early: Comparison | NotEstimable
    late: Comparison | NotEstimable
    trend: Trend | NotEstimable


def detect_age_trend(
    control: Moments, treatment: Moments, *, days: Sequence[float] | None = None, alpha: float = 0.05
) -> AgeEffects | NotEstimable:
    """Test whether the effect changes with the days since first exposure.

    control, treatment: moments of one column per day since exposure, over units *exposed long enough to have
    all these days* (a fixed cohort: otherwise old and new units are compared with each other). Days of one unit
    are correlated, so the test is of the units' least-squares slopes, a linear contrast of the columns.
    days: the columns' days, 0, 1, 2... by default.  Raises ValueError for shapes that do not fit, days that are
    all the same, or a wrong alpha.
    Source: Kohavi, Tang & Xu 2020, section 3.5; Deng, Lu & Litz, WSDM 2017 (within-unit contrast).
    """
    check_share(alpha, "alpha")
    if control.columns != treatment.columns or control.columns < 2:
        raise ValueError("control and treatment must describe the same days, at least 2")
    x = np.arange(control.columns, dtype=np.float64) if days is None else np.asarray(days, dtype=np.float64)
    if x.shape != (control.columns,) or float(np.ptp(x)) == 0.0:
        raise ValueError("every column needs its day, and the days must differ")
    if min(control.n, treatment.n) < 2:
        return NotEstimable("fewer than 2 units in an arm have all these days")
    centred = x - x.mean()
    first = x < x.mean()
    slope = _contrast(control, treatment, centred / float(centred @ centred), alpha)
    early = _contrast(control, treatment, first / first.sum(), alpha)
    late = _contrast(control, treatment, ~first / (~first).sum(), alpha)
    by_day = [_contrast(control, treatment, row, alpha) for row in np.eye(control.columns)]
    return AgeEffects(tuple(by_day), slope, early, late, _judge(slope, early, late))


def _judge(
    slope: Comparison | NotEstimable, early: Comparison | NotEstimable, late: Comparison | NotEstimable
) -> Trend | NotEstimable:
    if isinstance(slope, NotEstimable):
        return slope
    if isinstance(early, NotEstimable) or isinstance(late, NotEstimable) or slope.p_value > slope.alpha:
        return "steady"
    return "fading" if abs(early.difference) > abs(late.difference) else "growing"


def _contrast(
    control: Moments, treatment: Moments, weights: NDArray[np.float64], alpha: float
) -> Comparison | NotEstimable:
    return compare_arms(_combined(control, weights), _combined(treatment, weights), alpha=alpha)


def _combined(moments: Moments, weights: NDArray[np.float64]) -> ArmEstimate | NotEstimable:
    """Mean of the units' weighted sum over days: w'm, with variance w'Cw / n."""
    n = moments.n
    if n < 2:
        return NotEstimable("a variance needs at least 2 units")
    sums = np.asarray(moments.sums)
    with np.errstate(over="ignore", invalid="ignore"):  # the answer then says "too large"
        table = np.asarray(moments.products) - np.outer(sums, sums) / n
        mean = float(weights @ (np.asarray(moments.shift) + sums / n))
        spread = float(weights @ table @ weights)
    variance = spread / (n - 1) if not spread <= 0.0 else 0.0
    if not (math.isfinite(mean) and math.isfinite(variance)):
        return NotEstimable("the values are too large to add up")
    return ArmEstimate(n, mean, variance / n, n - 1.0)
