"""Do effects differ, do they change sign, and by how much: Cochran, Gail-Simon, random effects."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from analysis.stats.estimable import NotEstimable

BetweenMethod = Literal["paule_mandel", "dersimonian_laird", "reml"]


@dataclass(frozen=True, slots=True)
class Interaction:
    """Cochran's test that all effects are equal; mean and se: the inverse-variance common effect."""

    q: float
    df: int
    p_value: float
    mean: float
    se: float


@dataclass(frozen=True, slots=True)
class SignChange:
    """Gail-Simon test that no two effects have opposite signs; small p: it helps some and harms others."""

    statistic: float
    p_value: float


@dataclass(frozen=True, slots=True)
class RandomEffects:
    """Average effect, its standard error, and the variance tau2 of true effects between segments."""

    mean: float
    se: float
    tau2: float
    q: float


def detect_interaction(effects: Sequence[float], variances: Sequence[float]) -> Interaction | NotEstimable:
    """Test whether independent effects are equal: Q = sum (d - mean)^2 / se^2, chi-squared, df = K - 1.

    Raises ValueError for lengths that differ or a variance that is not positive.  Source: Cochran,
    Biometrics 1954.
    """
    if len(effects) != len(variances) or min(variances, default=1.0) <= 0.0:
        raise ValueError("every effect needs one positive variance")
    if len(effects) < 2:
        return NotEstimable("fewer than 2 segments have an estimate")
    # Plain numbers: called for every segment with two effects, where arrays take most of the time.
    weights = [1.0 / v for v in variances]
    total = sum(weights)
    mean = sum([w * d for w, d in zip(weights, effects, strict=True)]) / total
    q = sum([w * (d - mean) * (d - mean) for w, d in zip(weights, effects, strict=True)])
    df = len(effects) - 1
    return Interaction(float(q), df, float(special.chdtrc(df, q)), float(mean), math.sqrt(1.0 / total))


def detect_sign_change(effects: Sequence[float], variances: Sequence[float]) -> SignChange | NotEstimable:
    """Test for a qualitative interaction: min(Q+, Q-) against a binomial mixture of chi-squared.

    Source: Gail & Simon, Biometrics 1985, section 3 (table 1 has the critical values).
    """
    d, v = _as_arrays(effects, variances)
    k = len(d)
    if k < 2:
        return NotEstimable("fewer than 2 segments have an estimate")
    z2 = d * d / v
    statistic = float(min(z2[d > 0.0].sum(), z2[d < 0.0].sum()))
    if statistic == 0.0:
        return SignChange(0.0, 1.0)
    h = np.arange(1, k)
    p_value = float(special.binom(k - 1, h) * 0.5 ** (k - 1) @ special.chdtrc(h, statistic))
    return SignChange(statistic, min(1.0, p_value))


def fit_random_effects(
    effects: Sequence[float], variances: Sequence[float], method: BetweenMethod = "paule_mandel"
) -> RandomEffects | NotEstimable:
    """Estimate the average effect and the variance between segments.

    Paule-Mandel solves sum w (d - mean)^2 = K - 1 with w = 1/(se^2 + tau^2); DerSimonian-Laird is its first
    step; REML maximises the restricted likelihood of normal effects, the most efficient when there are many.
    Raises ValueError for an unknown method.  Source: Paule & Mandel 1982; DerSimonian & Laird 1986; Kacker
    2004; Viechtbauer, Journal of Educational and Behavioral Statistics 2005 (REML).
    """
    if method not in _BETWEEN:
        raise ValueError(f"unknown method {method!r}")
    d, v = _as_arrays(effects, variances)
    fixed = detect_interaction(effects, variances)
    if isinstance(fixed, NotEstimable):
        return fixed
    tau2 = _BETWEEN[method](d, v)
    weights = 1.0 / (v + tau2)
    mean = float(weights @ d / weights.sum())
    return RandomEffects(mean, math.sqrt(1.0 / float(weights.sum())), tau2, fixed.q)


def _dersimonian_laird(d: NDArray[np.float64], v: NDArray[np.float64]) -> float:
    w = 1.0 / v
    q = float(w @ (d - float(w @ d / w.sum())) ** 2)
    return max(0.0, (q - (len(v) - 1)) / float(w.sum() - (w @ w) / w.sum()))


def _paule_mandel(d: NDArray[np.float64], v: NDArray[np.float64]) -> float:
    """Newton from 0: the equation falls and is convex in tau2, so every step stays left of the root.

    Own code: statsmodels' iteration falls back to 0 when rounding carries it past the root.
    """
    tau2 = 0.0
    for _ in range(100):
        w = 1.0 / (v + tau2)
        squares = (d - float(w @ d / w.sum())) ** 2
        excess = float(w @ squares) - (len(d) - 1)
        step = excess / float(w * w @ squares) if excess > 0.0 else 0.0
        if step <= 1e-15 * tau2:
            break
        tau2 += step
    return tau2


def _reml(d: NDArray[np.float64], v: NDArray[np.float64]) -> float:
    """Maximise the restricted likelihood: the best start of a grid, then a bounded search around it.

    The likelihood of few segments can have a second, flat maximum, so Fisher scoring alone is not safe.
    """
    scale = float(np.median(v)) + float(np.var(d))
    grid = np.concatenate([[0.0], scale * np.logspace(-6.0, 2.0, 81)])
    heights = [_restricted_likelihood(tau2, d, v) for tau2 in grid.tolist()]
    best = int(np.argmax(heights))
    low, high = float(grid[max(0, best - 1)]), float(grid[min(len(grid) - 1, best + 1)])
    found = optimize.minimize_scalar(
        lambda tau2: -_restricted_likelihood(tau2, d, v),
        bounds=(low, high),
        method="bounded",
        options={"xatol": 1e-12 * scale},
    )
    return 0.0 if heights[0] >= -float(found.fun) else float(found.x)


def _restricted_likelihood(tau2: float, d: NDArray[np.float64], v: NDArray[np.float64]) -> float:
    w = 1.0 / (v + tau2)
    total = float(w.sum())
    squares = float(w @ (d - float(w @ d) / total) ** 2)
    return 0.5 * (float(np.log(w).sum()) - math.log(total) - squares)


_BETWEEN: dict[BetweenMethod, Callable[[NDArray[np.float64], NDArray[np.float64]], float]] = {
    "paule_mandel": _paule_mandel,
    "dersimonian_laird": _dersimonian_laird,
    "reml": _reml,
}


def _as_arrays(
    effects: Sequence[float], variances: Sequence[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    d, v = np.asarray(effects, dtype=float), np.asarray(variances, dtype=float)
    if d.shape != v.shape or bool((v <= 0.0).any()):
        raise ValueError("every effect needs one positive variance")
    return d, v
