"""Arms and comparisons made in one line."""

import math

import numpy as np
from numpy.typing import NDArray

from analysis.stats.arms import ArmEstimate, estimate_rate
from analysis.stats.compare import Comparison, compare_arms
from analysis.stats.moments import moments_from_sums


def rate_arm(n: int, ones: int) -> ArmEstimate:
    """An arm with `ones` conversions among n units."""
    estimate = estimate_rate(moments_from_sums(n, [float(ones)], [[float(ones)]]))
    assert isinstance(estimate, ArmEstimate)
    return estimate


def mean_arm(n: int, mean: float, sd: float) -> ArmEstimate:
    """An arm with a given mean and standard deviation."""
    return ArmEstimate(n, mean, sd * sd / n, n - 1.0)


def values_arm(values: list[float]) -> ArmEstimate:
    """An arm from raw values, by the textbook formulas (not by Moments)."""
    array = np.asarray(values, dtype=float)
    return ArmEstimate(
        len(array), float(array.mean()), float(array.var(ddof=1)) / len(array), len(array) - 1.0
    )


def compared(control: ArmEstimate, treatment: ArmEstimate, alpha: float = 0.05) -> Comparison:
    """A Welch comparison that must exist."""
    result = compare_arms(control, treatment, alpha=alpha)
    assert isinstance(result, Comparison)
    return result


def binomial_band(trials: int, share: float, z: float = 3.5) -> tuple[float, float]:
    """Bounds that a true share leaves about once in 2,000 simulations."""
    margin = z * math.sqrt(share * (1.0 - share) / trials)
    return share - margin, share + margin


def welch_of_columns(
    control: NDArray[np.float64], treatment: NDArray[np.float64]
) -> list[tuple[ArmEstimate, ArmEstimate]]:
    """Arm estimates of many simulated experiments at once, arrays of shape (runs, n)."""
    pairs = []
    for c, t in zip(_summaries(control), _summaries(treatment), strict=True):
        pairs.append((c, t))
    return pairs


def _summaries(values: NDArray[np.float64]) -> list[ArmEstimate]:
    n = values.shape[1]
    means, variances = values.mean(axis=1).tolist(), (values.var(axis=1, ddof=1) / n).tolist()
    return [ArmEstimate(n, m, v, n - 1.0) for m, v in zip(means, variances, strict=True)]
