"""Where a power calculation's mean and variance come from, for every kind of metric and design."""

import math

from analysis.stats.arms import ArmEstimate
from analysis.stats.estimable import NotEstimable
from analysis.stats.power import Baseline, rate_baseline


def baseline_from_arm(arm: ArmEstimate | NotEstimable, *, is_rate: bool = False) -> Baseline | NotEstimable:
    """Take the baseline of any metric from an arm's estimate on past data.

    Means, amounts and ratios of totals (variance per unit from the delta method), clusters (units are then
    clusters), quantiles (n x se^2), adjusted means: whatever ArmEstimate describes. is_rate: values are 0 or 1.
    """
    if isinstance(arm, NotEstimable):
        return arm
    if not (math.isfinite(arm.mean) and math.isfinite(arm.variance)):
        return NotEstimable("the values are too large to plan with")
    if is_rate:
        return rate_baseline(min(1.0, max(0.0, arm.mean)))
    return Baseline(arm.mean, max(0.0, arm.variance))


def blinded_baseline(
    control: ArmEstimate | NotEstimable, treatment: ArmEstimate | NotEstimable, *, is_rate: bool = False
) -> Baseline | NotEstimable:
    """Re-estimate mean and variance in mid-test from both arms together, without looking at their difference.

    Because the effect is not seen, the size may be planned again from it without spending any alpha.
    The variance includes (difference / 2)^2 for equal arms, so it errs on the large side.
    Source: Gould & Shih, Communications in Statistics 1992; Kieser & Friede 2003.
    """
    if isinstance(control, NotEstimable):
        return control
    if isinstance(treatment, NotEstimable):
        return treatment
    n = control.n + treatment.n
    mean = (control.n * control.mean + treatment.n * treatment.mean) / n
    gap = treatment.mean - control.mean
    between = control.n * treatment.n / n**2 * gap * gap
    variance = (control.n * control.variance + treatment.n * treatment.variance) / n + between
    pooled = ArmEstimate(n, mean, variance / n, n - 2.0)
    return baseline_from_arm(pooled, is_rate=is_rate)


def cluster_design_effect(mean_size: float, icc: float, *, size_variation: float = 0.0) -> float:
    """Factor on the variance when clusters are randomised: 1 + ((1 + cv^2) m - 1) ICC.

    mean_size: m, units per cluster; icc: intra-cluster correlation, 0..1; size_variation: cv, standard
    deviation of the sizes over their mean. Pass it as power.Design(design_effect=...).
    Raises ValueError for m < 1, an ICC outside 0..1 or a negative variation.
    Source: Kish 1965; Eldridge, Ashby & Kerry, International Journal of Epidemiology 2006.
    """
    if not (mean_size >= 1.0 and 0.0 <= icc <= 1.0 and size_variation >= 0.0):
        raise ValueError("clusters hold at least 1 unit, ICC lies in 0..1, variation is not negative")
    return 1.0 + ((1.0 + size_variation**2) * mean_size - 1.0) * icc
