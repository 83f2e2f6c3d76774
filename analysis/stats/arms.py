"""One arm's estimate (mean, rate, ratio of totals, stratified mean) with its sampling variance."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from analysis.stats.estimable import NotEstimable
from analysis.stats.moments import Moments


@dataclass(frozen=True, slots=True)
class ArmEstimate:
    """A mean-like number of one arm, ready to be compared.

    n: units; mean: the estimate; se2: its squared standard error; df: degrees of freedom behind se2;
    conversions: how many units carry the information (the rarer outcome of a rate, the paying units of a
    revenue), None when the question does not arise (values that are rarely zero);
    covariance: with the mean of the arm it is compared with. Randomised arms are independent (0); a pair
    adjusted to one common covariate mean, or weighted by sampled strata, is not, and both arms then carry
    the same number.
    """

    n: int
    mean: float
    se2: float
    df: float
    conversions: int | None = None
    covariance: float = 0.0

    @property
    def variance(self) -> float:
        """Variance per unit."""
        return self.se2 * self.n


def contrast_variance(control: ArmEstimate, treatment: ArmEstimate, factor: float = 1.0) -> float:
    """Variance of m1 - factor m0: a - 2 factor cov + factor^2 b, a and b the squared standard errors.

    The covariance counts only when both arms carry the same one, that is, when they were adjusted together.
    """
    separate = treatment.se2 + factor * factor * control.se2
    if control.covariance == 0.0:
        return separate
    together = separate - 2.0 * factor * pair_covariance(control, treatment)
    return together if together > 1e-13 * separate else 0.0


def pair_covariance(control: ArmEstimate, treatment: ArmEstimate) -> float:
    """Covariance of the two means, 0 unless both arms were adjusted together."""
    return control.covariance if control.covariance == treatment.covariance else 0.0


def estimate_mean(
    moments: Moments, column: int = 0, *, conversions: int | None = None
) -> ArmEstimate | NotEstimable:
    """Estimate the mean of one column: se2 = variance / n."""
    mean, variance = moments.mean(column), moments.variance(column)
    if isinstance(mean, NotEstimable):
        return mean
    if isinstance(variance, NotEstimable):
        return variance
    return ArmEstimate(moments.n, mean, variance / moments.n, moments.n - 1.0, conversions)


def estimate_rate(moments: Moments, column: int = 0) -> ArmEstimate | NotEstimable:
    """Estimate the share of ones in a 0/1 column, counting the rarer outcome as conversions.

    A column that leaves 0..1 is answered with NotEstimable: it is not a rate.
    """
    mean = moments.mean(column)
    if isinstance(mean, NotEstimable):
        return mean
    if not -1e-9 <= mean <= 1.0 + 1e-9:
        return NotEstimable(f"a rate lies between 0 and 1, but the mean is {mean:.6g}")
    ones = round(moments.total(column))
    return estimate_mean(moments, column, conversions=max(0, min(ones, moments.n - ones)))


def estimate_amount(moments: Moments, column: int = 0) -> ArmEstimate | NotEstimable:
    """Estimate the mean of a non-negative, possibly sparse amount (revenue, counts of purchases).

    conversions is the effective count (sum x)^2 / sum x^2, never more than the units with a non-zero value.
    """
    count = moments.effective_count(column)
    if isinstance(count, NotEstimable):
        return count
    return estimate_mean(moments, column, conversions=math.floor(count + 1e-6))


def estimate_ratio(
    moments: Moments, numerator: int = 0, denominator: int = 1, *, conversions: int | None = None
) -> ArmEstimate | NotEstimable:
    """Estimate a ratio of totals, sum of one column over sum of another.

    se2 = (vN - 2 R cND + R^2 vD) / (n D^2), R the ratio, D the mean denominator.
    Source: Deng, Knoblich & Lu, KDD 2018, section 3.
    """
    parts = (
        moments.mean(numerator),
        moments.mean(denominator),
        moments.variance(numerator),
        moments.covariance(numerator, denominator),
        moments.variance(denominator),
    )
    numbers: list[float] = []
    for part in parts:
        if isinstance(part, NotEstimable):
            return part
        numbers.append(part)
    mean_n, mean_d, v_n, c_nd, v_d = numbers
    if mean_d == 0.0:
        return NotEstimable("the denominator adds up to 0")
    ratio = mean_n / mean_d
    linearised = max(0.0, v_n - 2.0 * ratio * c_nd + ratio * ratio * v_d)
    if linearised <= 1e-13 * (v_n + ratio * ratio * v_d):
        linearised = 0.0
    se2 = linearised / (moments.n * mean_d * mean_d)
    if not (math.isfinite(ratio) and math.isfinite(se2)):
        return NotEstimable("the denominator is too close to 0")
    return ArmEstimate(moments.n, ratio, se2, moments.n - 1.0, conversions)


@dataclass(frozen=True, slots=True)
class Stratum:
    """Control and treatment within one stratum (a phase, a level of a pre-exposure fact).

    weight: the units of *all* arms in the stratum, so that both arms are averaged the same way.
    """

    weight: float
    control: ArmEstimate | NotEstimable
    treatment: ArmEstimate | NotEstimable


@dataclass(frozen=True, slots=True)
class StratifiedPair:
    """Both arms standardised to the same mix of strata; `left_out` is the weight share without both arms."""

    control: ArmEstimate
    treatment: ArmEstimate
    left_out: float


def stratify_pair(
    strata: Sequence[Stratum], *, weights: Literal["fixed", "sampled"] = "fixed"
) -> StratifiedPair | NotEstimable:
    """Average each arm over strata with common weights, so phases with other shares cannot bias the lift.

    weights: "fixed" when the mix of strata is what is asked about (phases, targets); "sampled" when the
    strata are levels of a fact of the units (post-stratification) and their sizes are a sample too: then
    sum w (m1h - m1)^2 / N, the same for control, and its cross product as covariance are added.
    A stratum without an estimate in either arm carries no information on the difference and is left out.
    Raises ValueError when there is no stratum or a weight is negative.
    Source: Miratrix, Sekhon & Yu, JRSS-B 2013, equation 2.
    """
    if not strata or any(s.weight < 0 for s in strata):
        raise ValueError("strata must be given, with weights that are not negative")
    pairs = [
        (s.weight, s.control, s.treatment)
        for s in strata
        if isinstance(s.control, ArmEstimate) and isinstance(s.treatment, ArmEstimate)
    ]
    used = sum(weight for weight, _, _ in pairs)
    if used <= 0.0:
        return NotEstimable("no stratum holds at least 2 units of both arms")
    shares = [weight / used for weight, _, _ in pairs]
    control = _average([c for _, c, _ in pairs], shares)
    treatment = _average([t for _, _, t in pairs], shares)
    if weights == "sampled":
        gaps = [
            (share / used, c.mean - control.mean, t.mean - treatment.mean)
            for share, (_, c, t) in zip(shares, pairs, strict=True)
        ]
        shared = sum(share * gap_c * gap_t for share, gap_c, gap_t in gaps)
        control = _add_variance(control, sum(share * gap * gap for share, gap, _ in gaps), shared)
        treatment = _add_variance(treatment, sum(share * gap * gap for share, _, gap in gaps), shared)
    return StratifiedPair(control, treatment, 1.0 - used / sum(s.weight for s in strata))


def _add_variance(arm: ArmEstimate, variance: float, covariance: float) -> ArmEstimate:
    return replace(arm, se2=arm.se2 + variance, covariance=covariance)


def _average(arms: Sequence[ArmEstimate], shares: Sequence[float]) -> ArmEstimate:
    pieces = [share * share * arm.se2 for share, arm in zip(shares, arms, strict=True)]
    se2 = sum(pieces)
    spread = sum(piece * piece / arm.df for piece, arm in zip(pieces, arms, strict=True))
    df = se2 * se2 / spread if spread > 0.0 else float(sum(arm.df for arm in arms))
    counts = [arm.conversions for arm in arms if arm.conversions is not None]
    return ArmEstimate(
        n=sum(arm.n for arm in arms),
        mean=sum(share * arm.mean for share, arm in zip(shares, arms, strict=True)),
        se2=se2,
        df=df,
        conversions=sum(counts) if len(counts) == len(arms) else None,
    )
