"""Two arms compared: p-value, absolute interval and relative (Fieller) interval of one linear contrast."""

import math
from dataclasses import dataclass
from typing import Literal

from scipy import special

from analysis.stats.arms import ArmEstimate, contrast_variance, pair_covariance
from analysis.stats.estimable import Alternative, Direction, Interval, NotEstimable, check_share, sign_of

Method = Literal["welch_t", "normal", "always_valid", "group_sequential", "score", "exact", "pooled_t"]


@dataclass(frozen=True, slots=True)
class Lift:
    """Relative difference m1/m0 - 1 (0.042 is +4.2 %) with its Fieller interval."""

    value: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything said about treatment minus control, all from the contrast m1 - (1 + theta) m0.

    difference: m1 - m0; se: its standard error; statistic: difference / se; df: Welch degrees of freedom
    (infinite for normal quantiles); critical: the quantile behind both intervals; alpha: 1 - their level;
    p_value: below alpha exactly when both intervals exclude 0.
    """

    method: Method
    control: ArmEstimate
    treatment: ArmEstimate
    difference: float
    se: float
    statistic: float
    df: float
    critical: float
    alpha: float
    alternative: Alternative
    p_value: float
    absolute: Interval
    relative: Lift | NotEstimable

    def outcome(
        self, direction: Direction, p_adjusted: float | None = None
    ) -> Literal["better", "worse", "unclear"]:
        """Say whether the treatment is credibly better or worse, by p_adjusted (else p_value) <= alpha."""
        p = self.p_value if p_adjusted is None else p_adjusted
        if p > self.alpha or self.difference == 0.0:
            return "unclear"
        return "better" if self.difference * sign_of(direction) > 0 else "worse"


def compare_arms(
    control: ArmEstimate | NotEstimable,
    treatment: ArmEstimate | NotEstimable,
    *,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
    reference: Literal["welch_t", "normal"] = "welch_t",
) -> Comparison | NotEstimable:
    """Compare two independent arms by Welch's t (or the normal quantile, for published z intervals).

    df = (a + b)^2 / (a^2/(n1 - 1) + b^2/(n0 - 1)), a and b the squared standard errors. The relative interval
    uses the same quantile, taken at theta = 0, so it excludes 0 exactly when the p-value is below alpha.
    Raises ValueError for an alpha outside 0..1 or an unknown alternative.  Source: Welch, Biometrika 1947.
    """
    check_share(alpha, "alpha")
    pair = valid_pair(control, treatment)
    if isinstance(pair, NotEstimable):
        return pair
    c, t = pair
    df = pair_df(c, t) if reference == "welch_t" else math.inf
    statistic = (t.mean - c.mean) / math.sqrt(contrast_variance(c, t))
    return build_comparison(
        c,
        t,
        method=reference,
        critical=t_quantile(df, alpha / 2 if alternative == "two-sided" else alpha),
        df=df,
        alpha=alpha,
        alternative=alternative,
        p_value=tail_probability(statistic, df, alternative),
    )


def build_comparison(
    control: ArmEstimate,
    treatment: ArmEstimate,
    *,
    method: Method,
    critical: float,
    df: float,
    alpha: float,
    alternative: Alternative,
    p_value: float,
) -> Comparison:
    """Assemble a Comparison of a valid pair around one critical value, the same for both intervals."""
    difference = treatment.mean - control.mean
    se = math.sqrt(contrast_variance(control, treatment))
    absolute = Interval(difference - critical * se, difference + critical * se)
    fieller = fieller_interval(control, treatment, critical)
    relative: Lift | NotEstimable = (
        fieller
        if isinstance(fieller, NotEstimable)
        else Lift(difference / control.mean, _one_side(fieller, alternative))
    )
    return Comparison(
        method=method,
        control=control,
        treatment=treatment,
        difference=difference,
        se=se,
        statistic=difference / se,
        df=df,
        critical=critical,
        alpha=alpha,
        alternative=alternative,
        p_value=p_value,
        absolute=_one_side(absolute, alternative),
        relative=relative,
    )


def valid_pair(
    control: ArmEstimate | NotEstimable, treatment: ArmEstimate | NotEstimable
) -> tuple[ArmEstimate, ArmEstimate] | NotEstimable:
    """Return both arms when they can be compared, else the reason why not."""
    if isinstance(control, NotEstimable):
        return NotEstimable(f"control: {control.reason}")
    if isinstance(treatment, NotEstimable):
        return NotEstimable(f"treatment: {treatment.reason}")
    if contrast_variance(control, treatment) <= 0.0:
        return NotEstimable("the values do not vary in either arm")
    if not math.isfinite(abs(control.mean) + abs(treatment.mean) + control.se2 + treatment.se2):
        return NotEstimable("the values are too large to compare")
    return control, treatment


def fieller_interval(
    control: ArmEstimate, treatment: ArmEstimate, critical: float
) -> Interval | NotEstimable:
    """Find all theta with (m1 - (1 + theta) m0)^2 <= q^2 (a + (1 + theta)^2 b): the interval of the lift.

    The variance is a - 2 (1 + theta) cov + (1 + theta)^2 b for arms that were adjusted together.
    Bounded only when the control mean is distinguishable from 0 at the same quantile q, m0^2 > q^2 b.
    Source: Fieller, JRSS-B 1954.
    """
    m1, m0, a, b = treatment.mean, control.mean, treatment.se2, control.se2
    if m0 <= 0.0:
        return NotEstimable("the control mean is not positive, so a relative lift is undefined")
    leading = m0 * m0 - critical * critical * b
    if leading <= 0.0:
        return NotEstimable("the control mean is not distinguishable from 0, so the lift is unbounded")
    shared = pair_covariance(control, treatment)
    centre = m0 * m1 - critical * critical * shared
    inside = a * leading + b * m1 * m1 - 2.0 * m0 * m1 * shared + critical * critical * shared * shared
    root = critical * math.sqrt(max(0.0, inside))
    low, high = (centre - root) / leading - 1.0, (centre + root) / leading - 1.0
    if not (math.isfinite(low) and math.isfinite(high)):
        return NotEstimable("the control mean is too close to 0, so the lift is unbounded")
    return Interval(low, high)


def contrast_statistic(control: ArmEstimate, treatment: ArmEstimate, lift: float) -> float | NotEstimable:
    """Return (m1 - (1 + theta) m0) / sqrt(a + (1 + theta)^2 b) at theta = lift."""
    factor = 1.0 + lift
    se2 = contrast_variance(control, treatment, factor)
    if se2 <= 0.0:
        return NotEstimable("the values do not vary in either arm")
    return (treatment.mean - factor * control.mean) / math.sqrt(se2)


def pair_df(control: ArmEstimate, treatment: ArmEstimate) -> float:
    """Welch degrees of freedom of the difference; what two adjusted arms share cancels out of it."""
    shared = pair_covariance(control, treatment)
    own_t, own_c = max(0.0, treatment.se2 - shared), max(0.0, control.se2 - shared)
    return welch_df(own_t, treatment.df, own_c, control.df)


def welch_df(a: float, df_a: float, b: float, df_b: float) -> float:
    """Welch-Satterthwaite degrees of freedom of a + b.  Source: Welch, Biometrika 1947."""
    largest = max(a, b)  # scaled, so that tiny variances do not underflow when squared
    a, b = a / largest, b / largest
    return (a + b) ** 2 / (a * a / df_a + b * b / df_b)


def t_quantile(df: float, tail: float) -> float:
    """Upper quantile of Student's t (of the normal when df is infinite): P(T > q) = tail."""
    return float(-special.ndtri(tail)) if math.isinf(df) else float(-special.stdtrit(df, tail))


def tail_probability(statistic: float, df: float, alternative: Alternative) -> float:
    """p-value of a t (or normal) statistic, from the tail itself, so tiny values keep their digits.

    Raises ValueError for an unknown alternative.
    """
    if alternative == "two-sided":
        return min(1.0, 2.0 * _lower_tail(-abs(statistic), df))
    if alternative == "greater":
        return _lower_tail(-statistic, df)
    if alternative == "less":
        return _lower_tail(statistic, df)
    raise ValueError(f"alternative must be 'two-sided', 'greater' or 'less', not {alternative!r}")


def _lower_tail(value: float, df: float) -> float:
    return float(special.ndtr(value)) if math.isinf(df) else float(special.stdtr(df, value))


def _one_side(interval: Interval, alternative: Alternative) -> Interval:
    if alternative == "greater":
        return Interval(interval.low, math.inf)
    if alternative == "less":
        return Interval(-math.inf, interval.high)
    return interval
