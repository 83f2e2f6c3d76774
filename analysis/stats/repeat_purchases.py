"""Repeat purchases of customers who leave unseen: the BG/NBD model."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special

from analysis.stats.estimable import NotEstimable

Array = NDArray[np.float64]

MINIMUM_CUSTOMERS = 20
START_VALUES = ((1.0, 1.0, 1.0, 1.0), (0.3, 0.3, 0.5, 2.0), (3.0, 3.0, 2.0, 5.0))
FLATTEST = 12.0
"""Largest |ln parameter| of a fit (time in units of the longest history); beyond it the data hold no peak."""


@dataclass(frozen=True, slots=True)
class BgNbd:
    """A fitted or given BG/NBD model.

    r, alpha: gamma distribution of purchase rates (alpha in the unit of time); a, b: beta distribution of the
    chance to leave after a purchase.  Raises ValueError unless all are positive.
    Source: Fader, Hardie & Lee, Marketing Science 2005.
    """

    r: float
    alpha: float
    a: float
    b: float

    def __post_init__(self) -> None:
        if not all(value > 0.0 and math.isfinite(value) for value in (self.r, self.alpha, self.a, self.b)):
            raise ValueError("all four parameters must be positive")

    def log_likelihood(self, frequency: ArrayLike, recency: ArrayLike, age: ArrayLike) -> Array:
        """Log-likelihood of each customer, shape (n,); arguments as in fit_bg_nbd.  Source: equation 6."""
        x, t_x, t = _as_histories(frequency, recency, age)
        return _log_likelihood(x, t_x, t, self.r, self.alpha, self.a, self.b)

    def chance_of_count(self, count: int, age: float) -> float:
        """P(X(age) = count) for a random customer.  Raises ValueError for negatives.  Source: equation 8."""
        if count < 0 or age < 0.0:
            raise ValueError("count and age cannot be negative")
        idle, busy = self.alpha / (self.alpha + age), age / (self.alpha + age)
        log_count = special.gammaln(self.r + count) - special.gammaln(self.r) - special.gammaln(count + 1.0)
        log_count += self.r * math.log(idle) + special.xlogy(count, busy)
        whole = special.betaln(self.a, self.b)
        stayed = math.exp(special.betaln(self.a, self.b + count) - whole + log_count)
        if count == 0:
            return stayed
        left = math.exp(special.betaln(self.a + 1.0, self.b + count - 1.0) - whole)
        return stayed + left * float(special.betainc(count, self.r, busy))

    def expected_count(self, age: float) -> float:
        """E[X(age)] for a random customer.  Source: equation 9."""
        if age < 0.0:
            raise ValueError("age cannot be negative")
        return self._grown(self.r, self.b, self.alpha, age)

    def chance_active(self, frequency: int, recency: float, age: float) -> float:
        """Probability that a customer with this history has not left yet; 1 before the first repeat purchase.

        Source: Fader, Hardie & Lee, note 2008, "Computing P(alive) using the BG/NBD model".
        """
        x, t_x, t = (float(v[0]) for v in _as_histories([frequency], [recency], [age]))
        if x == 0.0:
            return 1.0
        log_odds = math.log(self.a / (self.b + x - 1.0)) + (self.r + x) * math.log(
            (self.alpha + t) / (self.alpha + t_x)
        )
        return float(special.expit(-log_odds))

    def expected_purchases(self, frequency: int, recency: float, age: float, *, ahead: float) -> float:
        """Expected purchases in the next `ahead` units of time, given a history.  Source: equation 10.

        Raises ValueError for a history that is impossible or ahead < 0.
        """
        if ahead < 0.0:
            raise ValueError("ahead cannot be negative")
        x, _, t = (float(v[0]) for v in _as_histories([frequency], [recency], [age]))
        grown = self._grown(self.r + x, self.b + x, self.alpha + t, ahead)
        return grown * self.chance_active(frequency, recency, age)

    def _grown(self, r: float, b: float, start: float, ahead: float) -> float:
        """(a + b - 1)/(a - 1) (1 - (start/end)^r 2F1(r, b; a + b - 1; ahead/end)), end = start + ahead.

        Euler's transformation keeps the terms of one sign; at a = 1 and a + b = 1 the limit from both sides.
        """
        a, end = self.a, start + ahead
        values = []
        for nudged in (a, a) if min(abs(a - 1.0), abs(a + b - 1.0)) > 1e-6 else (a + 2e-6, a - 2e-6):
            c = nudged + b - 1.0
            series = float(special.hyp2f1(c - r, nudged - 1.0, c, ahead / end))
            shrunk = math.pow(start / end, nudged - 1.0) * series
            values.append(c / (nudged - 1.0) * (1.0 - shrunk))
        return max(0.0, (values[0] + values[1]) / 2.0)


@dataclass(frozen=True, slots=True)
class BgNbdFit:
    """The maximum-likelihood model, its log-likelihood and the number of customers behind it."""

    model: BgNbd
    log_likelihood: float
    customers: int


def fit_bg_nbd(frequency: ArrayLike, recency: ArrayLike, age: ArrayLike) -> BgNbdFit | NotEstimable:
    """Fit BG/NBD by maximum likelihood.

    Per customer, shape (n,): frequency: *repeat* purchases, 0, 1, 2..; recency: time from the first to the last
    purchase (0 without repeats); age: time from the first purchase to the end of observation.
    NotEstimable below 20 customers, without repeat purchases, or when the likelihood has no peak.
    Raises ValueError for shapes that differ, negative values or a recency beyond the age.
    Source: Fader, Hardie & Lee 2005, equation 6.
    """
    x, t_x, t = _as_histories(frequency, recency, age)
    if len(x) < MINIMUM_CUSTOMERS:
        return NotEstimable(f"at least {MINIMUM_CUSTOMERS} customers are needed (now {len(x)})")
    if not bool((x > 0.0).any()):
        return NotEstimable("no customer has bought again")
    unit = float(t.max())
    best = min((_climb(x, t_x / unit, t / unit, start) for start in START_VALUES), key=lambda fit: fit[0])
    if not math.isfinite(best[0]) or bool((np.abs(best[1]) >= FLATTEST - 1e-3).any()):
        return NotEstimable("the purchase histories do not determine the model")
    r, alpha, a, b = (float(value) for value in np.exp(best[1]))
    model = BgNbd(r, alpha * unit, a, b)
    return BgNbdFit(model, float(model.log_likelihood(x, t_x, t).sum()), len(x))


def _climb(x: Array, t_x: Array, t: Array, start: tuple[float, ...]) -> tuple[float, Array]:
    """Least average negative log-likelihood over log parameters, from one start."""

    def loss(logs: Array) -> float:
        return -float(_log_likelihood(x, t_x, t, *np.exp(logs).tolist()).mean())

    bounds = [(-FLATTEST, FLATTEST)] * 4
    found = optimize.minimize(
        loss,
        np.log(start),
        method="L-BFGS-B",
        bounds=bounds,
        options={"ftol": 1e-14, "gtol": 1e-9, "maxiter": 500},
    )
    return float(found.fun), np.asarray(found.x, dtype=np.float64)


def _log_likelihood(x: Array, t_x: Array, t: Array, r: float, alpha: float, a: float, b: float) -> Array:
    shared = special.gammaln(r + x) - special.gammaln(r) + r * math.log(alpha) - special.betaln(a, b)
    active = special.betaln(a, b + x) - (r + x) * np.log(alpha + t)
    with np.errstate(divide="ignore", invalid="ignore"):
        gone = special.betaln(a + 1.0, b + x - 1.0) - (r + x) * np.log(alpha + t_x)
    gone = np.where(x > 0.0, gone, -np.inf)
    return np.asarray(shared + np.logaddexp(active, gone), dtype=np.float64)


def _as_histories(frequency: ArrayLike, recency: ArrayLike, age: ArrayLike) -> tuple[Array, Array, Array]:
    x, t_x, t = (np.asarray(values, dtype=np.float64) for values in (frequency, recency, age))
    if x.ndim != 1 or not x.shape == t_x.shape == t.shape:
        raise ValueError("frequency, recency and age need one value per customer")
    if not all(bool(np.isfinite(values).all()) for values in (x, t_x, t)):
        raise ValueError("frequency, recency and age must be finite")
    if bool((x < 0.0).any() or (x != np.floor(x)).any() or (t_x < 0.0).any() or (t_x > t).any()):
        raise ValueError("purchases are whole and not negative, and recency lies between 0 and the age")
    if bool((t <= 0.0).any()):
        raise ValueError("every customer must have been observed for some time")
    return x, t_x, t
