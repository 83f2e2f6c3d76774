import numpy as np
import pytest
import statsmodels.api as sm
from numpy.typing import NDArray

from analysis.stats.clusters import ClusteredEffect, fit_clustered
from analysis.stats.estimable import NotEstimable
from tests.analysis.stats.makers import binomial_band

Array = NDArray[np.float64]


def rows(seed: int, clusters: int = 12) -> tuple[Array, Array, NDArray[np.int64]]:
    """Outcome, design (constant, treatment by cluster, covariate), cluster of uneven sizes."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(2, 15, clusters)
    label = np.repeat(np.arange(clusters), sizes)
    treated = (label % 3 == 0).astype(float)
    covariate = rng.normal(size=len(label))
    outcome = rng.normal(size=clusters)[label] + 0.5 * covariate + rng.normal(size=len(label))
    return outcome, np.column_stack([np.ones(len(label)), treated, covariate]), label


def fitted(*arguments: object, **options: object) -> tuple[ClusteredEffect, ...]:
    result = fit_clustered(*arguments, **options)  # type: ignore[arg-type]
    assert not isinstance(result, NotEstimable)
    return result


def dense_cr2(y: Array, x: Array, label: NDArray[np.int64]) -> tuple[Array, Array]:
    """Bell & McCaffrey 2002, written out with n x n matrices: variances and Satterthwaite df."""
    n = len(y)
    bread = np.linalg.inv(x.T @ x)
    annihilator = np.eye(n) - x @ bread @ x.T
    residual = annihilator @ y
    meat, pieces = np.zeros_like(bread), []
    for g in np.unique(label):
        inside = label == g
        values, vectors = np.linalg.eigh(annihilator[np.ix_(inside, inside)])
        root = (vectors / np.sqrt(values)) @ vectors.T
        weighted = root @ x[inside] @ bread
        score = weighted.T @ residual[inside]
        meat += np.outer(score, score)
        pieces.append(annihilator[inside].T @ weighted)
    dfs = []
    for j in range(x.shape[1]):
        columns = np.column_stack([piece[:, j] for piece in pieces])
        eigenvalues = np.linalg.eigvalsh(columns.T @ columns)
        dfs.append(eigenvalues.sum() ** 2 / (eigenvalues**2).sum())
    return np.diag(meat), np.array(dfs)


def test_cr2_equals_the_matrix_formula() -> None:
    y, x, label = rows(1)
    wanted, dfs = dense_cr2(y, x, label)
    for effect, variance, df in zip(fitted(y, x, label), wanted, dfs, strict=True):
        assert effect.se**2 == pytest.approx(variance, rel=1e-8)
        assert effect.df == pytest.approx(df, rel=1e-8)


def test_clusters_of_one_with_cr2_are_hc2() -> None:
    y, x, _ = rows(2)
    wanted = sm.OLS(y, x).fit(cov_type="HC2").bse
    found = [effect.se for effect in fitted(y, x, np.arange(len(y)))]
    assert found == pytest.approx(wanted.tolist(), rel=1e-9)


def test_cr1_equals_statsmodels_and_the_order_of_rows_does_not_matter() -> None:
    y, x, label = rows(3)
    wanted = sm.OLS(y, x).fit(cov_type="cluster", cov_kwds={"groups": label}).bse.tolist()
    assert [e.se for e in fitted(y, x, label, covariance="cr1")] == pytest.approx(wanted, rel=1e-9)
    order = np.random.default_rng(4).permutation(len(y))
    for covariance in ("cr1", "cr2"):
        straight = fitted(y, x, label, covariance=covariance)
        mixed = fitted(y[order], x[order], label[order] * 7 + 3, covariance=covariance)
        assert [e.se for e in mixed] == pytest.approx([e.se for e in straight], rel=1e-8)


def test_data_without_an_answer_get_a_reason() -> None:
    y, x, label = rows(5)
    assert isinstance(fit_clustered(y, x, np.zeros(len(y), dtype=int)), NotEstimable)
    assert isinstance(fit_clustered(y[:2], x[:2], label[:2]), NotEstimable)
    assert isinstance(fit_clustered(y, np.column_stack([x, x[:, 1]]), label), NotEstimable)
    assert isinstance(fit_clustered(y[:0], x[:0], label[:0]), NotEstimable)
    with pytest.raises(ValueError, match="same units"):
        fit_clustered(y[:-1], x, label)
    with pytest.raises(ValueError, match="cr1"):
        fit_clustered(y, x, label, second=label, covariance="cr2")
    with pytest.raises(ValueError, match="finite"):
        fit_clustered(y * np.nan, x, label)


@pytest.mark.slow
def test_few_clusters_keep_their_level_with_cr2() -> None:
    """2,000 A/A tests of 12 uneven clusters (4 treated): CR2 near 5 %, where CR1 rejects too often."""
    rejected = {"cr1": 0, "cr2": 0}
    for run in range(2_000):
        y, x, label = rows(1_000 + run)
        for covariance in rejected:
            rejected[covariance] += fitted(y, x, label, covariance=covariance)[1].p_value < 0.05
    _, high = binomial_band(2_000, 0.05)
    assert rejected["cr2"] / 2_000 <= high
    assert rejected["cr1"] / 2_000 > 0.07
