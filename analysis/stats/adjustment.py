"""CUPED and CUPAC: what units did before the experiment takes its noise out of the comparison."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.stats.arms import ArmEstimate, contrast_variance, estimate_mean, estimate_ratio
from analysis.stats.estimable import NotEstimable
from analysis.stats.moments import Moments

Array = NDArray[np.float64]

RANK_TOLERANCE = 1e-9
"""Eigenvalues of the covariates' correlation matrix below this are the same information told twice."""


@dataclass(frozen=True, slots=True)
class AdjustedPair:
    """Both arms as if their covariates had had the same mean; compare them as any other pair.

    variance_reduction: share of the difference's variance that the covariates removed (negative when they
    cost more degrees of freedom than they explain); coefficients: (control, treatment), one slope per
    covariate; imbalance: treatment minus control mean of each covariate, in pooled standard deviations.
    """

    control: ArmEstimate
    treatment: ArmEstimate
    variance_reduction: float
    coefficients: tuple[tuple[float, ...], tuple[float, ...]]
    imbalance: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class _Fit:
    """One arm's regression: plain estimate, slopes, residual variance of the mean, covariates' moments."""

    plain: ArmEstimate
    slopes: Array
    own_se2: float
    df: float
    means: Array
    covariance: Array


def adjust_pair(
    control: Moments,
    treatment: Moments,
    *,
    numerator: int = 0,
    denominator: int | None = None,
    covariates: Sequence[int] = (1,),
    conversions: tuple[int | None, int | None] = (None, None),
) -> AdjustedPair | NotEstimable:
    """Adjust two arms by a fully interacted regression on pre-exposure covariates, from moments alone.

    m_a = mean_a - beta_a (x_a - x), beta_a the slopes within arm a, x the covariate means of both arms. The
    variances count the sampling of x too, as V(m1 - c m0) = s1/n1 + c^2 s0/n0 + (b1 - c b0)' S (b1 - c b0),
    S = (n1 S1 + n0 S0) / (n1 + n0)^2, so lift and difference stay exact.  A metric that is a ratio of totals
    (`denominator` given) is adjusted through its linearisation (N - R D) / mean D; give the totals before
    exposure as two covariates. Covariates that do not vary, or repeat another, change nothing.
    numerator, denominator, covariates: columns; covariates must be known before exposure (CUPAC: one column
    of cross-fitted predictions, see analysis.stats.predictions).  conversions: of control and treatment,
    passed on.  Raises ValueError for a column that does not exist or is used twice.
    Source: Deng, Xu, Kohavi & Walker 2013; Lin, Annals of Applied Statistics 2013; Guo et al. 2021 (CUPAC).
    """
    _check_columns(control, treatment, numerator, denominator, covariates)
    columns = list(covariates)
    basis = _common_basis(control, treatment, columns)
    if isinstance(basis, NotEstimable):
        return basis
    fits: list[_Fit] = []
    for moments, name, count in zip((control, treatment), ("control", "treatment"), conversions, strict=True):
        fit = _fit_arm(moments, numerator, denominator, columns, basis, count)
        if isinstance(fit, NotEstimable):
            return NotEstimable(f"{name}: {fit.reason}")
        fits.append(fit)
    return _combine(fits[0], fits[1])


def _check_columns(
    control: Moments, treatment: Moments, numerator: int, denominator: int | None, covariates: Sequence[int]
) -> None:
    used = [numerator, *covariates] + ([] if denominator is None else [denominator])
    if control.columns != treatment.columns or not all(0 <= c < control.columns for c in used):
        raise ValueError(f"columns {used} do not exist in both arms")
    if len(set(used)) != len(used):
        raise ValueError(f"a column is used twice: {used}")


def _covariance(moments: Moments, rows: Sequence[int], columns: Sequence[int]) -> Array | NotEstimable:
    table = np.zeros((len(rows), len(columns)))
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            value = moments.covariance(row, column)
            if isinstance(value, NotEstimable):
                return value
            table[i, j] = value
    return table


def _common_basis(control: Moments, treatment: Moments, columns: list[int]) -> Array | NotEstimable:
    """Directions (p, r) in which the covariates vary within the arms; shared, so both arms adjust alike.

    A covariate counts as constant when it does not vary in one of the arms: it has no slope there.
    """
    tables = [_covariance(moments, columns, columns) for moments in (control, treatment)]
    first, second = tables
    if isinstance(first, NotEstimable) or isinstance(second, NotEstimable):
        return NotEstimable("a variance needs at least 2 units in each arm")
    pooled = (control.n * first + treatment.n * second) / (control.n + treatment.n)
    varies = (np.diag(first) > 0.0) & (np.diag(second) > 0.0)
    scale = np.where(varies, np.sqrt(np.maximum(np.diag(pooled), 0.0)), 1.0)
    correlation = np.where(np.outer(varies, varies), pooled / np.outer(scale, scale), 0.0)
    values, vectors = np.linalg.eigh(correlation)
    kept: Array = (vectors / scale[:, None])[:, values > RANK_TOLERANCE]
    return kept


def _fit_arm(
    moments: Moments,
    numerator: int,
    denominator: int | None,
    covariates: list[int],
    basis: Array,
    conversions: int | None,
) -> _Fit | NotEstimable:
    if denominator is None:
        plain = estimate_mean(moments, numerator, conversions=conversions)
    else:
        plain = estimate_ratio(moments, numerator, denominator, conversions=conversions)
    if isinstance(plain, NotEstimable):
        return plain
    rank = basis.shape[1]
    df = moments.n - 1.0 - rank
    if df < 1.0:
        return NotEstimable(f"an adjustment by {rank} covariates needs more than {rank + 1} units")
    with_outcome = _covariance(moments, covariates, [numerator])
    among = _covariance(moments, covariates, covariates)
    means = _means(moments, covariates)
    if isinstance(with_outcome, NotEstimable) or isinstance(among, NotEstimable):
        return NotEstimable("the values are too large to square")
    cross = with_outcome[:, 0]
    if denominator is not None:
        with_denominator = _covariance(moments, covariates, [denominator])
        mean = moments.mean(denominator)
        if isinstance(with_denominator, NotEstimable) or isinstance(mean, NotEstimable):
            return NotEstimable("the values are too large to square")
        cross = (cross - plain.mean * with_denominator[:, 0]) / mean
    slopes = basis @ np.linalg.lstsq(basis.T @ among @ basis, basis.T @ cross, rcond=None)[0]
    residual = plain.variance - 2.0 * float(slopes @ cross) + float(slopes @ among @ slopes)
    residual = 0.0 if residual <= 1e-13 * plain.variance else residual
    own_se2 = residual * (moments.n - 1.0) / df / moments.n
    return _Fit(plain, slopes, own_se2, df, means, among)


def _means(moments: Moments, columns: Sequence[int]) -> Array:
    return np.array([moments.shift[c] + moments.sums[c] / moments.n for c in columns])


def _combine(control: _Fit, treatment: _Fit) -> AdjustedPair:
    n0, n1 = control.plain.n, treatment.plain.n
    gap = treatment.means - control.means
    shared = (n1 * treatment.covariance + n0 * control.covariance) / float(n0 + n1) ** 2
    b0, b1 = control.slopes, treatment.slopes
    covariance = float(b1 @ shared @ b0)
    arms = (
        _adjusted(control, control.plain.mean + float(b0 @ gap) * n1 / (n0 + n1), shared, covariance),
        _adjusted(treatment, treatment.plain.mean - float(b1 @ gap) * n0 / (n0 + n1), shared, covariance),
    )
    before = contrast_variance(control.plain, treatment.plain)
    reduction = 1.0 - contrast_variance(*arms) / before if before > 0.0 else 0.0
    spread = np.sqrt(np.diag(shared) * (n0 + n1))
    imbalance = np.divide(gap, spread, out=np.zeros_like(gap), where=spread > 0.0)
    return AdjustedPair(
        control=arms[0],
        treatment=arms[1],
        variance_reduction=reduction,
        coefficients=(tuple(b0.tolist()), tuple(b1.tolist())),
        imbalance=tuple(imbalance.tolist()),
    )


def _adjusted(fit: _Fit, mean: float, shared: Array, covariance: float) -> ArmEstimate:
    se2 = fit.own_se2 + float(fit.slopes @ shared @ fit.slopes)
    return ArmEstimate(fit.plain.n, mean, se2, fit.df, fit.plain.conversions, covariance)
