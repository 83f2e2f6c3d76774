"""How a bandit shares traffic: Thompson and top-two sampling, by quadrature, with a floor per arm."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from analysis.stats.arms import ArmEstimate
from analysis.stats.estimable import Direction, NotEstimable, sign_of

Array = NDArray[np.float64]

NODES = 16
"""Gauss-Legendre nodes per piece; a piece is at most one standard deviation of anybody's belief."""

REACH = 9.0


@dataclass(frozen=True, slots=True)
class RateBelief:
    """Beta(ones, zeros) belief about a rate, prior included.  Raises ValueError unless both are positive."""

    ones: float
    zeros: float

    def __post_init__(self) -> None:
        if not (self.ones > 0.0 and self.zeros > 0.0):
            raise ValueError("a Beta belief needs positive counts")

    @property
    def mean(self) -> float:
        """Expected rate."""
        return self.ones / (self.ones + self.zeros)

    @property
    def sd(self) -> float:
        """Standard deviation."""
        return math.sqrt(self.mean * (1.0 - self.mean) / (self.ones + self.zeros + 1.0))

    def quantile(self, shares: Array) -> Array:
        """Rate below which `shares` of the belief lie."""
        return np.asarray(special.betaincinv(self.ones, self.zeros, shares), dtype=np.float64)

    def below(self, x: Array) -> Array:
        """P(rate <= x)."""
        return np.asarray(special.betainc(self.ones, self.zeros, np.clip(x, 0.0, 1.0)), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class MeanBelief:
    """Normal belief about a mean.  Raises ValueError unless sd is positive."""

    mean: float
    sd: float

    def __post_init__(self) -> None:
        if not (self.sd > 0.0 and math.isfinite(self.mean)):
            raise ValueError("a normal belief needs a finite mean and a positive sd")

    def quantile(self, shares: Array) -> Array:
        """Mean below which `shares` of the belief lie."""
        return np.asarray(self.mean + self.sd * special.ndtri(shares), dtype=np.float64)

    def below(self, x: Array) -> Array:
        """P(mean <= x)."""
        return np.asarray(special.ndtr((x - self.mean) / self.sd), dtype=np.float64)


Belief = RateBelief | MeanBelief


def believe_arm(arm: ArmEstimate | NotEstimable, *, prior_mean: float, prior_sd: float) -> MeanBelief:
    """Update a normal prior with one arm's estimate; the prior alone when there is none.

    The estimate must be free of the bandit's own bias: adaptive_arms.estimate_adaptive_arms.
    Raises ValueError unless prior_sd is positive.
    """
    prior = MeanBelief(prior_mean, prior_sd)
    if isinstance(arm, NotEstimable) or not arm.se2 > 0.0:
        return prior
    precision = 1.0 / prior_sd**2 + 1.0 / arm.se2
    return MeanBelief((prior_mean / prior_sd**2 + arm.mean / arm.se2) / precision, precision**-0.5)


def chance_best(beliefs: Sequence[Belief], direction: Direction = "increase") -> tuple[float, ...]:
    """Probability of each arm being the best one, adding up to 1: integral of f_k prod F_j.

    Raises ValueError without beliefs or for a wrong direction.  Source: Scott 2010, equation 2.
    """
    if not beliefs:
        raise ValueError("a bandit needs at least one arm")
    rising = sign_of(direction) > 0.0
    chances = [_chance_ahead(beliefs, index, rising) for index in range(len(beliefs))]
    total = math.fsum(chances)
    if total <= 0.0:
        return _ahead(beliefs, rising)
    return tuple(chance / total for chance in chances)


def _chance_ahead(beliefs: Sequence[Belief], index: int, rising: bool) -> float:
    """Integrate over the arm's own normal scores, in pieces that are fine where any rival's belief is."""
    own = beliefs[index]
    rivals = [belief for other, belief in enumerate(beliefs) if other != index]
    marks = [np.arange(-REACH, REACH + 1.0)]
    scores = special.ndtr(np.arange(-7.0, 8.0))
    for rival in rivals:
        with np.errstate(divide="ignore"):
            marks.append(np.clip(special.ndtri(own.below(rival.quantile(scores))), -REACH, REACH))
    edges = np.unique(np.concatenate(marks))
    points, weights = special.roots_legendre(NODES)
    half = np.diff(edges)[:, None] / 2.0
    z = ((edges[:-1, None] + half) + half * points).ravel()
    mass = (half * weights).ravel() * np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
    x = own.quantile(np.clip(special.ndtr(z), 1e-300, 1.0 - 1e-16))
    for rival in rivals:
        below = rival.below(x)
        mass = mass * (below if rising else 1.0 - below)
    return float(mass.sum())


def _ahead(beliefs: Sequence[Belief], rising: bool) -> tuple[float, ...]:
    means = [belief.mean if rising else -belief.mean for belief in beliefs]
    leaders = [mean == max(means) for mean in means]
    return tuple(float(lead) / sum(leaders) for lead in leaders)


def share_by_thompson(chances: Sequence[float], *, floor: float) -> tuple[float, ...]:
    """Traffic shares of Thompson sampling with a floor: p = f + (1 - k f) w.

    chances: w from chance_best; floor: f, smallest share of any arm; above 0 inference stays possible.
    Raises ValueError when the floor does not fit k arms, or the chances do not add up to 1.
    Source: Thompson 1933; Russo 2016; floor as in Hadad et al. 2021, section 4.
    """
    _check_shares(chances, floor)
    k = len(chances)
    return tuple(floor + (1.0 - k * floor) * chance for chance in chances)


def share_by_top_two(chances: Sequence[float], *, floor: float, leader: float = 0.5) -> tuple[float, ...]:
    """Traffic shares of top-two Thompson sampling, to *find* the best arm rather than to earn meanwhile.

    The sampled best arm gets the unit with probability `leader`, else one draws again until another arm is
    best: w_k (leader + (1 - leader) sum_{j != k} w_j / (1 - w_j)), then the floor.
    Raises ValueError for a leader share outside 0..1, a floor that does not fit, or wrong chances.
    Source: Russo, COLT 2016, section 3.
    """
    _check_shares(chances, floor)
    if not 0.0 <= leader <= 1.0:
        raise ValueError(f"leader must lie between 0 and 1, not {leader!r}")
    if len(chances) == 1:
        return (1.0,)
    shares = []
    for k, chance in enumerate(chances):
        seconds = [chances[j] * _chance_second(chances, j, k) for j in range(len(chances)) if j != k]
        shares.append(leader * chance + (1.0 - leader) * math.fsum(seconds))
    return share_by_thompson(shares, floor=floor)


def _chance_second(chances: Sequence[float], first: int, k: int) -> float:
    """Chance that arm k is drawn next, given that arm `first` may not be."""
    rest = math.fsum(chance for j, chance in enumerate(chances) if j != first)
    return chances[k] / rest if rest > 0.0 else 1.0 / (len(chances) - 1)


def _check_shares(chances: Sequence[float], floor: float) -> None:
    if not chances or min(chances) < 0.0 or abs(math.fsum(chances) - 1.0) > 1e-6:
        raise ValueError("chances must not be negative and must add up to 1")
    if not 0.0 <= floor <= 1.0 / len(chances):
        raise ValueError(f"the floor of {len(chances)} arms lies between 0 and {1 / len(chances):.4g}")
