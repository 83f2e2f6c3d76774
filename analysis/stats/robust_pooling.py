"""Critical values of shrunken estimates that hold whatever the distribution of the true effects is."""

import math
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import interpolate, special

from analysis.stats.estimable import check_share

Array = NDArray[np.float64]

LARGEST_CRITICAL = 1e4
"""End of the table; beyond it Chebyshev's sqrt((1 + m2) / alpha) is wider by less than 0.1 %."""


def robust_critical(bias_variance: float, alpha: float = 0.05) -> float:
    """Critical value of an estimate with sd 1 and an unknown random bias b, E b^2 = bias_variance.

    The smallest q with sup over all distributions of b of P(|Z + b| > q) = alpha; the usual z when the bias is
    0. For a shrunken segment effect, weight w = tau^2 / (tau^2 + se^2), bias_variance is se^2 / tau^2 and the
    interval q w se covers 95 % of segments on average, even if the true effects are far from normal.
    No fourth moment is used (kappa infinite in the source), so nothing more has to be estimated; the interval is
    somewhat wider than theirs.  Precision 1e-5.  Raises ValueError for a negative variance or a wrong alpha.
    Source: Armstrong, Kolesar & Plagborg-Moller, Econometrica 2022, equation 5 and lemma 1.
    """
    check_share(alpha, "alpha")
    if not (bias_variance >= 0.0 and math.isfinite(bias_variance)):
        raise ValueError(f"a bias has a finite variance of at least 0, not {bias_variance!r}")
    table = _critical_table(alpha)
    root = math.sqrt(bias_variance)
    if root >= table.knots[-1]:
        return math.sqrt((1.0 + bias_variance) / alpha)
    return table.value_at(root)


@dataclass(frozen=True, slots=True)
class _Table:
    """A piecewise cubic in plain numbers: scipy's own evaluation of one point takes twenty times as long."""

    knots: list[float]
    cubics: list[tuple[float, float, float, float]]

    def value_at(self, x: float) -> float:
        piece = bisect_right(self.knots, x) - 1
        a, b, c, d = self.cubics[piece]
        s = x - self.knots[piece]
        return d + c * s + b * (s * s) + a * (s * s * s)


@lru_cache(maxsize=64)
def _critical_table(alpha: float) -> _Table:
    """Tabulate q against sqrt(m2), by solving for m2 at every q, which needs no search over distributions.

    P(|Z + b| > q) as a function of b^2 is convex, then concave (concave at once for small q); its concave hull
    starts with a straight line from 0 that touches at t0(q). Below t0 the worst bias is 0 or sqrt(t0), above
    it is constant.
    """
    start = -float(special.ndtri(alpha / 2.0))
    q = start - 1.0 + np.geomspace(1.0, LARGEST_CRITICAL - start + 1.0, 1_200)
    at_zero = _outside(0.0 * q, q)
    touch = _steepest(q, at_zero, np.maximum(0.0, q - 4.0), q + 3.0)
    width = (q + 3.0 - np.maximum(0.0, q - 4.0)) / 200.0
    touch = _steepest(q, at_zero, np.maximum(0.0, touch - width), touch + width)
    at_touch = _outside(touch, q)
    on_line = touch * touch * (alpha - at_zero) / (at_touch - at_zero)
    root = np.where(alpha <= at_touch, np.sqrt(np.maximum(on_line, 0.0)), _constant_bias(q, alpha))
    root[0] = 0.0
    curve = interpolate.PchipInterpolator(root, q)
    return _Table(curve.x.tolist(), [(a, b, c, d) for a, b, c, d in curve.c.T.tolist()])


def _steepest(q: Array, at_zero: Array, low: Array, high: Array) -> Array:
    """Where the line from 0 to the curve is steepest, on a grid of 200 between low and high."""
    s = low + np.linspace(0.0, 1.0, 201)[1:, None] * (high - low)
    best: Array = s[np.argmax((_outside(s, q) - at_zero) / (s * s), axis=0), np.arange(len(q))]
    return best


def _outside(bias: Array, q: Array) -> Array:
    probability: Array = special.ndtr(-q - bias) + special.ndtr(bias - q)
    return probability


def _constant_bias(q: Array, alpha: float) -> Array:
    """Bias b with P(|Z + b| > q) = alpha, by bisection."""
    low, high = np.zeros_like(q), q + 10.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        too_small = _outside(middle, q) < alpha
        low, high = np.where(too_small, middle, low), np.where(too_small, high, middle)
    return 0.5 * (low + high)
