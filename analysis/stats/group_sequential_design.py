"""What a group-sequential plan costs and saves: power, inflation factor, expected size."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from scipy import optimize, special

from analysis.stats.brownian import ExitProbabilities, exit_probabilities
from analysis.stats.compare import t_quantile
from analysis.stats.estimable import check_share
from analysis.stats.group_sequential import Boundary


@dataclass(frozen=True, slots=True)
class PlanCharacteristics:
    """A boundary against the fixed-horizon test of the same alpha and power.

    drift: E[Z] at the planned end that gives the power; inflation: planned size over the fixed size;
    expected_under_effect, expected_under_null: expected size over the fixed size; stop_shares: chance to stop
    at each look under the effect, shape (looks,), the last holding all that remains.
    """

    drift: float
    inflation: float
    expected_under_effect: float
    expected_under_null: float
    stop_shares: tuple[float, ...]


def power_at_drift(boundary: Boundary, drift: float) -> float:
    """Chance to cross at any look when E[Z] = drift at the planned end."""
    return _exits(boundary, drift).total


def characterise_plan(boundary: Boundary, power: float) -> PlanCharacteristics:
    """Compute the inflation factor R and the expected sizes of a plan, all relative to the fixed test.

    Fixed sizes x inflation is the planned size; x expected_under_effect the size to expect.
    Raises ValueError for a power outside 0..1 or not above alpha.
    Source: Jennison & Turnbull 2000, sections 2.3-2.4 (R_P, R_B) and 4.3.
    """
    check_share(power, "power")
    if power <= boundary.alpha:
        raise ValueError("the power must be above alpha")
    sign = -1.0 if boundary.alternative == "less" else 1.0
    fixed = _solve_drift(lambda drift: _fixed_power(boundary, drift), power)
    drift = _solve_drift(lambda value: power_at_drift(boundary, sign * value), power)
    ratio = (drift / fixed) ** 2
    under_effect = _stop_shares(_exits(boundary, sign * drift))
    under_null = _stop_shares(_exits(boundary, 0.0))
    inflation = ratio * boundary.fractions[-1]
    return PlanCharacteristics(
        drift=sign * drift,
        inflation=inflation,
        expected_under_effect=ratio * _expected_fraction(boundary, under_effect),
        expected_under_null=ratio * _expected_fraction(boundary, under_null),
        stop_shares=under_effect,
    )


def _exits(boundary: Boundary, drift: float) -> ExitProbabilities:
    return exit_probabilities(
        boundary.fractions, boundary.critical, drift=drift, alternative=boundary.alternative
    )


def _fixed_power(boundary: Boundary, drift: float) -> float:
    two_sided = boundary.alternative == "two-sided"
    critical = t_quantile(math.inf, boundary.alpha / 2.0 if two_sided else boundary.alpha)
    power = float(special.ndtr(drift - critical))
    return power + float(special.ndtr(-drift - critical)) if two_sided else power


def _solve_drift(power_of: Callable[[float], float], power: float) -> float:
    return float(optimize.brentq(lambda drift: power_of(drift) - power, 0.0, 40.0, xtol=1e-10))


def _stop_shares(exits: ExitProbabilities) -> tuple[float, ...]:
    early = [u + low for u, low in zip(exits.upper[:-1], exits.lower[:-1], strict=True)]
    return (*early, max(0.0, 1.0 - math.fsum(early)))


def _expected_fraction(boundary: Boundary, shares: tuple[float, ...]) -> float:
    return math.fsum(t * share for t, share in zip(boundary.fractions, shares, strict=True))
