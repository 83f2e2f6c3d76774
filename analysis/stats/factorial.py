"""Factorial experiments: main effects and interactions of two-level factors, from cell means or from rows."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from analysis.stats.arms import ArmEstimate
from analysis.stats.compare import t_quantile, tail_probability
from analysis.stats.estimable import Interval, NotEstimable, check_share

Array = NDArray[np.float64]
Cell = tuple[int, ...]
FactorialCovariance = Literal["pooled", "hc2", "hc3"]


@dataclass(frozen=True, slots=True)
class FactorialEffect:
    """One main effect or interaction; factors: the indices it is made of, (0,) or (0, 2).

    effect: of switching the factor on, averaged over the other factors; of an interaction: half the difference
    between that effect with the other factor on and off.  f: the square of the statistic.
    """

    factors: tuple[int, ...]
    effect: float
    se: float
    statistic: float
    df: float
    p_value: float
    interval: Interval

    @property
    def f(self) -> float:
        """The F of an analysis of variance table, 1 and df degrees of freedom."""
        return self.statistic * self.statistic


def factorial_terms(factors: int, largest_order: int) -> tuple[tuple[int, ...], ...]:
    """All main effects and interactions up to an order, main effects first."""
    orders = range(1, min(factors, largest_order) + 1)
    return tuple(term for order in orders for term in combinations(range(factors), order))


def compare_cells(
    cells: Mapping[Cell, ArmEstimate | NotEstimable],
    *,
    largest_order: int = 2,
    covariance: Literal["hc2", "hc3"] = "hc2",
    alpha: float = 0.05,
) -> dict[tuple[int, ...], FactorialEffect | NotEstimable]:
    """Estimate all effects of a full 2^k design from its cells' estimates by +-1 contrasts.

    cells: (0, 1, ..) per unit's factor levels -> estimate; all 2^k must be given. The variance of a contrast is
    the sum of the cells' own squared standard errors (exactly HC2; HC3 has n/(n-1) of it), its df Welch's.
    A cell without an estimate makes every effect not estimable: each of them averages over all cells.
    Raises ValueError when cells are missing, an alpha is wrong, or the covariance unknown.
    Source: Box, Hunter & Hunter 2005, chapter 5; MacKinnon & White 1985 (HC2, HC3); Dasgupta et al. 2015.
    """
    check_share(alpha, "alpha")
    if covariance not in ("hc2", "hc3"):
        raise ValueError(f"unknown covariance {covariance!r}")
    factors = len(next(iter(cells), ()))
    if factors < 1 or set(cells) != set(np.ndindex((2,) * factors)):
        raise ValueError("give every cell of a full design of two-level factors, (0, 0) to (1, 1)")
    terms = factorial_terms(factors, largest_order)
    estimates: list[tuple[Cell, ArmEstimate]] = []
    for cell, arm in cells.items():
        if isinstance(arm, NotEstimable):
            return {term: NotEstimable(f"cell {cell}: {arm.reason}") for term in terms}
        estimates.append((cell, arm))
    return {term: _cell_contrast(term, estimates, covariance, alpha) for term in terms}


def _cell_contrast(
    term: tuple[int, ...],
    cells: Sequence[tuple[Cell, ArmEstimate]],
    covariance: Literal["hc2", "hc3"],
    alpha: float,
) -> FactorialEffect | NotEstimable:
    weight = 2.0 / len(cells)
    effect, pieces = 0.0, []
    for cell, arm in cells:
        effect += weight * math.prod(1.0 if cell[i] else -1.0 for i in term) * arm.mean
        grown = arm.n / (arm.n - 1.0) if covariance == "hc3" and arm.n > 1 else 1.0
        pieces.append((weight * weight * arm.se2 * grown, arm.df))
    se2 = sum(piece for piece, _ in pieces)
    if se2 <= 0.0:
        return NotEstimable("the values do not vary in any cell")
    df = 1.0 / sum((piece / se2) ** 2 / cell_df for piece, cell_df in pieces)
    return _effect(term, effect, math.sqrt(se2), df, alpha)


def fit_factorial(
    outcomes: Array,
    factors: NDArray[np.int64],
    *,
    blocks: NDArray[np.int64] | None = None,
    largest_order: int = 2,
    covariance: FactorialCovariance = "hc2",
    alpha: float = 0.05,
) -> dict[tuple[int, ...], FactorialEffect | NotEstimable]:
    """Estimate effects from rows, shape (n,) and factors (n, k) of 0/1, within blocks if there are any.

    A regression on +-1 coded factors, their interactions up to the order, and block means. covariance: pooled is
    the textbook's analysis of variance; hc2 and hc3 allow each cell its own variance (df n - p). Effects
    that the blocks or other effects hide (confounded) are not estimable.
    Raises ValueError for shapes, levels other than 0/1, values that are not finite or a wrong option.
    Source: Yates 1937 (blocks); MacKinnon & White 1985; Long & Ervin 2000.
    """
    check_share(alpha, "alpha")
    y, levels = np.asarray(outcomes, dtype=float), np.asarray(factors)
    if y.ndim != 1 or levels.ndim != 2 or len(levels) != len(y) or not np.isin(levels, (0, 1)).all():
        raise ValueError("outcomes (n,) and factors (n, k) of 0 and 1 must describe the same units")
    if not np.isfinite(y).all() or (blocks is not None and blocks.shape != y.shape):
        raise ValueError("outcomes must be finite and every unit in one block")
    if covariance not in ("pooled", "hc2", "hc3"):
        raise ValueError(f"unknown covariance {covariance!r}")
    terms = factorial_terms(levels.shape[1], largest_order)
    signs = 2.0 * levels - 1.0
    columns = np.column_stack([signs[:, list(term)].prod(axis=1) for term in terms])
    means = np.ones((len(y), 1))
    if blocks is not None:
        means = (blocks[:, None] == np.unique(blocks)[None, :]).astype(float)
    return _regress(y, means, columns, terms, covariance, alpha)


def _regress(
    y: Array,
    means: Array,
    columns: Array,
    terms: Sequence[tuple[int, ...]],
    covariance: FactorialCovariance,
    alpha: float,
) -> dict[tuple[int, ...], FactorialEffect | NotEstimable]:
    if not len(y):
        return {term: NotEstimable("there are no units") for term in terms}
    design = np.column_stack([columns, means])
    u, values, vt = np.linalg.svd(design, full_matrices=False)
    kept = values > 1e-10 * values[0]
    df = len(y) - int(kept.sum())
    if df < 1:
        return {term: NotEstimable("there are as many effects as units") for term in terms}
    pseudo = (vt[kept].T / values[kept]) @ u[:, kept].T
    residuals = y - design @ (pseudo @ y)
    residuals[np.abs(residuals) <= 1e-12 * float(np.abs(y).max())] = 0.0
    meat = _meat(residuals, (u[:, kept] ** 2).sum(axis=1), df, covariance)
    projector = vt[kept].T @ vt[kept]
    results: dict[tuple[int, ...], FactorialEffect | NotEstimable] = {}
    for i, term in enumerate(terms):
        if 1.0 - projector[i, i] > 1e-8:
            results[term] = NotEstimable("confounded with the blocks or another effect of this design")
            continue
        se2 = 4.0 * float((pseudo[i] ** 2) @ meat)
        if se2 <= 0.0:
            results[term] = NotEstimable("the values do not vary within the cells")
            continue
        results[term] = _effect(term, 2.0 * float(pseudo[i] @ y), math.sqrt(se2), float(df), alpha)
    return results


def _meat(residuals: Array, leverage: Array, df: int, covariance: FactorialCovariance) -> Array:
    if covariance == "pooled":
        return np.full(len(residuals), float(residuals @ residuals) / df)
    free = np.maximum(1.0 - leverage, 1e-12)
    meat: Array = residuals**2 / (free if covariance == "hc2" else free**2)
    return meat


def _effect(term: tuple[int, ...], effect: float, se: float, df: float, alpha: float) -> FactorialEffect:
    statistic, margin = effect / se, t_quantile(df, alpha / 2.0) * se
    p_value = tail_probability(statistic, df, "two-sided")
    return FactorialEffect(
        term, effect, se, statistic, df, p_value, Interval(effect - margin, effect + margin)
    )
