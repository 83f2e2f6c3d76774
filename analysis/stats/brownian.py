"""Where a monitored test statistic leaves its boundaries: the recursion behind every group-sequential number."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from analysis.stats.estimable import Alternative

Array = NDArray[np.float64]

REACH = 8.5
"""Standard deviations beyond which nothing of a normal density is left in double precision's digits."""

NODES_PER_STEP = 5.0
SMALLEST_GRID, LARGEST_GRID = 48, 3_000
ROOT_TWO_PI = math.sqrt(2.0 * math.pi)


@dataclass(frozen=True, slots=True)
class Paths:
    """Density of S = Z sqrt(t) among the paths still inside, at one look.

    nodes, mass: quadrature points and their probability (weight x density), shape (m,); at: the fraction t;
    drift: E[Z] = drift sqrt(t).
    """

    nodes: Array
    mass: Array
    at: float
    drift: float

    def beyond(self, fraction: float, z: float) -> float:
        """Probability to be inside until now and to have Z >= z at the next fraction."""
        step = math.sqrt(fraction - self.at)
        reach = (z * math.sqrt(fraction) - self.nodes) / step - self.drift * step
        return float(self.mass @ special.ndtr(-reach))

    def below(self, fraction: float, z: float) -> float:
        """Probability to be inside until now and to have Z <= z at the next fraction."""
        step = math.sqrt(fraction - self.at)
        reach = (z * math.sqrt(fraction) - self.nodes) / step - self.drift * step
        return float(self.mass @ special.ndtr(reach))

    def onward(self, fraction: float, low: float, high: float) -> "Paths":
        """Keep the paths with low < Z < high at the next fraction."""
        root, step = math.sqrt(fraction), math.sqrt(fraction - self.at)
        centre = self.drift * fraction
        left = max(low * root, centre - REACH * root)
        right = min(high * root, centre + REACH * root)
        if left >= right:
            return Paths(np.zeros(1), np.zeros(1), fraction, self.drift)
        count = math.ceil(NODES_PER_STEP * (right - left) / step)
        points, weights = _legendre(min(LARGEST_GRID, max(SMALLEST_GRID, count)))
        nodes = left + (right - left) * (points + 1.0) / 2.0
        z = (nodes[:, None] - self.nodes[None, :]) / step - self.drift * step
        density = np.exp(-0.5 * z * z) @ self.mass / (step * ROOT_TWO_PI)
        return Paths(nodes, weights * density * (right - left) / 2.0, fraction, self.drift)


def start_paths(drift: float = 0.0) -> Paths:
    """Return the process before the first look: S = 0 with certainty."""
    return Paths(np.zeros(1), np.ones(1), 0.0, drift)


@dataclass(frozen=True, slots=True)
class ExitProbabilities:
    """Chance to leave through the upper or the lower boundary at each look, shape (looks,) each."""

    upper: tuple[float, ...]
    lower: tuple[float, ...]

    @property
    def total(self) -> float:
        """Chance to leave at any look."""
        return min(1.0, math.fsum(self.upper) + math.fsum(self.lower))


def exit_probabilities(
    fractions: Sequence[float],
    critical: Sequence[float],
    *,
    drift: float = 0.0,
    alternative: Alternative = "two-sided",
) -> ExitProbabilities:
    """Compute the chance of Z crossing its critical value first at each look.

    fractions: information at the looks over the planned information, rising; critical: the boundary of |Z|
    (of Z, -Z when one-sided), infinite where no decision may fall; drift: E[Z] at fraction 1.
    Raises ValueError when the shapes differ or the fractions do not rise.
    Source: Armitage, McPherson & Rowe, JRSS-A 1969; Jennison & Turnbull 2000, chapter 19.
    """
    check_fractions(fractions)
    if len(critical) != len(fractions):
        raise ValueError("every look needs one critical value")
    paths, upper, lower = start_paths(drift), [], []
    for look, (fraction, bound) in enumerate(zip(fractions, critical, strict=True)):
        low, high = bounds_of(bound, alternative)
        upper.append(paths.beyond(fraction, high) if high < math.inf else 0.0)
        lower.append(paths.below(fraction, low) if low > -math.inf else 0.0)
        if look + 1 < len(fractions):
            paths = paths.onward(fraction, low, high)
    return ExitProbabilities(tuple(upper), tuple(lower))


def bounds_of(critical: float, alternative: Alternative) -> tuple[float, float]:
    """Return the continuation region of Z for one critical value. Raises ValueError for a wrong alternative."""
    if alternative == "two-sided":
        return -critical, critical
    if alternative == "greater":
        return -math.inf, critical
    if alternative == "less":
        return -critical, math.inf
    raise ValueError(f"alternative must be 'two-sided', 'greater' or 'less', not {alternative!r}")


def check_fractions(fractions: Sequence[float]) -> None:
    """Raise ValueError unless there is a look, all fractions are positive and finite, and they rise."""
    if not fractions or not all(math.isfinite(t) for t in fractions):
        raise ValueError("at least one look is needed, at a finite fraction")
    if any(later <= earlier for earlier, later in zip((0.0, *fractions), fractions, strict=False)):
        raise ValueError("information fractions must be positive and rise from look to look")


_GRIDS: dict[int, tuple[Array, Array]] = {}


def _legendre(count: int) -> tuple[Array, Array]:
    """Gauss-Legendre points in steps of 16, so that a handful of grids serves every look."""
    size = 16 * math.ceil(count / 16)
    if size not in _GRIDS:
        points, weights = special.roots_legendre(size)
        _GRIDS[size] = (np.asarray(points, dtype=np.float64), np.asarray(weights, dtype=np.float64))
    return _GRIDS[size]
