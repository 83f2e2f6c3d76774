"""Equivalence: shown to differ by less than what matters, which "not significant" never shows."""

import math
from dataclasses import dataclass

from analysis.stats.arms import ArmEstimate, contrast_variance
from analysis.stats.compare import (
    contrast_statistic,
    fieller_interval,
    pair_df,
    t_quantile,
    tail_probability,
    valid_pair,
)
from analysis.stats.estimable import Interval, NotEstimable, check_finite, check_share
from analysis.stats.rate_score import RateCount


@dataclass(frozen=True, slots=True)
class Equivalence:
    """Two one-sided tests: above the lower and below the upper margin.

    low, high: statistics of the estimate against each margin; p_value: the larger of the two one-sided p;
    interval: level 1 - 2 alpha, inside the margins exactly when p_value < alpha.
    """

    low: float
    high: float
    p_value: float
    interval: Interval
    margins: Interval
    alpha: float

    @property
    def is_equivalent(self) -> bool:
        """Whether both margins are excluded."""
        return self.p_value < self.alpha


def check_equivalence(
    estimate: float, se: float, margins: Interval, *, df: float = math.inf, alpha: float = 0.05
) -> Equivalence | NotEstimable:
    """Test that an estimate lies inside the margins (TOST), t or normal.

    Raises ValueError for margins out of order or an alpha outside 0..0.5.
    Source: Schuirmann, Journal of Pharmacokinetics and Biopharmaceutics 1987.
    """
    _check_margins(margins, alpha)
    if not (se > 0.0 and math.isfinite(se) and math.isfinite(estimate)):
        return NotEstimable("the estimate has no standard error")
    low, high = (estimate - margins.low) / se, (estimate - margins.high) / se
    critical = t_quantile(df, alpha)
    return Equivalence(
        low=low,
        high=high,
        p_value=_larger_p(low, high, df),
        interval=Interval(estimate - critical * se, estimate + critical * se),
        margins=margins,
        alpha=alpha,
    )


def check_equivalent_arms(
    control: ArmEstimate | NotEstimable,
    treatment: ArmEstimate | NotEstimable,
    margins: Interval,
    *,
    alpha: float = 0.05,
) -> Equivalence | NotEstimable:
    """Test that the *absolute* difference of two arms lies inside the margins, Welch t.

    Raises ValueError for margins out of order or an alpha outside 0..0.5.
    """
    _check_margins(margins, alpha)
    pair = valid_pair(control, treatment)
    if isinstance(pair, NotEstimable):
        return pair
    se = math.sqrt(contrast_variance(*pair))
    return check_equivalence(pair[1].mean - pair[0].mean, se, margins, df=pair_df(*pair), alpha=alpha)


def check_equivalent_lift(
    control: ArmEstimate | NotEstimable,
    treatment: ArmEstimate | NotEstimable,
    margins: Interval,
    *,
    alpha: float = 0.05,
) -> Equivalence | NotEstimable:
    """Test that the *relative* lift lies inside the margins (-0.02 to 0.02), on m1 - (1 + margin) m0.

    The margin moves with the unknown control mean, and its variance is counted. The interval is Fieller's at
    level 1 - 2 alpha, with the degrees of freedom of the difference.
    Raises ValueError for margins out of order, a margin of -100 % or less, or an alpha outside 0..0.5.
    """
    _check_margins(margins, alpha)
    if margins.low <= -1.0:
        raise ValueError("a relative margin lies above -1")
    pair = valid_pair(control, treatment)
    if isinstance(pair, NotEstimable):
        return pair
    df = pair_df(*pair)
    interval = fieller_interval(*pair, t_quantile(df, alpha))
    if isinstance(interval, NotEstimable):
        return interval
    low, high = contrast_statistic(*pair, margins.low), contrast_statistic(*pair, margins.high)
    if isinstance(low, NotEstimable):
        return low
    if isinstance(high, NotEstimable):
        return high
    return Equivalence(low, high, _larger_p(low, high, df), interval, margins, alpha)


def check_rate_in_range(
    count: RateCount, margins: Interval, *, alpha: float = 0.05
) -> Equivalence | NotEstimable:
    """Test that one rate lies inside a range, z with the Wald variance p (1 - p) / n.

    Source: SAS/STAT, PROC FREQ, "equivalence test for the binomial proportion".
    """
    rate = count.rate
    return check_equivalence(rate, math.sqrt(rate * (1.0 - rate) / count.n), margins, alpha=alpha)


def _check_margins(margins: Interval, alpha: float) -> None:
    check_share(2.0 * alpha, "2 * alpha")
    check_finite(margins.low, "the lower margin")
    check_finite(margins.high, "the upper margin")
    if not margins.low < margins.high:
        raise ValueError("the lower margin must lie below the upper one")


def _larger_p(low: float, high: float, df: float) -> float:
    return max(tail_probability(low, df, "greater"), tail_probability(high, df, "less"))
