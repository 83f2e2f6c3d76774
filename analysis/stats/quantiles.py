"""Quantile effects ("how slow is the slowest tenth"), also where one unit has many values."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from analysis.stats.arms import ArmEstimate, estimate_ratio
from analysis.stats.estimable import NotEstimable, check_share
from analysis.stats.moments import Moments, moments_from_values

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class QuantileBounds:
    """What the database has to return for one arm: the quantile and the values at its two rank bounds.

    values: how many values; quantile: nu, 0..1; at: x at rank n nu; low, high: x at the rank bounds of `alpha`;
    step: distance between the distinct values next to the quantile, 0 when values are continuous.
    """

    values: int
    quantile: float
    at: float
    low: float
    high: float
    alpha: float = 0.05
    step: float = 0.0

    def __post_init__(self) -> None:
        check_share(self.quantile, "quantile")
        check_share(self.alpha, "alpha")
        if self.values < 0 or self.step < 0.0 or not self.low <= self.at <= self.high:
            raise ValueError("bounds must enclose the quantile; counts and steps are not negative")


def rank_bounds(values: int, quantile: float, alpha: float = 0.05) -> tuple[float, float] | NotEstimable:
    """Shares (0..1) of the ranks n nu -+ z sqrt(n nu (1 - nu)), to be asked from percentile_cont.

    Source: Deng, Knoblich & Lu, KDD 2018, section 4.
    """
    check_share(quantile, "quantile")
    check_share(alpha, "alpha")
    if values < 2:
        return NotEstimable("a quantile needs at least 2 values")
    margin = -float(special.ndtri(alpha / 2.0)) * math.sqrt(quantile * (1.0 - quantile) / values)
    low, high = quantile - margin, quantile + margin
    if low * values < 1.0 or (1.0 - high) * values < 1.0:
        return NotEstimable(f"{values} values are too few for a quantile at {quantile:g}")
    return low, high


def estimate_quantile(
    bounds: QuantileBounds, *, units: int, inflation: float = 1.0
) -> ArmEstimate | NotEstimable:
    """Estimate one arm's quantile: se = (x_U - x_L) / 2z, times the root of the cluster inflation.

    se^2 is multiplied by (n - 1) / n, as published implementations do.
    The variance has a floor that scales with the values: data told in steps (whole seconds, cents, zeros)
    ties at the quantile, and a step hides step^2 / 12. Compare with reference="normal".
    units: randomised units; inflation: cluster_inflation(...).  Raises ValueError for an inflation <= 0.
    Source: Deng, Knoblich & Lu, KDD 2018, section 4; Sheppard 1898 for step^2 / 12.
    """
    if not inflation > 0.0:
        raise ValueError(f"inflation must be positive, not {inflation!r}")
    usable = rank_bounds(bounds.values, bounds.quantile, bounds.alpha)
    if isinstance(usable, NotEstimable):
        return usable
    z = -float(special.ndtri(bounds.alpha / 2.0))
    se = (bounds.high - bounds.low) / (2.0 * z)
    independent = se * se * (bounds.values - 1.0) / bounds.values
    variance = max(independent * inflation, bounds.step * bounds.step / 12.0)
    if not math.isfinite(variance) or not math.isfinite(bounds.at):
        return NotEstimable("the values are too large to compare")
    if variance <= 0.0:
        return NotEstimable("the values around the quantile are all the same")
    return ArmEstimate(units, bounds.at, variance, max(1.0, units - 1.0))


def cluster_inflation(moments: Moments, quantile: float) -> float | NotEstimable:
    """How many times larger the variance is because values of one unit go together.

    moments: of two columns per *unit*: how many of its values are at most the quantile, and how many values it
    has. Ratio-of-totals variance of the share below, over nu (1 - nu) / values; at least the effect of
    independent values would be 1, below 1 when every unit has its own fixed number above and below.
    Source: Deng, Knoblich & Lu, KDD 2018, section 4.3.
    """
    check_share(quantile, "quantile")
    share = estimate_ratio(moments)
    if isinstance(share, NotEstimable):
        return share
    independent = quantile * (1.0 - quantile) / moments.total(1)
    inflation = share.se2 / independent
    return inflation if inflation > 0.0 else NotEstimable("every unit has the same share below the quantile")


def estimate_quantile_of_values(
    values: Array, quantile: float, *, units: NDArray[np.int64] | None = None, alpha: float = 0.05
) -> ArmEstimate | NotEstimable:
    """Estimate one arm's quantile from raw values, shape (n,).

    units: index of the randomised unit of each value; without it every value is a unit of its own.
    Raises ValueError for shapes that differ or values that are not finite.
    """
    x = np.sort(np.asarray(values, dtype=float))
    if x.ndim != 1 or not np.isfinite(x).all() or (units is not None and units.shape != x.shape):
        raise ValueError("values (n,) must be finite, with one unit each")
    shares = rank_bounds(len(x), quantile, alpha)
    if isinstance(shares, NotEstimable):
        return shares
    low, at, high = (float(v) for v in np.quantile(x, [shares[0], quantile, shares[1]]))
    bounds = QuantileBounds(len(x), quantile, at, min(low, at), max(high, at), alpha, _step_at(x, at))
    if units is None:
        return estimate_quantile(bounds, units=len(x))
    _, index = np.unique(units, return_inverse=True)
    below = np.bincount(index, weights=(np.asarray(values, dtype=float) <= at).astype(float))
    inflation = cluster_inflation(moments_from_values(np.column_stack([below, np.bincount(index)])), quantile)
    if isinstance(inflation, NotEstimable):
        return inflation
    return estimate_quantile(bounds, units=len(below), inflation=inflation)


def _step_at(x: Array, at: float) -> float:
    """Half the distance between the distinct neighbours of a tie at the quantile; 0 when nothing ties."""
    first, last = int(np.searchsorted(x, at, "left")), int(np.searchsorted(x, at, "right"))
    if last - first < 2:
        return 0.0
    gaps = ([at - float(x[first - 1])] if first > 0 else []) + (
        [float(x[last]) - at] if last < len(x) else []
    )
    return sum(gaps) / len(gaps) if gaps else 0.0
