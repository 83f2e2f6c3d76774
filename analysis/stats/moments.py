"""Shifted, mergeable moments of any number of columns: all that statistics ever sees of the data."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from analysis.stats.estimable import NotEstimable

Vector = tuple[float, ...]
Matrix = tuple[Vector, ...]

LOST_TO_ROUNDING = 1e-13
"""Centred share of a sum of squares below which a double holds no digit of the variance any more."""

SMALLEST_STEP = 8 * float(np.finfo(float).eps)
"""Relative distance of two doubles that may be one value, rounded."""


@dataclass(frozen=True, slots=True)
class Moments:
    """Count, shifted sums and shifted cross products of k columns.

    n: units; shift: the constants c, shape (k,); sums: sum of (x - c), shape (k,);
    products: sum of (x - c)(x - c)^T, shape (k, k), symmetric.
    A shift near the data keeps the variance exact where raw sums of squares lose it (mean 1e8, sd 1).
    Raises ValueError when shapes do not fit or n is negative.
    """

    n: int
    shift: Vector
    sums: Vector
    products: Matrix

    def __post_init__(self) -> None:
        k = len(self.shift)
        if k == 0 or len(self.sums) != k or list(map(len, self.products)) != [k] * k:
            raise ValueError("shift, sums and products must describe the same columns, at least one")
        if self.n < 0:
            raise ValueError(f"a count cannot be negative: {self.n}")

    @property
    def columns(self) -> int:
        """The number of columns."""
        return len(self.shift)

    def __add__(self, other: "Moments") -> "Moments":
        """Merge two disjoint sets of units; the shift of the larger set is kept."""
        left, right = (self, other) if self.n >= other.n else (other, self)
        return left._combine(right, 1)

    def __sub__(self, other: "Moments") -> "Moments":
        """Remove a subset of units: "all but this segment". Raises ValueError when it is larger."""
        if other.n > self.n:
            raise ValueError(f"cannot take {other.n} units out of {self.n}")
        if other.n == self.n:
            return empty_moments(self.shift)
        return self._combine(other, -1)

    def _combine(self, other: "Moments", sign: int) -> "Moments":
        # Most of the time of a large experiment: one column goes without loops, more with zips, not indices.
        n = self.n + sign * other.n
        other_sums, other_products = other._around(self.shift)
        if len(self.shift) == 1:
            total = self.sums[0] + sign * other_sums[0]
            return Moments(n, self.shift, (total,), ((self.products[0][0] + sign * other_products[0][0],),))
        sums = tuple([a + sign * b for a, b in zip(self.sums, other_sums, strict=True)])
        products = tuple(
            [
                tuple([a + sign * b for a, b in zip(mine, theirs, strict=True)])
                for mine, theirs in zip(self.products, other_products, strict=True)
            ]
        )
        return Moments(n, self.shift, sums, products)

    def shifted_to(self, shift: Sequence[float]) -> "Moments":
        """Express the same moments around other constants. Raises ValueError for other columns."""
        around = tuple(shift)
        return Moments(self.n, around, *self._around(around))

    def _around(self, shift: Vector) -> tuple[Vector, Matrix]:
        """Sums and products around other constants."""
        if len(shift) != len(self.shift):
            raise ValueError(f"moments of {self.columns} and {len(shift)} columns do not go together")
        if shift == self.shift:
            return self.sums, self.products
        n = self.n
        if len(shift) == 1:
            only, moved = self.sums[0], self.shift[0] - shift[0]
            total = only + n * moved
            return (total,), ((self.products[0][0] + only * moved + moved * total,),)
        move = [old - new for old, new in zip(self.shift, shift, strict=True)]
        sums = tuple([s + n * m for s, m in zip(self.sums, move, strict=True)])
        columns = list(zip(self.sums, sums, move, strict=True))
        products = tuple(
            [
                tuple([p + s * m_j + m * new_j for p, (_, new_j, m_j) in zip(row, columns, strict=True)])
                for row, (s, _, m) in zip(self.products, columns, strict=True)
            ]
        )
        return sums, products

    def mean(self, column: int = 0) -> float | NotEstimable:
        """Mean of one column."""
        if self.n == 0:
            return NotEstimable("there are no units")
        value = self.shift[column] + self.sums[column] / self.n
        return value if math.isfinite(value) else NotEstimable("the values are too large to add up")

    def total(self, column: int = 0) -> float:
        """Sum of one column."""
        return self.n * self.shift[column] + self.sums[column]

    def variance(self, column: int = 0) -> float | NotEstimable:
        """Sample variance (ddof 1) of one column; exactly 0 when the values do not vary."""
        n = self.n
        if n < 2:
            return NotEstimable("a variance needs at least 2 units")
        total, raw = self.sums[column], self.products[column][column]
        centred = raw - total * total / n
        if not math.isfinite(centred):
            return NotEstimable("the values are too large to square")
        smallest_step = SMALLEST_STEP * abs(self.shift[column] + total / n)
        if centred <= LOST_TO_ROUNDING * raw or centred <= n * smallest_step * smallest_step:
            return 0.0
        return centred / (n - 1)

    def covariance(self, first: int, second: int) -> float | NotEstimable:
        """Sample covariance (ddof 1) of two columns."""
        if first == second:
            return self.variance(first)
        if self.n < 2:
            return NotEstimable("a variance needs at least 2 units")
        centred = self.products[first][second] - self.sums[first] * self.sums[second] / self.n
        if not math.isfinite(centred):
            return NotEstimable("the values are too large to square")
        return centred / (self.n - 1)

    def effective_count(self, column: int = 0) -> float | NotEstimable:
        """How many units carry the total: (sum x)^2 / sum x^2.

        For a 0/1 column this is the number of ones; for a sparse amount (revenue) it is at most the number
        of units with a non-zero value, less when a few units dominate. Source: Kish 1965, effective size.
        """
        around_zero = self.shifted_to((0.0,) * self.columns)
        squares = around_zero.products[column][column]
        if squares <= 0.0:
            return 0.0
        total = around_zero.sums[column]
        value = total * total / squares
        return value if math.isfinite(value) else NotEstimable("the values are too large to square")


def empty_moments(shift: Sequence[float]) -> Moments:
    """Return the moments of no units, around `shift`."""
    zeros = (0.0,) * len(shift)
    return Moments(0, tuple(float(c) for c in shift), zeros, (zeros,) * len(shift))


def moments_from_values(values: ArrayLike, shift: Sequence[float] | None = None) -> Moments:
    """Compute moments of raw values, shape (n,) or (n, k).

    shift: constants near the data; by default the first row. Raises ValueError for another number of
    dimensions.
    """
    table = np.asarray(values, dtype=float)
    if table.ndim == 1:
        table = table[:, None]
    if table.ndim != 2 or table.shape[1] == 0:
        raise ValueError(f"values must have shape (n,) or (n, k), not {table.shape}")
    if shift is None:
        shift = table[0].tolist() if len(table) else [0.0] * table.shape[1]
    with np.errstate(over="ignore", invalid="ignore"):  # the answer then says "too large"
        centred = table - np.asarray(shift, dtype=float)
        products = (centred.T @ centred).tolist()
    return Moments(
        len(table),
        tuple(float(c) for c in shift),
        tuple(centred.sum(axis=0).tolist()),
        tuple(tuple(row) for row in products),
    )


def moments_from_sums(
    n: int, sums: Sequence[float], products: Sequence[Sequence[float]], shift: Sequence[float] | None = None
) -> Moments:
    """Build moments from sums made elsewhere (SQL); without `shift` they are raw sums around 0."""
    around = tuple(float(c) for c in shift) if shift is not None else (0.0,) * len(sums)
    table = tuple(tuple(float(p) for p in row) for row in products)
    return Moments(int(n), around, tuple(float(s) for s in sums), table)


def moments_from_summary(n: int, means: Sequence[float], covariance: Sequence[Sequence[float]]) -> Moments:
    """Build moments from means and the sample covariance matrix (ddof 1) of a published table."""
    table = tuple(tuple(float(c) * (n - 1) for c in row) for row in covariance)
    return Moments(n, tuple(float(m) for m in means), (0.0,) * len(means), table)


def merge_moments(parts: Iterable[Moments]) -> Moments:
    """Merge any number of disjoint sets of units. Raises ValueError when there is none."""
    remaining = list(parts)
    if not remaining:
        raise ValueError("there are no moments to merge")
    merged = remaining[0]
    for part in remaining[1:]:
        merged = merged + part
    return merged
