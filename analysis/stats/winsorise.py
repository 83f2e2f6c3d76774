"""Winsorisation: one bound for all arms and the covariate, so that a few whales do not decide a test."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.stats.estimable import NotEstimable, check_finite, check_share

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Winsorised:
    """Values of each arm cut off at `bound`; share_capped: of all units, total_removed: share of the total."""

    values: tuple[Array, ...]
    bound: float
    share_capped: float
    total_removed: float


def cap_at_quantile(
    values: Sequence[Array], quantile: float, *, positive_only: bool = False
) -> float | NotEstimable:
    """Return the bound at a quantile of all arms pooled; a bound of 0 is refused, since it erases the metric.

    A sparse amount (99.1 % of Hillstrom's customers spent nothing) has its 99 % quantile at 0:
    positive_only takes the quantile among the values above 0 instead.
    quantile: 0..1; values: one array per arm, or the same from the covariate.  Raises ValueError for a wrong
    quantile.  Source: Dixon & Tukey, Technometrics 1968.
    """
    check_share(quantile, "quantile")
    pooled = _pool(values)
    if not len(pooled):
        return NotEstimable("there are no units")
    if not np.isfinite(pooled).all():
        return NotEstimable("a value is not a finite number")
    chosen = pooled[pooled > 0.0] if positive_only else pooled
    if not len(chosen):
        return NotEstimable("no value is above 0, so there is nothing to cap")
    return check_bound(float(np.quantile(chosen, quantile)), nonzero_share=float((pooled != 0.0).mean()))


def check_bound(bound: float, *, nonzero_share: float) -> float | NotEstimable:
    """Return the bound, or say aloud that it would turn every value into 0.

    bound: computed elsewhere (SQL) or fixed in the plan; nonzero_share: of the units, 0..1.
    Raises ValueError for a bound that is not finite.
    """
    check_finite(bound, "bound")
    if bound <= 0.0:
        return NotEstimable(
            f"the cap is {bound:.6g} because only {100.0 * nonzero_share:.2g} % of the units have a value other "
            "than 0; capping there would erase the metric, so take the quantile among the values above 0"
        )
    return bound


def winsorise(values: Sequence[Array], bound: float) -> Winsorised | NotEstimable:
    """Cut every value off at the same upper bound in all arms.

    Raises ValueError for a bound that is not finite.
    """
    pooled = _pool(values)
    if not len(pooled):
        return NotEstimable("there are no units")
    checked = check_bound(bound, nonzero_share=float((pooled != 0.0).mean()))
    if isinstance(checked, NotEstimable):
        return checked
    capped = tuple(np.minimum(np.asarray(arm, dtype=float), bound) for arm in values)
    total = float(pooled.sum())
    removed = total - float(sum(float(arm.sum()) for arm in capped))
    return Winsorised(
        values=capped,
        bound=bound,
        share_capped=float((pooled > bound).mean()),
        total_removed=removed / total if total > 0.0 else 0.0,
    )


def _pool(values: Sequence[Array]) -> Array:
    return np.concatenate([np.asarray(arm, dtype=float) for arm in values]) if values else np.zeros(0)
