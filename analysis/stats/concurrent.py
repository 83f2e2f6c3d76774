"""Experiments that ran on the same units at the same time: does one change the effect of the other?"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.stats.arms import ArmEstimate
from analysis.stats.compare import t_quantile, tail_probability
from analysis.stats.estimable import Interval, NotEstimable, check_share
from analysis.stats.multiplicity import adjust_p_values


@dataclass(frozen=True, slots=True)
class SharedCells:
    """Four groups of the units that two experiments share; first digit: arm in A, second: arm in B.

    m11: treated in both, m10: in A only, m01: in B only, m00: in neither.
    """

    key: str
    m11: ArmEstimate | NotEstimable
    m10: ArmEstimate | NotEstimable
    m01: ArmEstimate | NotEstimable
    m00: ArmEstimate | NotEstimable


@dataclass(frozen=True, slots=True)
class PairInteraction:
    """m11 - m10 - m01 + m00: how much B changes the effect of A (and A that of B)."""

    key: str
    difference: float
    se: float
    df: float
    p_value: float
    p_adjusted: float
    absolute: Interval


def detect_pair_interactions(
    pairs: Sequence[SharedCells], *, alpha: float = 0.05
) -> tuple[PairInteraction | NotEstimable, ...]:
    """Test the interaction of every pair of experiments, Benjamini-Hochberg over the pairs, in their order.

    Satterthwaite degrees of freedom over the four cells; intervals are of level 1 - alpha, not adjusted.
    NotEstimable for a pair with an empty or constant set of cells.  Raises ValueError for a wrong alpha.
    Source: Satterthwaite 1946; Benjamini & Hochberg 1995; Kohavi, Tang & Xu 2020, chapter 4.
    """
    check_share(alpha, "alpha")
    found = [_interaction(pair, alpha) for pair in pairs]
    p_values = [row if isinstance(row, NotEstimable) else row.p_value for row in found]
    adjusted = adjust_p_values(p_values, "bh")
    return tuple(
        row if isinstance(row, NotEstimable) or isinstance(p, NotEstimable) else _with_adjusted(row, p)
        for row, p in zip(found, adjusted, strict=True)
    )


def _with_adjusted(row: PairInteraction, p: float) -> PairInteraction:
    return PairInteraction(row.key, row.difference, row.se, row.df, row.p_value, p, row.absolute)


def _interaction(pair: SharedCells, alpha: float) -> PairInteraction | NotEstimable:
    cells: list[ArmEstimate] = []
    for name in ("m11", "m10", "m01", "m00"):
        cell: ArmEstimate | NotEstimable = getattr(pair, name)
        if isinstance(cell, NotEstimable):
            return NotEstimable(f"{name}: {cell.reason}")
        cells.append(cell)
    difference = cells[0].mean - cells[1].mean - cells[2].mean + cells[3].mean
    se2 = sum(cell.se2 for cell in cells)
    if se2 <= 0.0:
        return NotEstimable("the values do not vary in any of the four groups")
    if not (math.isfinite(difference) and math.isfinite(se2)):
        return NotEstimable("the values are too large to compare")
    se = math.sqrt(se2)
    df = 1.0 / sum((cell.se2 / se2) ** 2 / cell.df for cell in cells)
    p = tail_probability(difference / se, df, "two-sided")
    reach = t_quantile(df, alpha / 2.0) * se
    return PairInteraction(
        pair.key, difference, se, df, p, p, Interval(difference - reach, difference + reach)
    )
