"""Estimates of arms whose shares changed with the data: adaptively weighted AIPW, never naive means."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.stats.arms import ArmEstimate
from analysis.stats.estimable import NotEstimable
from analysis.stats.moments import Moments

SHARE_TOLERANCE = 1e-6
MINIMUM_UNITS = 2


@dataclass(frozen=True, slots=True)
class Batch:
    """Units assigned while the shares stood still.

    shares: probability of each arm in this batch, decided from earlier batches only, shape (k,), each above
    0; arms: moments of the metric per arm (column 0), same order; an arm may be empty.
    Raises ValueError when shapes differ, a share is not positive or they do not add up to 1.
    """

    shares: tuple[float, ...]
    arms: tuple[Moments, ...]

    def __post_init__(self) -> None:
        if len(self.shares) != len(self.arms) or len(self.arms) < 2:
            raise ValueError("shares and arms must name the same arms, at least 2")
        if min(self.shares) <= 0.0 or abs(math.fsum(self.shares) - 1.0) > SHARE_TOLERANCE:
            raise ValueError("shares must be positive and add up to 1")

    @property
    def units(self) -> int:
        """All units of the batch."""
        return sum(arm.n for arm in self.arms)


def estimate_adaptive_arms(
    batches: Sequence[Batch], *, prior_mean: float = 0.0
) -> tuple[ArmEstimate | NotEstimable, ...]:
    """Estimate every arm's mean from adaptively collected batches, in the order they were collected.

    Score of a unit for arm w: m + 1{in w} (y - m) / e, e the share and m the arm's mean in *earlier* batches
    (prior_mean before any); its weight is sqrt(e), which keeps the variance of all batches alike. Naive means
    of a bandit are biased and not normal; these have a normal limit as long as the shares have a floor, and about
    half the bias at a few thousand units. Compare the results with compare_arms(reference="normal").
    NotEstimable for an arm with fewer than 2 units.  Raises ValueError without batches, or when they
    disagree on the arms.
    Source: Hadad, Hirshberg, Zhan, Wager & Athey, PNAS 2021, equations 5-9, theorems 2-3.
    """
    if not batches or len({len(batch.shares) for batch in batches}) != 1:
        raise ValueError("batches must be given and name the same arms")
    return tuple(_estimate_arm(batches, arm, prior_mean) for arm in range(len(batches[0].shares)))


def _estimate_arm(batches: Sequence[Batch], arm: int, prior_mean: float) -> ArmEstimate | NotEstimable:
    in_arm = sum(batch.arms[arm].n for batch in batches)
    if in_arm < MINIMUM_UNITS:
        return NotEstimable(f"a variance needs at least 2 units (now {in_arm})")
    models = _earlier_means(batches, arm, prior_mean)
    weight = total = 0.0
    for batch, model in zip(batches, models, strict=True):
        share = batch.shares[arm]
        scores = batch.units * model + batch.arms[arm].shifted_to((model, *_rest(batch, arm))).sums[0] / share
        weight += batch.units * math.sqrt(share)
        total += math.sqrt(share) * scores
    mean = total / weight
    spread = sum(
        batch.shares[arm] * _squared_scores(batch, arm, model, mean)
        for batch, model in zip(batches, models, strict=True)
    )
    se2 = spread / weight**2
    if not (math.isfinite(mean) and math.isfinite(se2)):
        return NotEstimable("the values are too large to add up")
    return ArmEstimate(in_arm, mean, se2, math.inf)


def _earlier_means(batches: Sequence[Batch], arm: int, prior_mean: float) -> list[float]:
    """Mean of the arm over the batches before each one."""
    means, n, total = [], 0, 0.0
    for batch in batches:
        means.append(total / n if n else prior_mean)
        n += batch.arms[arm].n
        total += batch.arms[arm].total()
    return means


def _squared_scores(batch: Batch, arm: int, model: float, mean: float) -> float:
    """Sum over the batch of (score - mean)^2."""
    share, moments = batch.shares[arm], batch.arms[arm]
    gap = model - mean
    centred = moments.shifted_to((model, *_rest(batch, arm)))
    inside = moments.n * gap * gap + 2.0 * gap * centred.sums[0] / share + centred.products[0][0] / share**2
    return (batch.units - moments.n) * gap * gap + inside


def _rest(batch: Batch, arm: int) -> tuple[float, ...]:
    return batch.arms[arm].shift[1:]
