"""CUPAC: predictions of the outcome that never saw the unit they predict, to be used as a covariate."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from analysis.stats.estimable import NotEstimable

Array = NDArray[np.float64]

Fit = Callable[[Array, Array], Callable[[Array], Array]]
"""Takes features (n, p) and outcomes (n,), returns a function from features to predictions."""


def cross_fit(
    features: Array, outcomes: Array, folds: NDArray[np.int64], fit: Fit | None = None
) -> Array | NotEstimable:
    """Predict every unit's outcome by a model fitted on the units of all *other* folds, arms mixed.

    features: known before exposure, shape (n, p); folds: shape (n,), a hash of the unit id modulo the number
    of folds, so that a unit stays in its fold whenever it is computed. fit: ridge regression by default.
    Units of all arms are used together: the prediction cannot know the assignment, so using it as a covariate
    (adjustment.adjust_pair) stays unbiased. NotEstimable when a fold has no counterpart to learn from.
    Raises ValueError when shapes differ or a number is not finite.
    Source: Guo et al. 2021, "Machine learning for variance reduction in online experiments"; Tang et al. 2020.
    """
    x, y = np.asarray(features, dtype=float), np.asarray(outcomes, dtype=float)
    if x.ndim != 2 or y.shape != (len(x),) or folds.shape != y.shape:
        raise ValueError("features (n, p), outcomes (n,) and folds (n,) must describe the same units")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("features and outcomes must be finite")
    learn = fit or fit_ridge
    predictions = np.zeros(len(y))
    for fold in np.unique(folds):
        inside = folds == fold
        if (~inside).sum() <= x.shape[1] + 1:
            return NotEstimable("too few units outside a fold to learn a prediction from")
        predictions[inside] = learn(x[~inside], y[~inside])(x[inside])
    return predictions


def fit_ridge(features: Array, outcomes: Array, penalty: float = 1.0) -> Callable[[Array], Array]:
    """Fit a ridge regression on standardised features; penalty: in units of one observation's weight.

    Source: Hoerl & Kennard, Technometrics 1970.
    """
    centre, spread = features.mean(axis=0), features.std(axis=0)
    scale = np.where(spread > 0.0, spread, 1.0)
    z = (features - centre) / scale
    level = float(outcomes.mean())
    slopes = np.linalg.solve(z.T @ z + penalty * np.eye(z.shape[1]), z.T @ (outcomes - level))

    def predict(new: Array) -> Array:
        values: Array = level + (new - centre) / scale @ slopes
        return values

    return predict
