"""What a purchase of a customer is worth: the Gamma-Gamma model."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special

from analysis.stats.estimable import NotEstimable

Array = NDArray[np.float64]

MINIMUM_CUSTOMERS = 20
FLATTEST = 11.0
"""Largest |ln parameter| of a fit, spend in units of its mean; beyond it the data hold no peak."""


@dataclass(frozen=True, slots=True)
class GammaGamma:
    """Spend per purchase is gamma(p, nu) within a customer; nu is gamma(q, v) between customers.

    v: in the currency.  Raises ValueError unless all are positive.
    Source: Fader & Hardie 2013, note 025, "The Gamma-Gamma model of monetary value".
    """

    p: float
    q: float
    v: float

    def __post_init__(self) -> None:
        if not all(value > 0.0 and math.isfinite(value) for value in (self.p, self.q, self.v)):
            raise ValueError("all three parameters must be positive")

    @property
    def population_mean(self) -> float | NotEstimable:
        """Expected spend per purchase of a random customer: v p / (q - 1)."""
        if self.q <= 1.0:
            return NotEstimable("the spend varies so much between customers that its mean is infinite")
        return self.v * self.p / (self.q - 1.0)

    def expected_spend(self, frequency: float, mean_spend: float) -> float | NotEstimable:
        """Expected spend per purchase of a customer with `frequency` purchases of mean_spend on average.

        v p / (q - 1) and the own mean, weighted (q - 1) : p x. Raises ValueError for negatives.
        Source: note 025, equation 5.
        """
        if frequency < 0.0 or mean_spend < 0.0:
            raise ValueError("frequency and mean_spend cannot be negative")
        weight = self.p * frequency + self.q - 1.0
        if weight <= 0.0:
            return NotEstimable("too few purchases for a finite expected spend")
        return self.p * (self.v + frequency * mean_spend) / weight

    def log_likelihood(self, frequency: ArrayLike, mean_spend: ArrayLike) -> Array:
        """Log-likelihood of each customer's mean spend, shape (n,).  Source: note 025, equation 1a."""
        x, m = _as_spends(frequency, mean_spend)
        return _log_likelihood(x, m, self.p, self.q, self.v)


@dataclass(frozen=True, slots=True)
class GammaGammaFit:
    """The maximum-likelihood model, its log-likelihood and the number of customers behind it."""

    model: GammaGamma
    log_likelihood: float
    customers: int


def fit_gamma_gamma(frequency: ArrayLike, mean_spend: ArrayLike) -> GammaGammaFit | NotEstimable:
    """Fit Gamma-Gamma by maximum likelihood to customers with at least one purchase and a positive mean spend.

    frequency: purchases behind the mean; mean_spend: per purchase; shape (n,) each. Others are left out.
    The model takes spend per purchase as independent of the number of purchases: check that first.
    NotEstimable below 20 such customers, or when the likelihood has no peak (no variation).
    Raises ValueError for shapes that differ or negative values.
    Source: Fader & Hardie 2013, note 025.
    """
    x, m = _as_spends(frequency, mean_spend)
    used = (x > 0.0) & (m > 0.0)
    x, m = x[used], m[used]
    if len(x) < MINIMUM_CUSTOMERS:
        return NotEstimable(
            f"at least {MINIMUM_CUSTOMERS} customers with purchases are needed (now {len(x)})"
        )
    unit = float(m.mean())

    def loss(logs: Array) -> float:
        return -float(_log_likelihood(x, m / unit, *np.exp(logs).tolist()).mean())

    bounds = [(-FLATTEST, FLATTEST)] * 3
    found = optimize.minimize(
        loss,
        np.log([4.0, 3.0, 0.5]),
        method="L-BFGS-B",
        bounds=bounds,
        options={"ftol": 1e-14, "gtol": 1e-9, "maxiter": 1_000},
    )
    if not math.isfinite(float(found.fun)) or bool((np.abs(found.x) >= FLATTEST - 1e-3).any()):
        return NotEstimable("the spends do not determine the model")
    p, q, v = (float(value) for value in np.exp(found.x))
    model = GammaGamma(p, q, v * unit)
    return GammaGammaFit(model, float(model.log_likelihood(x, m).sum()), len(x))


def _log_likelihood(x: Array, m: Array, p: float, q: float, v: float) -> Array:
    px = p * x
    shape = special.gammaln(px + q) - special.gammaln(px) - special.gammaln(q)
    value = shape + q * math.log(v) + (px - 1.0) * np.log(m) + px * np.log(x) - (px + q) * np.log(x * m + v)
    return np.asarray(value, dtype=np.float64)


def _as_spends(frequency: ArrayLike, mean_spend: ArrayLike) -> tuple[Array, Array]:
    x, m = np.asarray(frequency, dtype=np.float64), np.asarray(mean_spend, dtype=np.float64)
    if x.ndim != 1 or x.shape != m.shape:
        raise ValueError("frequency and mean_spend need one value per customer")
    if not bool(np.isfinite(x).all() and np.isfinite(m).all() and (x >= 0.0).all() and (m >= 0.0).all()):
        raise ValueError("frequency and mean_spend must be finite and not negative")
    return x, m
