"""Rates over strata: is there an effect once the mix of segments is taken out (Cochran-Mantel-Haenszel)?"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import special

from analysis.stats.estimable import Interval, NotEstimable, check_share
from analysis.stats.rate_score import RateCount

Stratum = tuple[RateCount, RateCount]
"""Control and treatment within one stratum."""


@dataclass(frozen=True, slots=True)
class MantelHaenszel:
    """The test, and the common effect on three scales with the weights n0 n1 / N of each stratum.

    difference: risk difference with its interval (Sato's variance); risk_ratio, odds_ratio: NotEstimable when
    a side has no conversions at all.
    """

    chi2: float
    p_value: float
    difference: float
    interval: Interval
    risk_ratio: float | NotEstimable
    odds_ratio: float | NotEstimable


def combine_strata(strata: Sequence[Stratum], *, alpha: float = 0.05) -> MantelHaenszel | NotEstimable:
    """Combine 2x2 tables over strata, without continuity correction.

    Comparing `difference` with the crude difference is the Simpson check: a sign that turns means that the mix
    of strata, not the treatment, made the crude effect. Strata with one arm only carry no information.
    Raises ValueError for no stratum or a wrong alpha.
    Source: Cochran 1954; Mantel & Haenszel 1959; Greenland & Robins 1985; Sato 1989 (variance).
    """
    check_share(alpha, "alpha")
    if not strata:
        raise ValueError("there are no strata to combine")
    gap = variance = weights = weighted = above = below = concordant = discordant = 0.0
    for control, treatment in strata:
        n0, n1, n = control.n, treatment.n, control.n + treatment.n
        x0, x1 = control.conversions, treatment.conversions
        ones = x0 + x1
        gap += x1 - ones * n1 / n
        variance += n0 * n1 * ones * (n - ones) / (n * n * (n - 1.0)) if n > 1 else 0.0
        weights += n0 * n1 / n
        weighted += (x1 * n0 - x0 * n1) / n
        above, below = above + x1 * n0 / n, below + x0 * n1 / n
        concordant, discordant = concordant + x1 * (n0 - x0) / n, discordant + x0 * (n1 - x1) / n
    if variance <= 0.0:
        return NotEstimable("no stratum has both arms with values that vary")
    chi2 = gap * gap / variance
    difference = weighted / weights
    se = math.sqrt(_difference_variance(strata, difference, weights))
    margin = -float(special.ndtri(alpha / 2.0)) * se
    return MantelHaenszel(
        chi2=chi2,
        p_value=float(special.chdtrc(1.0, chi2)),
        difference=difference,
        interval=Interval(difference - margin, difference + margin),
        risk_ratio=above / below if below > 0.0 else NotEstimable("control has no conversions"),
        odds_ratio=concordant / discordant if discordant > 0.0 else NotEstimable("the odds are infinite"),
    )


def _difference_variance(strata: Sequence[Stratum], difference: float, weights: float) -> float:
    """Variance of the common risk difference, (d sum P + sum Q) / W^2.  Source: Sato 1989, Biometrics."""
    p = q = 0.0
    for control, treatment in strata:
        n0, n1, n = control.n, treatment.n, control.n + treatment.n
        x0, x1 = control.conversions, treatment.conversions
        p += (n1 * n1 * x0 - n0 * n0 * x1 + n1 * n0 * (n0 - n1) / 2.0) / (n * n)
        q += (x1 * (n0 - x0) + x0 * (n1 - x1)) / (2.0 * n)
    return max(0.0, difference * p + q) / (weights * weights)
