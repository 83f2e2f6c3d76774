"""Regressions whose units go together in clusters (shops, households, days): CR1 and CR2 standard errors."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.sandwich_covariance import cov_cluster, cov_cluster_2groups, cov_hc1

from analysis.stats.compare import t_quantile, tail_probability
from analysis.stats.estimable import Interval, NotEstimable, check_share

Array = NDArray[np.float64]
Labels = NDArray[np.int64]
ClusterCovariance = Literal["cr1", "cr2"]

FEWEST_CLUSTERS = 2


@dataclass(frozen=True, slots=True)
class ClusteredEffect:
    """One coefficient with its cluster-robust standard error; clusters: of the scarcer grouping."""

    estimate: float
    se: float
    statistic: float
    df: float
    p_value: float
    interval: Interval
    clusters: int


def fit_clustered(
    outcomes: Array,
    design: Array,
    clusters: Labels | None,
    *,
    second: Labels | None = None,
    covariance: ClusterCovariance = "cr2",
    alpha: float = 0.05,
) -> tuple[ClusteredEffect, ...] | NotEstimable:
    """Fit least squares and give every coefficient the standard error of clustered sampling.

    outcomes (n,), design (n, p) including the constant; clusters: index per row, None for White's errors of
    independent rows; second: another, crossed grouping (cr1 only).  cr1: G/(G-1) (n-1)/(n-p), t with G - 1 df;
    cr2: unbiased under independence, Bell-McCaffrey (Satterthwaite) df, to be preferred below 50 clusters.
    For a comparison of arms randomised by cluster, arms.estimate_ratio on the clusters' sums needs no regression.
    Raises ValueError for shapes, values that are not finite or an unknown covariance.
    Source: White 1980; Liang & Zeger 1986; Bell & McCaffrey 2002; Imbens & Kolesar 2016; Cameron, Gelbach &
    Miller 2011 (two groupings).
    """
    check_share(alpha, "alpha")
    y, x = np.asarray(outcomes, dtype=float), np.asarray(design, dtype=float)
    groupings = [g for g in (clusters, second) if g is not None]
    if x.ndim != 2 or y.shape != (len(x),) or any(g.shape != y.shape for g in groupings):
        raise ValueError("outcomes (n,), design (n, p) and clusters (n,) must describe the same units")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("outcomes and design must be finite")
    if covariance not in ("cr1", "cr2") or (covariance == "cr2" and second is not None):
        raise ValueError("covariance is 'cr1' or 'cr2', and two groupings need 'cr1'")
    if len(y) <= x.shape[1] or np.linalg.matrix_rank(x) < x.shape[1]:
        return NotEstimable("the design has more columns than information")
    codes = [np.unique(g, return_inverse=True)[1] for g in groupings]
    count = min((int(code.max()) + 1 for code in codes), default=len(y))
    if count < FEWEST_CLUSTERS:
        return NotEstimable("a cluster-robust error needs at least 2 clusters")
    if clusters is not None and covariance == "cr2":
        estimates, se2, df = _fit_cr2(y, x, codes[0])
    else:
        estimates, se2 = _fit_cr1(y, x, codes)
        df = np.full(x.shape[1], float(count - 1) if codes else float(len(y) - x.shape[1]))
    if bool((se2 <= 0.0).any()):
        return NotEstimable("the residuals do not vary between clusters")
    return tuple(
        _effect(float(b), math.sqrt(float(v)), float(d), count, alpha)
        for b, v, d in zip(estimates, se2, df, strict=True)
    )


def _effect(estimate: float, se: float, df: float, clusters: int, alpha: float) -> ClusteredEffect:
    margin, statistic = t_quantile(df, alpha / 2.0) * se, estimate / se
    interval = Interval(estimate - margin, estimate + margin)
    p_value = tail_probability(statistic, df, "two-sided")
    return ClusteredEffect(estimate, se, statistic, df, p_value, interval, clusters)


def _fit_cr1(y: Array, x: Array, codes: list[NDArray[np.int64]]) -> tuple[Array, Array]:
    fitted = OLS(y, x).fit()
    if not codes:
        table = cov_hc1(fitted)
    elif len(codes) == 1:
        table = cov_cluster(fitted, codes[0])
    else:
        table = cov_cluster_2groups(fitted, codes[0], codes[1])[0]
    return np.asarray(fitted.params, dtype=float), np.diag(np.asarray(table, dtype=float))


def _fit_cr2(y: Array, x: Array, codes: NDArray[np.int64]) -> tuple[Array, Array, Array]:
    """CR2: residuals of a cluster times (I - H_gg)^(-1/2); df by Satterthwaite for each coefficient.

    Everything is done in the p-dimensional column space: with x orthonormal, (I - Q Q')^(-1/2) of a cluster is
    I + Q V (((1 - s^2)^(-1/2) - 1) / s^2) V' Q', Q' Q = V s^2 V', so no n_g x n_g matrix is built.
    """
    q, r = np.linalg.qr(x)
    inverse = np.linalg.inv(r)
    estimates = inverse @ (q.T @ y)
    residuals = y - x @ estimates
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(codes[order]) > 0])
    grams = np.add.reduceat(np.einsum("ni,nj->nij", q, q)[order], starts, axis=0)
    sums = np.add.reduceat((q * residuals[:, None])[order], starts, axis=0)
    values, vectors = np.linalg.eigh(grams)
    free = np.maximum(1.0 - values, 0.0)
    root = np.where(free > 1e-10, 1.0 / np.sqrt(np.maximum(free, 1e-10)), 0.0)  # pseudo-inverse square root
    adjusted = np.einsum("gik,gk,gjk->gij", vectors, root, vectors)
    # Q' (I - QQ')^(-1/2) e = V root V' Q' e, because Q' commutes through the spectral form
    scores = np.einsum("gij,gj->gi", adjusted, sums) @ inverse.T
    se2 = (scores**2).sum(axis=0)
    return estimates, se2, np.array([_satterthwaite(grams, adjusted, row) for row in inverse])


def _satterthwaite(grams: Array, adjusted: Array, row: Array) -> float:
    """(tr P)^2 / tr(P^2), P_gh = w_g' (I - H)_gh w_h with w_g = A_g Q_g row, under independent errors.

    w_g' w_g = b' G b and w_g' Q_g = b' G with b = root row (in the column space), so P = diag - U U'.
    """
    b = np.einsum("gij,j->gi", adjusted, row)
    u = np.einsum("gij,gj->gi", grams, b)
    own = np.einsum("gi,gi->g", b, u)
    gram = u.T @ u
    cross = np.einsum("gi,gi->g", u, u)
    trace = float(own.sum() - np.trace(gram))
    squares = float((own**2).sum() - 2.0 * (own * cross).sum() + (gram * gram).sum())
    return max(1.0, trace * trace / squares) if squares > 0.0 else 1.0
