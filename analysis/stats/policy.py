"""What a targeting rule is worth: doubly robust scores, value of a policy, logged data of another policy."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.stats.compare import t_quantile
from analysis.stats.estimable import Interval, NotEstimable, check_share

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PolicyValue:
    """A mean over units with its normal interval; unit: the outcome's, per unit of the population."""

    n: int
    value: float
    se: float
    interval: Interval


def score_effects(
    outcome: ArrayLike,
    treated: ArrayLike,
    propensity: ArrayLike,
    predicted_control: ArrayLike = 0.0,
    predicted_treatment: ArrayLike = 0.0,
) -> Array:
    """Doubly robust score of each unit's treatment effect, shape (n,): its mean is the average effect.

    m1 - m0 + W (y - m1) / e - (1 - W) (y - m0) / (1 - e). treated: 0 or 1; propensity: planned share of
    treatment for the unit, strictly inside 0..1 (from the plan or the bandit's log); predictions: made without
    the unit itself (cross-fitted), or constants.
    Raises ValueError for shapes, treatments or propensities that are impossible.
    Source: Robins, Rotnitzky & Zhao 1994; Athey & Wager, Econometrica 2021, equation 9.
    """
    y = np.asarray(outcome, dtype=np.float64)
    if y.ndim != 1:
        raise ValueError("outcome needs one value per unit")
    w, e, m0, m1 = (
        np.broadcast_to(np.asarray(values, dtype=np.float64), y.shape)
        for values in (treated, propensity, predicted_control, predicted_treatment)
    )
    if not bool(np.isin(w, (0.0, 1.0)).all()):
        raise ValueError("treated must be 0 or 1")
    if not bool(((e > 0.0) & (e < 1.0)).all()):
        raise ValueError("propensities must lie strictly between 0 and 1")
    return np.asarray(m1 - m0 + w * (y - m1) / e - (1.0 - w) * (y - m0) / (1.0 - e), dtype=np.float64)


def estimate_policy_gain(
    scores: ArrayLike, ships_to: ArrayLike, *, against: ArrayLike = 0.0, alpha: float = 0.05
) -> PolicyValue | NotEstimable:
    """Estimate what shipping by a rule gains per unit over another rule: mean of (pi - pi') x score.

    scores: from score_effects; ships_to, against: share of each unit that gets the treatment, 0..1 (a
    segment rule is 0 or 1; against=0 is "ship to nobody", 1 "to everybody"). A rule found on the same units
    looks better than it is: choose it on others.
    Raises ValueError for shapes that differ, shares outside 0..1 or a wrong alpha.
    Source: Athey & Wager 2021, section 2.
    """
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 1:
        raise ValueError("scores need one value per unit")
    rule, other = (
        np.broadcast_to(np.asarray(r, dtype=np.float64), values.shape) for r in (ships_to, against)
    )
    if bool(((rule < 0.0) | (rule > 1.0) | (other < 0.0) | (other > 1.0)).any()):
        raise ValueError("a rule treats a share between 0 and 1 of each unit")
    return average(np.where(rule == other, 0.0, (rule - other) * values), alpha=alpha)


def estimate_logged_value(
    reward: ArrayLike,
    propensity: ArrayLike,
    target: ArrayLike,
    *,
    predicted_logged: ArrayLike = 0.0,
    predicted_target: ArrayLike = 0.0,
    alpha: float = 0.05,
) -> PolicyValue | NotEstimable:
    """Estimate the value of a target policy from rows logged under another one.

    Per row: m(target) + (pi/e) (reward - m(logged)). propensity: chance of the logged action when it was
    taken, in (0, 1]; target: its chance under the target policy, 0..1; predicted_logged: expected reward of the
    logged action; predicted_target: expected reward averaged over the target's actions; both 0 is plain
    inverse weighting.  Raises ValueError for shapes or probabilities that are impossible.
    Source: Dudik, Langford & Li, ICML 2011, equation 2.
    """
    y = np.asarray(reward, dtype=np.float64)
    if y.ndim != 1:
        raise ValueError("reward needs one value per row")
    e, pi, logged, aimed = (
        np.broadcast_to(np.asarray(values, dtype=np.float64), y.shape)
        for values in (propensity, target, predicted_logged, predicted_target)
    )
    if not bool(((e > 0.0) & (e <= 1.0) & (pi >= 0.0) & (pi <= 1.0)).all()):
        raise ValueError("propensities lie in 0..1 and above 0, target probabilities in 0..1")
    return average(aimed + pi / e * (y - logged), alpha=alpha)


def average(values: Array, *, alpha: float) -> PolicyValue | NotEstimable:
    """Mean of independent scores with its normal interval. Raises ValueError for a wrong alpha."""
    check_share(alpha, "alpha")
    n = len(values)
    if n < 2:
        return NotEstimable("a variance needs at least 2 units")
    with np.errstate(over="ignore", invalid="ignore"):
        mean, se = float(values.mean()), float(values.std(ddof=1)) / math.sqrt(n)
    if not (math.isfinite(mean) and math.isfinite(se)):
        return NotEstimable("the values are not finite or too large to add up")
    reach = t_quantile(math.inf, alpha / 2.0) * se
    return PolicyValue(n, mean, se, Interval(mean - reach, mean + reach))
