"""Bayesian view of two rates: exact chance to win and expected loss of beta posteriors."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from analysis.stats.bayes import PEEKING_LABEL
from analysis.stats.estimable import Interval, check_share
from analysis.stats.rate_score import RateCount

Array = NDArray[np.float64]

STEPS_PER_SD = 40
"""The trapezoid rule on the logit scale: its error falls exponentially, 40 steps are beyond double precision."""

SMALLEST_STEPS = 10.0
"""Steps per unit of the logit for beliefs wider than it, whose density still bends around a rate of 1/2."""

LARGEST_GRID = 400_000


@dataclass(frozen=True, slots=True)
class BetaBelief:
    """A rate's distribution Beta(a, b). Raises ValueError unless both are positive."""

    a: float
    b: float

    def __post_init__(self) -> None:
        if not (self.a > 0.0 and self.b > 0.0 and math.isfinite(self.a + self.b)):
            raise ValueError(f"Beta({self.a!r}, {self.b!r}) does not exist")

    @property
    def mean(self) -> float:
        """Expected rate."""
        return self.a / (self.a + self.b)

    def after(self, count: RateCount) -> "BetaBelief":
        """Return the belief after seeing one arm's conversions."""
        return BetaBelief(self.a + count.conversions, self.b + count.n - count.conversions)


UNIFORM = BetaBelief(1.0, 1.0)
JEFFREYS = BetaBelief(0.5, 0.5)


@dataclass(frozen=True, slots=True)
class RatePosterior:
    """Two rates after the data; losses in rate points, as in bayes.Posterior.

    difference: expected treatment minus control rate; interval: of the difference, equal tails.
    """

    control: BetaBelief
    treatment: BetaBelief
    chance_to_win: float
    difference: float
    interval: Interval
    loss_of_treatment: float
    loss_of_control: float
    label: str = PEEKING_LABEL


def compare_rates_bayes(
    control: RateCount, treatment: RateCount, *, prior: BetaBelief = UNIFORM, alpha: float = 0.05
) -> RatePosterior:
    """Compare two rates by their beta posteriors, the same prior in both arms.

    Raises ValueError for a wrong alpha.  Source: Stucchio 2014, sections 4 and 5; Miller 2014.
    """
    check_share(alpha, "alpha")
    c, t = prior.after(control), prior.after(treatment)
    interval = Interval(difference_quantile(c, t, alpha / 2.0), difference_quantile(c, t, 1.0 - alpha / 2.0))
    return RatePosterior(
        control=c,
        treatment=t,
        chance_to_win=chance_to_win(c, t),
        difference=t.mean - c.mean,
        interval=interval,
        loss_of_treatment=expected_excess(t, c),
        loss_of_control=expected_excess(c, t),
    )


def chance_to_win(control: BetaBelief, treatment: BetaBelief) -> float:
    """P(treatment rate > control rate), exact: the integral of one density times the other's distribution.

    Integrated over the narrower of the two, where both factors are smooth.
    """
    if _logit_sd(treatment) <= _logit_sd(control):
        t = _grid(treatment)
        return min(1.0, float(_logit_weights(treatment, t) @ _share_below(control, t)))
    t = _grid(control)
    mirrored = BetaBelief(treatment.b, treatment.a)
    return min(1.0, float(_logit_weights(control, t) @ _share_below(mirrored, -t)))


def expected_excess(chosen: BetaBelief, other: BetaBelief) -> float:
    """E[max(other - chosen, 0)]: what is lost by choosing `chosen` while the other may be better.

    mean_o P(o+ > c) - mean_c P(o > c+), + one more conversion: E[X 1(..)] of a beta variable is its mean times
    a probability under Beta(a + 1, b).  Raises nothing; never negative.  Source: Stucchio 2014, section 5.1.
    """
    more_other, more_chosen = BetaBelief(other.a + 1.0, other.b), BetaBelief(chosen.a + 1.0, chosen.b)
    gained = other.mean * chance_to_win(chosen, more_other)
    return max(0.0, gained - chosen.mean * chance_to_win(more_chosen, other))


def difference_quantile(control: BetaBelief, treatment: BetaBelief, level: float) -> float:
    """Quantile of treatment minus control rate, by bisection on the exact distribution (1e-9)."""
    low, high = -1.0, 1.0
    for _ in range(32):
        middle = 0.5 * (low + high)
        if _below(control, treatment, middle) < level:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


def _below(control: BetaBelief, treatment: BetaBelief, value: float) -> float:
    """P(treatment - control <= value)."""
    if _logit_sd(control) <= _logit_sd(treatment):
        t = _grid(control)
        inside = np.clip(special.expit(t) + value, 0.0, 1.0)
        return float(_logit_weights(control, t) @ special.betainc(treatment.a, treatment.b, inside))
    t = _grid(treatment)
    inside = np.clip(special.expit(t) - value, 0.0, 1.0)
    return float(_logit_weights(treatment, t) @ special.betaincc(control.a, control.b, inside))


def _share_below(belief: BetaBelief, t: Array) -> Array:
    """P(rate < expit(t)); from the other end where expit(t) would round to 1 and hide a heavy tail."""
    share: Array = np.where(t > 0.0, 1.0 - _lower(belief.b, belief.a, -t), _lower(belief.a, belief.b, t))
    return share


def _lower(a: float, b: float, t: Array) -> Array:
    """P(rate < expit(t)) for t <= 0; far out expit(t)^a / (a B(a, b)), before expit(t) underflows."""
    far = np.exp(np.minimum(0.0, a * t - math.log(a) - float(special.betaln(a, b))))
    share: Array = np.where(t < -40.0, far, special.betainc(a, b, special.expit(t)))
    return share


def _logit_sd(belief: BetaBelief) -> float:
    return math.sqrt(float(special.polygamma(1, belief.a) + special.polygamma(1, belief.b)))


def _grid(belief: BetaBelief) -> Array:
    """Equal steps in the logit of the rate, as far as a tail of 1e-19 reaches."""
    sd = _logit_sd(belief)
    centre = float(special.digamma(belief.a) - special.digamma(belief.b))
    low, high = centre - max(12.0 * sd, 45.0 / belief.a), centre + max(12.0 * sd, 45.0 / belief.b)
    count = min(LARGEST_GRID, math.ceil((high - low) * max(STEPS_PER_SD / sd, SMALLEST_STEPS)) + 1)
    points: Array = np.linspace(low, high, count)
    return points


def _logit_weights(belief: BetaBelief, t: Array) -> Array:
    """Density of the logit over an equally spaced grid, scaled to add up to 1.

    The scaling takes the place of the beta function, whose logarithm loses digits for millions of units.
    """
    log_density = belief.a * special.log_expit(t) + belief.b * special.log_expit(-t)
    density = np.exp(log_density - log_density.max())
    weights: Array = density / density.sum()
    return weights
