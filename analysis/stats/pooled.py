"""Equal-variance comparison and logarithmic lift interval: conventions of other programs, for cross-checks."""

import math
from dataclasses import replace

from analysis.stats.arms import ArmEstimate
from analysis.stats.compare import (
    Comparison,
    Lift,
    build_comparison,
    pair_df,
    t_quantile,
    tail_probability,
    valid_pair,
)
from analysis.stats.estimable import Alternative, Interval, NotEstimable, check_share


def compare_arms_pooled(
    control: ArmEstimate | NotEstimable,
    treatment: ArmEstimate | NotEstimable,
    *,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
) -> Comparison | NotEstimable:
    """Compare two arms by Student's t: one variance per unit for both arms, n0 + n1 - 2 degrees of freedom.

    For means and ratios of totals (whose variance per unit is the linearised one). Not a default: with unequal
    shares and variances its error rate is wrong, and Welch loses nothing when they are equal.
    Raises ValueError for an alpha outside 0..1 or an unknown alternative.  Source: Student 1908; Welch 1938.
    """
    check_share(alpha, "alpha")
    pair = valid_pair(control, treatment)
    if isinstance(pair, NotEstimable):
        return pair
    c, t = pair
    df = c.df + t.df
    per_unit = (c.df * c.variance + t.df * t.variance) / df
    c, t = (replace(arm, se2=per_unit / arm.n, covariance=0.0) for arm in pair)
    statistic = (t.mean - c.mean) / math.sqrt(c.se2 + t.se2)
    return build_comparison(
        c,
        t,
        method="pooled_t",
        critical=t_quantile(df, alpha / 2.0 if alternative == "two-sided" else alpha),
        df=df,
        alpha=alpha,
        alternative=alternative,
        p_value=tail_probability(statistic, df, alternative),
    )


def log_lift(
    control: ArmEstimate | NotEstimable,
    treatment: ArmEstimate | NotEstimable,
    *,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
    equal_variance: bool = False,
) -> Lift | NotEstimable:
    """Lift with the interval of ln(m1 / m0) by the delta method; the product shows Fieller's instead.

    Relative variances v / m^2 per unit, pooled over the arms on request. Both means must be positive.
    Raises ValueError for an alpha outside 0..1 or an unknown alternative.
    Source: the convention of the tea-tasting package; Katz et al. 1978 for rates.
    """
    check_share(alpha, "alpha")
    if alternative not in ("two-sided", "greater", "less"):
        raise ValueError(f"alternative must be 'two-sided', 'greater' or 'less', not {alternative!r}")
    pair = valid_pair(control, treatment)
    if isinstance(pair, NotEstimable):
        return pair
    if min(arm.mean for arm in pair) <= 0.0:
        return NotEstimable("the logarithm of a lift needs positive means in both arms")
    relative = [replace(arm, se2=arm.se2 / arm.mean**2, covariance=0.0) for arm in pair]
    if equal_variance:
        df = relative[0].df + relative[1].df
        per_unit = sum(arm.df * arm.variance for arm in relative) / df
        se = math.sqrt(sum(per_unit / arm.n for arm in relative))
    else:
        df, se = pair_df(relative[0], relative[1]), math.sqrt(relative[0].se2 + relative[1].se2)
    ratio = pair[1].mean / pair[0].mean
    margin = t_quantile(df, alpha / 2.0 if alternative == "two-sided" else alpha) * se
    low = ratio * math.exp(-margin) - 1.0 if alternative != "less" else -1.0
    high = ratio * math.exp(min(700.0, margin)) - 1.0 if alternative != "greater" else math.inf
    return Lift(ratio - 1.0, Interval(low, high))
