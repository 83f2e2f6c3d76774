"""Error spending: how much of alpha may have been used when a share of the planned information is in."""

import math
from typing import Literal

from scipy import special

from analysis.stats.estimable import Alternative, check_share

Spending = Literal["obrien_fleming", "pocock", "kim_demets"]
"""Lan-DeMets spending of the O'Brien-Fleming and Pocock type, or the Kim-DeMets power family."""


def spent_alpha(
    fraction: float,
    alpha: float,
    *,
    spending: Spending = "obrien_fleming",
    power: float = 1.0,
    alternative: Alternative = "two-sided",
) -> float:
    """Return the cumulative alpha that may be spent at `fraction` of the planned information.

    O'Brien-Fleming type: 4 (1 - Phi(z_{alpha/4} / sqrt t)) two-sided, 2 (1 - Phi(z_{alpha/2} / sqrt t))
    one-sided; Pocock type: alpha ln(1 + (e - 1) t); Kim-DeMets: alpha t^power. From fraction 1 on all of it.
    fraction: t > 0; power: rho of Kim-DeMets, positive.  Raises ValueError for a wrong argument.
    Source: Lan & DeMets, Biometrika 1983; Kim & DeMets, Biometrika 1987.
    """
    check_share(alpha, "alpha")
    if not fraction > 0.0:
        raise ValueError(f"an information fraction must be positive, not {fraction!r}")
    if spending == "kim_demets" and not power > 0.0:
        raise ValueError(f"the power of Kim-DeMets spending must be positive, not {power!r}")
    t = min(1.0, fraction)
    if spending == "obrien_fleming":
        sides = 2.0 if alternative == "two-sided" else 1.0
        return 2.0 * sides * float(special.ndtr(special.ndtri(alpha / (2.0 * sides)) / math.sqrt(t)))
    if spending == "pocock":
        return alpha * math.log1p((math.e - 1.0) * t)
    if spending == "kim_demets":
        return float(alpha * t**power)
    raise ValueError(f"unknown spending function {spending!r}")
