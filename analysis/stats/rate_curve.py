"""Does a ranking find the units who gain most? Targeting operator curve and rank-weighted average effects."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.stats.compare import t_quantile, tail_probability
from analysis.stats.estimable import Interval, NotEstimable, check_share

Array = NDArray[np.float64]
RateWeighting = Literal["autoc", "qini"]

MINIMUM_UNITS = 10
LARGEST_SCORE = 1e150
ROUNDING = 1e-12
"""Standard error, over the range of the scores, that is only rounding."""


@dataclass(frozen=True, slots=True)
class RateEstimate:
    """Value of a ranking.

    rate: area under the targeting operator curve, > 0 when the ranking finds who gains, 0 when it is no
    better than chance; se: half-sample bootstrap; curve: (share treated, gain of their mean effect over the
    average effect); two-sided p-value of rate = 0.
    """

    weighting: RateWeighting
    rate: float
    se: float
    p_value: float
    interval: Interval
    curve: tuple[tuple[float, float], ...]


def estimate_rate_curve(
    scores: ArrayLike,
    priority: ArrayLike,
    *,
    seed: int,
    weighting: RateWeighting = "autoc",
    alpha: float = 0.05,
    bootstraps: int = 200,
    points: int = 20,
) -> RateEstimate | NotEstimable:
    """Estimate how well `priority` (larger = treat first) ranks units by what they gain.

    TOC(u) = mean score of the top share u - mean score of all; "autoc" integrates it over u, "qini" weighs it
    by u. scores: doubly robust effect scores (policy.score_effects) of units that the ranking was *not* fitted
    on; ties share their mean score.
    Raises ValueError for shapes that differ, or a wrong weighting, alpha or count.
    Source: Yadlowsky, Fleming, Shah, Brunskill & Wager, JASA 2024, definitions 1-2 and section 3.
    """
    check_share(alpha, "alpha")
    if weighting not in ("autoc", "qini"):
        raise ValueError(f"weighting must be 'autoc' or 'qini', not {weighting!r}")
    gains, rank = np.asarray(scores, dtype=np.float64), np.asarray(priority, dtype=np.float64)
    if gains.ndim != 1 or gains.shape != rank.shape or bootstraps < 2 or points < 1:
        raise ValueError("scores and priority need one value per unit; bootstraps >= 2, points >= 1")
    n = len(gains)
    if n < MINIMUM_UNITS:
        return NotEstimable(f"a ranking needs at least {MINIMUM_UNITS} units (now {n})")
    if not bool(np.isfinite(gains).all() and np.isfinite(rank).all()):
        return NotEstimable("scores and priorities must be finite")
    if float(np.abs(gains).max()) > LARGEST_SCORE:
        return NotEstimable("the scores are too large to add up")
    order = np.argsort(-rank, kind="stable")
    gains, rank = gains[order], rank[order]
    rate = _area(gains, rank, weighting)
    rng = np.random.default_rng(seed)
    halves = [np.sort(rng.choice(n, n // 2, replace=False)) for _ in range(bootstraps)]
    se = float(np.std([_area(gains[half], rank[half], weighting) for half in halves], ddof=1))
    if not (math.isfinite(rate) and math.isfinite(se)) or se <= ROUNDING * float(np.ptp(gains)):
        return NotEstimable("the ranking does not tell any units apart, or their scores do not vary")
    reach = t_quantile(math.inf, alpha / 2.0) * se
    p = tail_probability(rate / se, math.inf, "two-sided")
    curve = _curve(gains, rank, points)
    return RateEstimate(weighting, rate, se, p, Interval(rate - reach, rate + reach), curve)


def _operator_curve(gains: Array, rank: Array) -> Array:
    """TOC(i/n) for i = 1..n; rows come with falling priority, ties carry their mean."""
    _, first, counts = np.unique(-rank, return_index=True, return_counts=True)
    shared = np.repeat(np.add.reduceat(gains, first) / counts, counts)
    return np.asarray(np.cumsum(shared) / np.arange(1, len(gains) + 1) - gains.mean(), dtype=np.float64)


def _area(gains: Array, rank: Array, weighting: RateWeighting) -> float:
    toc = _operator_curve(gains, rank)
    if weighting == "autoc":
        return float(toc.mean())
    return float((toc * np.arange(1, len(toc) + 1)).mean() / len(toc))


def _curve(gains: Array, rank: Array, points: int) -> tuple[tuple[float, float], ...]:
    toc, n = _operator_curve(gains, rank), len(gains)
    ends = sorted({max(1, round(n * (i + 1) / points)) for i in range(points)})
    return tuple((end / n, float(toc[end - 1])) for end in ends)
