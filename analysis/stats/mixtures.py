"""Mixture boundaries for sums watched for ever: normal (the mSPRT) and beta-binomial; rates with exact sequences."""

import math
from dataclasses import dataclass

from scipy import optimize, special

from analysis.stats.always_valid import sequence_critical, sequence_log_evidence, tuning_variance
from analysis.stats.estimable import Interval, NotEstimable, check_share


def msprt_log_ratio(difference: float, variance: float, n: float, tau2: float) -> float:
    """Natural log of the mixture likelihood ratio: sqrt(V / (V + n tau2)) exp(n^2 tau2 d^2 / (2 V (V + n tau2))).

    difference: mean of n observations (pairs) of variance V; tau2: variance of the effects mixed over.
    Equal to the normal-mixture e-value with rho^2 = tau2 / V.  Raises ValueError unless V, n and tau2 are
    positive.  Source: Johari, Koomen, Pekelis & Walsh, Operations Research 2022, equation 7.
    """
    if not (variance > 0.0 and n > 0.0 and tau2 > 0.0):
        raise ValueError("variance, n and tau2 must be positive")
    total = variance + n * tau2
    exponent = n * n * tau2 * difference * difference / (2.0 * variance * total)
    return exponent - 0.5 * math.log(total / variance)


@dataclass(frozen=True, slots=True)
class NormalMixture:
    """Two-sided normal-mixture boundary for a sum S of variance process V, tightest near V = rho x const.

    rho: on the scale of V; 1 / rho is the mixing variance.  Source: Howard et al., Annals of Statistics 2021,
    proposition 5.
    """

    rho: float

    def log_evidence(self, total: float, v: float) -> float:
        """Log e-value of the sum S = total at intrinsic time v."""
        return sequence_log_evidence(total / math.sqrt(v), v, 1.0 / self.rho)

    def bound(self, v: float, alpha: float) -> float:
        """|S| that has probability alpha at most to be reached at any time."""
        return sequence_critical(v, 1.0 / self.rho, alpha) * math.sqrt(v)


def best_normal_mixture(v_opt: float, alpha: float) -> NormalMixture:
    """Return the mixture whose boundary is tightest near intrinsic time v_opt.

    Raises ValueError for v_opt <= 0 or alpha outside 0..1.
    """
    return NormalMixture(1.0 / tuning_variance(v_opt, alpha))


@dataclass(frozen=True, slots=True)
class BetaBinomialMixture:
    """Two-sided mixture boundary for sums of centred values between -g and h (a 0/1 value minus its mean).

    strength: a + b of the mixing Beta distribution, whose mean is g / (g + h).
    Raises ValueError unless g, h and strength are positive.
    Source: Howard et al. 2021, proposition 7; Robbins 1970.
    """

    g: float
    h: float
    strength: float

    def __post_init__(self) -> None:
        if not (self.g > 0.0 and self.h > 0.0 and self.strength > 0.0):
            raise ValueError("g, h and strength must be positive")

    @property
    def null_rate(self) -> float:
        """Chance of the upper value h when the mean is 0."""
        return self.g / (self.g + self.h)

    def log_evidence(self, total: float, v: float) -> float:
        """Log e-value of S = total at v = g h n; -v/h <= S <= v/g."""
        width = self.g + self.h
        upper = max(0.0, (v / self.h + total) / width)
        lower = max(0.0, (v / self.g - total) / width)
        return beta_log_evidence(upper, lower, self.null_rate, self.strength)

    def bound(self, v: float, alpha: float) -> float:
        """S that has probability alpha at most to be reached at any time (v / g when none can be)."""
        check_share(alpha, "alpha")
        highest, wanted = v / self.g, -math.log(alpha)
        if self.log_evidence(highest, v) <= wanted:
            return highest
        return float(
            optimize.brentq(lambda s: self.log_evidence(s, v) - wanted, 0.0, highest, xtol=1e-12, rtol=1e-12)
        )


def best_beta_binomial_mixture(v_opt: float, alpha: float, g: float, h: float) -> BetaBinomialMixture:
    """Return the mixture tightest near intrinsic time v_opt, by the precision of the best normal mixture."""
    rho = best_normal_mixture(v_opt, alpha).rho
    strength = max(rho - g * h, 1e-3 * g * h) / (g * h)
    return BetaBinomialMixture(g, h, strength)


def beta_log_evidence(ones: float, zeros: float, null_rate: float, strength: float) -> float:
    """Log of the Beta(strength p, strength (1 - p)) mixture against the rate p, after so many ones and zeros."""
    a, b = strength * null_rate, strength * (1.0 - null_rate)
    mixed = float(special.betaln(a + ones, b + zeros) - special.betaln(a, b))
    return mixed - float(special.xlogy(ones, null_rate) + special.xlog1py(zeros, -null_rate))


def rate_sequence(
    ones: int, n: int, *, alpha: float = 0.05, tightest_at: float = 100.0
) -> Interval | NotEstimable:
    """Confidence sequence of one rate, exact for any n and at all looks together: {p: e-value(p) < 1/alpha}.

    tightest_at: number of units near which it is narrowest, from the plan.
    Raises ValueError for counts that are impossible, or a wrong alpha or tightest_at.
    Source: Howard et al. 2021, section 4.2 (beta-binomial mixture per candidate rate).
    """
    check_share(alpha, "alpha")
    if not 0 <= ones <= n or not tightest_at > 0.0:
        raise ValueError("ones must lie between 0 and n, and tightest_at must be positive")
    if n == 0:
        return NotEstimable("there are no units")
    strength = max(tightest_at / tuning_variance(1.0, alpha) - 1.0, 1e-3)
    wanted = -math.log(alpha)

    def excess(rate: float) -> float:
        return beta_log_evidence(ones, n - ones, rate, strength) - wanted

    edge = 1e-12
    observed = min(1.0 - edge, max(edge, ones / n))
    low, high = 0.0, 1.0
    if excess(edge) > 0.0:
        low = float(optimize.brentq(excess, edge, observed, xtol=1e-12))
    if excess(1.0 - edge) > 0.0:
        high = float(optimize.brentq(excess, observed, 1.0 - edge, xtol=1e-12))
    return Interval(low, high)
