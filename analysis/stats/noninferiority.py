"""How many units a guardrail or an equivalence test needs to show that nothing broke."""

import math
from dataclasses import replace

from scipy import optimize, special

from analysis.stats.estimable import Direction, NotEstimable, check_finite, check_share, sign_of
from analysis.stats.power import LARGEST_UNITS, Baseline, Design
from analysis.stats.rate_score import RateScale, restricted_rates


def units_for_rates_margin(
    p0: float, p1: float, design: Design, *, value: float, scale: RateScale = "difference"
) -> float | NotEstimable:
    """Units in both arms (before rounding up) that show p1 - p0 (or p1 / p0) beyond `value`, score test.

    p0, p1: assumed true rates; the side is where they lie of `value`. n = ((z_alpha s0 + z_power s1) / gap)^2,
    s0 from the rates restricted to `value`, s1 from the assumed ones. One-sided at design.alpha_each when
    design.alternative is one-sided, else at half of it.
    Raises ValueError for rates outside 0..1, or a value that equals the truth or is out of range.
    Source: Farrington & Manning, Statistics in Medicine 1990, equations 4 and 8.
    """
    if not (0.0 <= p0 <= 1.0 and 0.0 <= p1 <= 1.0):
        raise ValueError("rates lie between 0 and 1")
    check_finite(value, "value")
    if (scale == "ratio" and value <= 0.0) or (scale == "difference" and not -1.0 < value < 1.0):
        raise ValueError(f"{value!r} is not a possible {scale} of rates")
    share = design.control_share + design.treatment_share
    w0, w1 = design.control_share / share, design.treatment_share / share
    factor = 1.0 if scale == "difference" else value
    gap = p1 - p0 - value if scale == "difference" else p1 - value * p0
    if abs(gap) < 1e-12:
        raise ValueError("no number of units shows a margin that equals the truth")
    r0, r1 = restricted_rates(p0, w0, p1, w1, scale=scale, value=value)
    s0 = math.sqrt(r1 * (1.0 - r1) / w1 + factor * factor * r0 * (1.0 - r0) / w0)
    s1 = math.sqrt(p1 * (1.0 - p1) / w1 + factor * factor * p0 * (1.0 - p0) / w0)
    z_alpha, z_power = _quantiles(design)
    return _bounded(design.design_effect * ((z_alpha * s0 + z_power * s1) / gap) ** 2)


def units_for_margin(
    baseline: Baseline, design: Design, *, margin: float, direction: Direction, true_lift: float = 0.0
) -> int | NotEstimable:
    """Units in *all* arms with which a guardrail of this relative margin shows "not worse than M".

    The contrast is that of guardrails.check_guardrail, m1 - (1 - M) m0 (1 + M when less is better), with equal
    variances per unit for means, Farrington-Manning on the ratio for rates. design.alpha is one-sided here
    (0.025 in a guardrail) whatever design.alternative says; design.always_valid is not considered.
    Raises ValueError for a margin outside 0..1 or a true lift at or beyond it.
    Source: STATISTICS "guardrails"; Farrington & Manning 1990.
    """
    sign = sign_of(direction)
    if not 0.0 <= margin < 1.0:
        raise ValueError(f"margin must be at least 0 and below 1, not {margin!r}")
    if sign * true_lift + margin <= 0.0:
        raise ValueError("no number of units shows a margin at or beyond which the truth lies")
    if baseline.mean <= 0.0:
        return NotEstimable("a relative margin needs a positive baseline")
    factor, both = 1.0 - sign * margin, design.control_share + design.treatment_share
    one_sided = _one_sided(design)
    if baseline.is_rate:
        p1 = baseline.mean * (1.0 + true_lift)
        if p1 > 1.0:
            return NotEstimable("the treatment's rate would be above 1")
        if baseline.mean == 1.0 and p1 == 1.0:
            return NotEstimable("the values do not vary, so no sample size can be computed")
        pair = units_for_rates_margin(baseline.mean, p1, one_sided, value=factor, scale="ratio")
        return pair if isinstance(pair, NotEstimable) else math.ceil(pair / both * (1.0 - 1e-9))
    if baseline.variance == 0.0:
        return NotEstimable("the values do not vary, so no sample size can be computed")
    gap = baseline.mean * (1.0 + true_lift - factor)
    per_unit = baseline.variance * design.scale
    per_unit *= 1.0 / design.treatment_share + factor * factor / design.control_share
    units = _bounded(per_unit * (sum(_quantiles(one_sided)) / gap) ** 2)
    return units if isinstance(units, NotEstimable) else math.ceil(units * (1.0 - 1e-9))


def units_for_equivalence(
    baseline: Baseline, design: Design, *, margin: float, true_difference: float = 0.0
) -> int | NotEstimable:
    """Units in all arms with which TOST shows an absolute difference within -margin..margin, normal.

    design.alpha is the level of each of the two one-sided tests.  Raises ValueError for a margin that is not
    positive or does not hold the true difference.
    Source: Julious, Statistics in Medicine 2004, section 5.
    """
    check_finite(margin, "margin")
    if margin <= abs(true_difference):
        raise ValueError("the margin must be positive and hold the true difference")
    if baseline.variance == 0.0:
        return NotEstimable("the values do not vary, so no sample size can be computed")
    per_unit = baseline.variance * design.scale * (1.0 / design.control_share + 1.0 / design.treatment_share)
    z_alpha = _quantiles(_one_sided(design))[0]

    def lacking(log_units: float) -> float:
        se = math.sqrt(per_unit / math.exp(log_units))
        high = special.ndtr((margin - true_difference) / se - z_alpha)
        low = special.ndtr((margin + true_difference) / se - z_alpha)
        return float(high + low) - 1.0 - design.power

    smallest = math.log(2.0 / min(design.control_share, design.treatment_share))
    if lacking(smallest) >= 0.0:
        return math.ceil(math.exp(smallest) * (1.0 - 1e-9))
    if lacking(math.log(LARGEST_UNITS)) < 0.0:
        return NotEstimable("more than a trillion units would be needed")
    return math.ceil(math.exp(optimize.brentq(lacking, smallest, math.log(LARGEST_UNITS))) * (1.0 - 1e-9))


def power_with_guardrails(power: float, guardrails: int) -> float:
    """Power each metric must have so that one success metric and all guardrails pass together: 1 - beta/(G+1).

    alpha needs no such correction, since every guardrail must pass.  Raises ValueError for a wrong argument.
    Source: Schultzberg, Ankargren & Franberg 2024, "Risk-aware product decisions in A/B tests", section 4.
    """
    check_share(power, "power")
    if guardrails < 0:
        raise ValueError("a number of guardrails is not negative")
    return 1.0 - (1.0 - power) / (guardrails + 1)


def _one_sided(design: Design) -> Design:
    return replace(design, alternative="greater")


def _quantiles(design: Design) -> tuple[float, float]:
    tail = design.alpha_each / 2.0 if design.alternative == "two-sided" else design.alpha_each
    return -float(special.ndtri(tail)), float(special.ndtri(design.power))


def _bounded(units: float) -> float | NotEstimable:
    if not units <= LARGEST_UNITS:
        return NotEstimable("more than a trillion units would be needed")
    return units
