"""Long-term effects from early outcomes: a surrogate index fitted on history, applied to an experiment."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from analysis.stats.arms import ArmEstimate
from analysis.stats.compare import t_quantile, tail_probability
from analysis.stats.estimable import Interval, NotEstimable, check_share
from analysis.stats.moments import Moments

Array = NDArray[np.float64]

SMALLEST_PIVOT = 1e-10
"""Relative size below which a surrogate is a combination of the others."""


@dataclass(frozen=True, slots=True)
class SurrogateIndex:
    """Best linear prediction of a long-term outcome from k early outcomes.

    intercept, slopes: the index is intercept + slopes . s; covariance: of the slopes, shape (k, k);
    r2: share of the outcome's variance it explains; n: units of the history.
    """

    intercept: float
    slopes: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    r2: float
    n: int


def fit_surrogate_index(history: Moments) -> SurrogateIndex | NotEstimable:
    """Fit the index by least squares on units whose long-term outcome is known.

    history: moments of the columns (s_1 .. s_k, y), y the long-term outcome last.
    Raises ValueError for fewer than 2 columns.  Source: Athey, Chetty, Imbens & Kang 2019, section 3.
    """
    k, n = history.columns - 1, history.n
    if k < 1:
        raise ValueError("history needs at least one early outcome and the long-term one")
    if n < k + 3:
        return NotEstimable(f"the history needs at least {k + 3} units (now {n})")
    table, means = _centred(history)
    if not bool(np.isfinite(table).all()):
        return NotEstimable("the values are too large to square")
    sxx, sxy, syy = table[:k, :k], table[:k, k], float(table[k, k])
    scale = np.sqrt(np.diag(sxx))
    if syy <= 0.0 or bool((scale <= 0.0).any()):
        return NotEstimable("an early outcome or the long-term outcome does not vary")
    correlation = sxx / np.outer(scale, scale)
    if float(linalg.eigvalsh(correlation)[0]) < SMALLEST_PIVOT:
        return NotEstimable("one early outcome is a combination of the others")
    inverse = linalg.inv(correlation) / np.outer(scale, scale)
    slopes = inverse @ sxy
    residual = max(0.0, syy - float(slopes @ sxy))
    covariance = inverse * residual / (n - k - 1)
    return SurrogateIndex(
        intercept=float(means[k] - slopes @ means[:k]),
        slopes=tuple(slopes.tolist()),
        covariance=tuple(tuple(row) for row in covariance.tolist()),
        r2=1.0 - residual / syy,
        n=n,
    )


@dataclass(frozen=True, slots=True)
class SurrogateEffect:
    """Predicted long-term difference, treatment minus control.

    se: from the experiment and from the fitted index together; se_experiment: the former alone;
    control, treatment: arm means of the index, the index taken as known.
    """

    control: ArmEstimate
    treatment: ArmEstimate
    difference: float
    se: float
    se_experiment: float
    p_value: float
    absolute: Interval


def estimate_surrogate_effect(
    index: SurrogateIndex | NotEstimable, control: Moments, treatment: Moments, *, alpha: float = 0.05
) -> SurrogateEffect | NotEstimable:
    """Predict the long-term effect from the early outcomes of both arms.

    control, treatment: moments of the columns s_1 .. s_k. Variance: slopes' S slopes / n per arm, plus
    gap' V gap for the slopes' own error. Valid only if treatment moves the outcome *through* the early ones
    (surrogacy) and history is comparable.
    Raises ValueError when columns do not fit or for a wrong alpha.
    Source: Athey, Chetty, Imbens & Kang 2019, proposition 1.
    """
    check_share(alpha, "alpha")
    if isinstance(index, NotEstimable):
        return index
    if not control.columns == treatment.columns == len(index.slopes):
        raise ValueError("the arms need the early outcomes of the index, in its order")
    if min(control.n, treatment.n) < 2:
        return NotEstimable("a variance needs at least 2 units in each arm")
    slopes = np.asarray(index.slopes)
    predicted = [_index_mean(index.intercept, slopes, arm) for arm in (control, treatment)]
    gap = _centred(treatment)[1] - _centred(control)[1]
    se2 = predicted[0].se2 + predicted[1].se2
    total = se2 + max(0.0, float(gap @ np.asarray(index.covariance) @ gap))
    difference = float(slopes @ gap)
    if not (math.isfinite(difference) and math.isfinite(total)):
        return NotEstimable("the values are too large to compare")
    if total <= 0.0:
        return NotEstimable("the early outcomes do not vary in either arm")
    se = math.sqrt(total)
    reach = t_quantile(math.inf, alpha / 2.0) * se
    return SurrogateEffect(
        control=predicted[0],
        treatment=predicted[1],
        difference=difference,
        se=se,
        se_experiment=math.sqrt(se2),
        p_value=tail_probability(difference / se, math.inf, "two-sided"),
        absolute=Interval(difference - reach, difference + reach),
    )


def _index_mean(intercept: float, slopes: Array, arm: Moments) -> ArmEstimate:
    table, means = _centred(arm)
    with np.errstate(over="ignore", invalid="ignore"):
        spread = float(slopes @ table @ slopes)
    variance = spread / (arm.n - 1) if not spread <= 0.0 else 0.0
    return ArmEstimate(arm.n, intercept + float(slopes @ means), variance / arm.n, arm.n - 1.0)


def _centred(moments: Moments) -> tuple[Array, Array]:
    """Sums of squares and products around the means, and the means."""
    sums = np.asarray(moments.sums, dtype=np.float64)
    with np.errstate(over="ignore", invalid="ignore"):  # the answer then says "too large"
        table = np.asarray(moments.products, dtype=np.float64) - np.outer(sums, sums) / moments.n
    return table, np.asarray(moments.shift, dtype=np.float64) + sums / moments.n
