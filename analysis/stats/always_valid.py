"""Always-valid comparison: an interval and a p-value that stay honest however often one looks."""

import math
from functools import lru_cache

from analysis.stats.arms import ArmEstimate, contrast_variance
from analysis.stats.compare import Comparison, build_comparison, valid_pair
from analysis.stats.estimable import Alternative, NotEstimable, check_share

MINIMUM_UNITS = 100
MINIMUM_CONVERSIONS = 25
"""Per arm, before the first interval: the sequence is asymptotic, and wrong on a handful of values."""


@lru_cache(maxsize=1024)
def tuning_variance(planned_units: float, alpha: float) -> float:
    """Return rho^2 = (-2 ln alpha + ln(1 - 2 ln alpha)) / N*, tightest near N* units.

    planned_units: N*, all units of both arms the plan expects. It must come from the plan, never from the
    data.
    Raises ValueError for N* <= 0 or alpha outside 0..1.  Source: Waudby-Smith et al. 2024, appendix B.2.
    """
    check_share(alpha, "alpha")
    if not planned_units > 0.0:
        raise ValueError(f"planned_units must be positive, not {planned_units!r}")
    return (-2.0 * math.log(alpha) + math.log(1.0 - 2.0 * math.log(alpha))) / planned_units


def sequence_critical(
    units: float, rho2: float, alpha: float, alternative: Alternative = "two-sided"
) -> float:
    """Return q with interval d +- q se: sqrt(2 (n rho^2 + 1) / (n rho^2) ln(sqrt(n rho^2 + 1) / alpha)).

    One-sided: the logarithm is of 1 + sqrt(n rho^2 + 1) / (2 alpha).
    Source: Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas, Annals of Statistics 2024, theorem 2.2 and eq. 134
    of arXiv 2103.06476v7.
    """
    v = units * rho2
    root = math.sqrt(v + 1.0)
    log_term = math.log(root / alpha) if alternative == "two-sided" else math.log1p(root / (2.0 * alpha))
    return math.sqrt(2.0 * (v + 1.0) / v * log_term)


def sequence_log_evidence(statistic: float, units: float, rho2: float) -> float:
    """Natural log of the two-sided normal-mixture (mSPRT) e-value: z^2 v / (2 (v + 1)) - ln(v + 1) / 2, v = n rho^2.

    Source: Johari, Koomen, Pekelis & Walsh, Operations Research 2022; Howard, Ramdas, McAuliffe & Sekhon
    2021.
    """
    v = units * rho2
    return statistic * statistic * v / (2.0 * (v + 1.0)) - 0.5 * math.log1p(v)


def sequence_p_value(
    statistic: float, units: float, rho2: float, alternative: Alternative = "two-sided"
) -> float:
    """Return the smallest alpha whose interval, at the same rho^2, excludes no difference.

    Two-sided this is min(1, 1/e). Raises ValueError for an unknown alternative.
    """
    if alternative == "two-sided":
        return math.exp(min(0.0, -sequence_log_evidence(statistic, units, rho2)))
    if alternative not in ("greater", "less"):
        raise ValueError(f"alternative must be 'two-sided', 'greater' or 'less', not {alternative!r}")
    toward = statistic if alternative == "greater" else -statistic
    if toward <= 0.0:
        return 1.0
    v = units * rho2
    exponent = toward * toward * v / (2.0 * (v + 1.0))
    half_log = 0.5 * math.log1p(v) - math.log(2.0)
    if exponent > 500.0:  # expm1 would overflow; 1 is then nothing beside it
        return math.exp(half_log - exponent)
    growth = math.expm1(exponent)
    return min(1.0, math.exp(half_log) / growth) if growth > 0.0 else 1.0


def compare_arms_always_valid(
    control: ArmEstimate | NotEstimable,
    treatment: ArmEstimate | NotEstimable,
    *,
    planned_units: float,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
) -> Comparison | NotEstimable:
    """Compare two arms so that the error rate holds over *all* looks, planned or not.

    The asymptotic confidence sequence on m1 - (1 + theta) m0 is inverted over theta, so the relative
    interval is as safe as the absolute one. NotEstimable before 100 units and 25 conversions in each arm.
    One-sided, alpha is the error of that side (below 0.5) and rho^2 is tuned at 2 alpha.
    planned_units: N* of the plan, both arms together.  Raises ValueError for a wrong alpha or planned_units.
    """
    rho2 = tuning_variance(planned_units, alpha if alternative == "two-sided" else 2.0 * alpha)
    pair = valid_pair(control, treatment)
    if isinstance(pair, NotEstimable):
        return pair
    too_early = too_early_for_sequence(*pair)
    if too_early is not None:
        return too_early
    c, t = pair
    units = float(c.n + t.n)
    statistic = (t.mean - c.mean) / math.sqrt(contrast_variance(c, t))
    return build_comparison(
        c,
        t,
        method="always_valid",
        critical=sequence_critical(units, rho2, alpha, alternative),
        df=math.inf,
        alpha=alpha,
        alternative=alternative,
        p_value=sequence_p_value(statistic, units, rho2, alternative),
    )


def too_early_for_sequence(control: ArmEstimate, treatment: ArmEstimate) -> NotEstimable | None:
    """Return the reason when an arm has too few units or conversions for an asymptotic sequence."""
    units = min(control.n, treatment.n)
    if units < MINIMUM_UNITS:
        return NotEstimable(
            f"the always-valid interval starts at {MINIMUM_UNITS} units in each arm (now {units})"
        )
    counts = [arm.conversions for arm in (control, treatment) if arm.conversions is not None]
    if counts and min(counts) < MINIMUM_CONVERSIONS:
        return NotEstimable(
            f"the always-valid interval starts at {MINIMUM_CONVERSIONS} conversions in each arm "
            f"(now {min(counts)})"
        )
    return None
