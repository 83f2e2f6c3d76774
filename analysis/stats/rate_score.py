"""Score statistics of two rates: the most likely rates under a given difference or ratio, and what they imply."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from scipy import optimize

from analysis.stats.estimable import Interval

RateScale = Literal["difference", "ratio"]


@dataclass(frozen=True, slots=True)
class RateCount:
    """Conversions among n units of one arm. Raises ValueError unless 0 <= conversions <= n and n >= 1."""

    conversions: int
    n: int

    def __post_init__(self) -> None:
        if not 0 <= self.conversions <= self.n or self.n < 1:
            raise ValueError(f"{self.conversions} of {self.n} is not a rate")

    @property
    def rate(self) -> float:
        """Observed share of conversions."""
        return self.conversions / self.n


def restricted_rates(
    p0: float, n0: float, p1: float, n1: float, *, scale: RateScale, value: float
) -> tuple[float, float]:
    """Return the most likely (control, treatment) rates when p1 - p0 (or p1 / p0) is exactly `value`.

    The cubic of the difference in closed form, the quadratic of the ratio. p0, p1: observed or assumed rates.
    Source: Miettinen & Nurminen, Statistics in Medicine 1985, appendix; Farrington & Manning 1990, appendix.
    """
    if scale == "ratio":
        return _restricted_by_ratio(p0, n0, p1, n1, value)
    theta = n0 / n1
    a = 1.0 + theta
    b = -(1.0 + theta + p1 + theta * p0 + value * (theta + 2.0))
    c = value * value + value * (2.0 * p1 + theta + 1.0) + p1 + theta * p0
    d = -p1 * value * (1.0 + value)
    v = b**3 / (3.0 * a) ** 3 - b * c / (6.0 * a * a) + d / (2.0 * a)
    u = math.copysign(math.sqrt(max(0.0, b * b / (3.0 * a) ** 2 - c / (3.0 * a))), v)
    w = (math.pi + math.acos(max(-1.0, min(1.0, v / u**3 if u != 0.0 else 0.0)))) / 3.0
    rate1 = 2.0 * u * math.cos(w) - b / (3.0 * a)
    rate1 = min(1.0, 1.0 + value, max(0.0, value, rate1))
    return min(1.0, max(0.0, rate1 - value)), rate1


def _restricted_by_ratio(p0: float, n0: float, p1: float, n1: float, ratio: float) -> tuple[float, float]:
    if ratio <= 0.0:
        return (n0 * p0 / (n0 + n1 - n1 * p1) if n0 + n1 > n1 * p1 else 0.0), 0.0
    a = (n0 + n1) * ratio
    b = -(n1 * ratio + n1 * p1 + n0 + n0 * p0 * ratio)
    c = n1 * p1 + n0 * p0
    root = math.sqrt(max(0.0, b * b - 4.0 * a * c))
    rate0 = 2.0 * c / (-b + root)  # the smaller root, without cancellation
    rate0 = min(1.0, 1.0 / ratio, max(0.0, rate0))
    return rate0, min(1.0, rate0 * ratio)


def score_statistic(control: RateCount, treatment: RateCount, *, scale: RateScale, value: float) -> float:
    """z of "p1 - p0 (or p1 / p0) is `value`", variance from the restricted rates times N / (N - 1).

    Infinite when the restricted rates leave no variance and the data contradict the value; 0 when they agree.
    Source: Miettinen & Nurminen, Statistics in Medicine 1985, equations 6 to 10.
    """
    n0, n1 = float(control.n), float(treatment.n)
    rate0, rate1 = restricted_rates(control.rate, n0, treatment.rate, n1, scale=scale, value=value)
    if scale == "difference":
        gap, factor = treatment.rate - control.rate - value, 1.0
    else:
        gap, factor = treatment.rate - value * control.rate, value * value
    variance = rate1 * (1.0 - rate1) / n1 + factor * rate0 * (1.0 - rate0) / n0
    variance *= (n0 + n1) / (n0 + n1 - 1.0)
    if variance <= 1e-300:
        return 0.0 if abs(gap) < 1e-12 else math.copysign(math.inf, gap)
    return gap / math.sqrt(variance)


def score_interval(
    control: RateCount, treatment: RateCount, critical: float, *, scale: RateScale = "difference"
) -> Interval:
    """Return all differences (or ratios) whose score statistic stays within the critical value.

    A ratio without conversions in control has no upper bound (infinity).
    Source: Miettinen & Nurminen 1985; Koopman, Biometrics 1984.
    """

    def statistic(value: float) -> float:
        return max(-1e6, min(1e6, score_statistic(control, treatment, scale=scale, value=value)))

    if scale == "difference":
        centre = treatment.rate - control.rate
        return Interval(
            _solve(lambda v: statistic(v) - critical, -1.0 + 1e-12, centre, at_low=-1.0),
            _solve(lambda v: statistic(v) + critical, centre, 1.0 - 1e-12, at_high=1.0),
        )
    return _ratio_interval(control, treatment, critical, statistic)


def _ratio_interval(
    control: RateCount, treatment: RateCount, critical: float, statistic: Callable[[float], float]
) -> Interval:
    """Search on the logarithm, since a ratio runs from 0 to infinity."""
    floor, ceiling = -50.0, 50.0
    if control.conversions and treatment.conversions:
        centre = math.log(treatment.rate / control.rate)
    else:
        centre = floor if control.conversions else ceiling
    low, high = 0.0, math.inf
    if treatment.conversions:
        low = math.exp(_solve(lambda v: statistic(math.exp(v)) - critical, floor, centre, at_low=floor))
    if control.conversions:
        high = math.exp(_solve(lambda v: statistic(math.exp(v)) + critical, centre, ceiling, at_high=ceiling))
    return Interval(low, high)


def _solve(
    function: Callable[[float], float],
    low: float,
    high: float,
    *,
    at_low: float | None = None,
    at_high: float | None = None,
) -> float:
    """Root of a falling function; the given end when it does not change sign."""
    if low >= high or function(low) <= 0.0:
        return low if at_low is None else at_low
    if function(high) >= 0.0:
        return high if at_high is None else at_high
    return float(optimize.brentq(function, low, high, xtol=1e-13, rtol=1e-13))
