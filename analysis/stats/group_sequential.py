"""Group-sequential boundaries: a few looks, each with its critical value, alpha kept over all of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from scipy import optimize

from analysis.stats.brownian import Paths, bounds_of, check_fractions, exit_probabilities, start_paths
from analysis.stats.compare import t_quantile
from analysis.stats.estimable import Alternative, check_share
from analysis.stats.spending import Spending, spent_alpha

LEAST_SPENT = 1e-13
"""An increment of alpha below this is no decision at all: the critical value is infinite."""

LARGEST_CRITICAL = 38.0


@dataclass(frozen=True, slots=True)
class Boundary:
    """Critical values of a monitored comparison.

    fractions: information at each look over the planned information; critical: of |Z| (of Z or -Z when
    one-sided), infinite where alpha has no room yet; alpha, alternative: of the whole test.
    """

    fractions: tuple[float, ...]
    critical: tuple[float, ...]
    alpha: float
    alternative: Alternative


def equal_looks(count: int) -> tuple[float, ...]:
    """Return the information fractions of equally spaced looks. Raises ValueError below 1 look."""
    if count < 1:
        raise ValueError(f"a plan has at least one look, not {count}")
    return tuple((look + 1) / count for look in range(count))


def spend_boundary(
    fractions: Sequence[float],
    alpha: float,
    *,
    spending: Spending = "obrien_fleming",
    power: float = 1.0,
    alternative: Alternative = "two-sided",
    is_final: bool = False,
) -> Boundary:
    """Find the critical values that spend alpha at the looks *as they happened*, planned or not.

    fractions: n_k / N*; a look beyond 1 (overrun) spends what is left. Look times may not depend on the
    results seen. is_final: the last look ends the test, so it spends everything although less than the
    planned information came in.
    Raises ValueError when the fractions do not rise, or for a wrong alpha or spending function.
    Source: Lan & DeMets 1983; Jennison & Turnbull 2000, chapter 7.
    """
    check_share(alpha, "alpha")
    check_fractions(fractions)
    bounds_of(0.0, alternative)
    times = tuple(float(t) for t in fractions)
    critical = _spend(times, alpha, spending, power, alternative, is_final)
    return Boundary(times, critical, alpha, alternative)


@lru_cache(maxsize=512)
def _spend(
    fractions: tuple[float, ...],
    alpha: float,
    spending: Spending,
    power: float,
    alternative: Alternative,
    is_final: bool,
) -> tuple[float, ...]:
    sides = 2.0 if alternative == "two-sided" else 1.0
    side: Alternative = "two-sided" if alternative == "two-sided" else "greater"
    paths, used, critical = start_paths(), 0.0, []
    for look, fraction in enumerate(fractions):
        ends_here = is_final and look + 1 == len(fractions)
        budget = spent_alpha(fraction, alpha, spending=spending, power=power, alternative=alternative)
        budget = alpha if ends_here else budget
        tail = max(0.0, budget - used) / sides
        bound = math.inf
        if tail >= LEAST_SPENT:
            bound = _bound_with_tail(paths, fraction, tail)
            used = budget
        critical.append(bound)
        if look + 1 < len(fractions):
            paths = paths.onward(fraction, *bounds_of(bound, side))
    return tuple(critical)


def _bound_with_tail(paths: Paths, fraction: float, tail: float) -> float:
    """Find z with P(inside until now, Z >= z) = tail; the logarithm keeps small tails as exact as large ones."""

    def excess(z: float) -> float:
        found = paths.beyond(fraction, z)
        return math.log(found / tail) if found > 0.0 else -1e3

    if excess(LARGEST_CRITICAL) >= 0.0 or excess(-LARGEST_CRITICAL) <= 0.0:
        return LARGEST_CRITICAL if excess(LARGEST_CRITICAL) >= 0.0 else -LARGEST_CRITICAL
    return float(optimize.brentq(excess, -LARGEST_CRITICAL, LARGEST_CRITICAL, xtol=1e-12, rtol=1e-12))


def shape_boundary(
    fractions: Sequence[float], alpha: float, *, shape: float, alternative: Alternative = "two-sided"
) -> Boundary:
    """Find the exact boundary C t^(shape - 1/2): shape 0 is O'Brien-Fleming's, 1/2 is Pocock's constant.

    Raises ValueError when the fractions do not rise, or for a wrong alpha or alternative.
    Source: Wang & Tsiatis, Biometrics 1987; O'Brien & Fleming 1979; Pocock 1977.
    """
    check_share(alpha, "alpha")
    check_fractions(fractions)
    times = tuple(float(t) for t in fractions)
    pattern = [(t / times[-1]) ** (shape - 0.5) for t in times]

    def excess(constant: float) -> float:
        bounds = [constant * factor for factor in pattern]
        return exit_probabilities(times, bounds, alternative=alternative).total - alpha

    sides = 2.0 if alternative == "two-sided" else 1.0
    lowest = t_quantile(math.inf, alpha / sides)
    highest = max(lowest, t_quantile(math.inf, alpha / sides / len(times))) / min(1.0, *pattern)
    constant = lowest
    if len(times) > 1:
        constant = float(optimize.brentq(excess, min(lowest, 0.0), highest + 1e-9, xtol=1e-12))
    return Boundary(times, tuple(constant * factor for factor in pattern), alpha, alternative)


def obrien_fleming_boundary(looks: int, alpha: float, alternative: Alternative = "two-sided") -> Boundary:
    """Return O'Brien and Fleming's exact critical values at equally spaced looks."""
    return shape_boundary(equal_looks(looks), alpha, shape=0.0, alternative=alternative)


def pocock_boundary(looks: int, alpha: float, alternative: Alternative = "two-sided") -> Boundary:
    """Return Pocock's exact constant critical value at equally spaced looks."""
    return shape_boundary(equal_looks(looks), alpha, shape=0.5, alternative=alternative)
