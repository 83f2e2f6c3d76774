"""From exact sums to arm estimates: cells are merged as fractions, and only then become shifted moments."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from analysis.inputs import MetricFacts
from analysis.moments import EVERYONE, CellSums
from analysis.stats.arms import ArmEstimate, estimate_amount, estimate_rate, estimate_ratio
from analysis.stats.estimable import NotEstimable
from analysis.stats.moments import Moments, empty_moments

Stratum = tuple[int, int]
"""(phase, target position): within one, units were randomised with the same weights."""

_ADDITIVE = ("n", "immature", "active", "x", "xx", "d", "dd", "xd")


@dataclass(frozen=True, slots=True)
class ArmSums:
    """Exact sums of one metric in one arm (of a segment, of a stratum, or of all)."""

    n: int = 0
    immature: int = 0
    active: int = 0
    x: Fraction = Fraction(0)
    xx: Fraction = Fraction(0)
    d: Fraction = Fraction(0)
    dd: Fraction = Fraction(0)
    xd: Fraction = Fraction(0)

    def __add__(self, other: "ArmSums") -> "ArmSums":
        return ArmSums(*(getattr(self, name) + getattr(other, name) for name in _ADDITIVE))

    def __sub__(self, other: "ArmSums") -> "ArmSums":
        return ArmSums(*(getattr(self, name) - getattr(other, name) for name in _ADDITIVE))


def _of_cell(cell: CellSums) -> ArmSums:
    sums = (Fraction(getattr(cell, name)) for name in ("x", "xx", "d", "dd", "xd"))
    return ArmSums(cell.n, cell.immature, cell.active, *sums)


class SumTable:
    """The sums of one metric, looked up by arm, breakdown and stratum."""

    def __init__(self, metric: MetricFacts, cells: Iterable[CellSums]) -> None:
        self.metric = metric
        self._cells: dict[tuple[int, int, Stratum], ArmSums] = {}
        for cell in cells:
            if cell.metric == metric.spec.key:
                key = (cell.variant, cell.breakdown, (cell.phase, cell.target))
                self._cells[key] = self._cells.get(key, ArmSums()) + _of_cell(cell)

    @property
    def strata(self) -> tuple[Stratum, ...]:
        """All strata that hold units."""
        return tuple(sorted({stratum for _, _, stratum in self._cells}))

    def sums(
        self,
        variant: int,
        *,
        breakdown: int = EVERYONE,
        outside: bool = False,
        stratum: Stratum | None = None,
    ) -> ArmSums:
        """Return one arm's sums; `outside`: of everybody who is not in the breakdown."""
        if outside:
            everyone = self.sums(variant, stratum=stratum)
            return everyone - self.sums(variant, breakdown=breakdown, stratum=stratum)
        total = ArmSums()
        for (of_variant, of_breakdown, of_stratum), part in self._cells.items():
            if (of_variant, of_breakdown) == (variant, breakdown) and stratum in (None, of_stratum):
                total += part
        return total


def estimate_arm(metric: MetricFacts, sums: ArmSums) -> ArmEstimate | NotEstimable:
    """Estimate one arm by the metric's kind."""
    if metric.spec.kind == "mean":
        return estimate_ratio(ratio_moments(sums), conversions=sums.active)
    moments = value_moments(sums)
    return estimate_rate(moments) if metric.spec.kind == "conversion" else estimate_amount(moments)


def value_moments(sums: ArmSums) -> Moments:
    """Return the moments of x, shifted to its mean: exact arithmetic until the last step.

    Σ(x−c)² = Σx² − 2cΣx + nc² loses every digit in doubles at mean 1e8, sd 1; in fractions it loses none.
    """
    if sums.n == 0:
        return empty_moments((0.0,))
    c, first, second = _centre(sums.n, sums.x, sums.xx)
    return Moments(sums.n, (c,), (first,), ((second,),))


def ratio_moments(sums: ArmSums) -> Moments:
    """Return the moments of (x, d), each shifted to its mean."""
    if sums.n == 0:
        return empty_moments((0.0, 0.0))
    cx, x, xx = _centre(sums.n, sums.x, sums.xx)
    cd, d, dd = _centre(sums.n, sums.d, sums.dd)
    exact_x, exact_d = Fraction(cx), Fraction(cd)
    cross = sums.xd - exact_x * sums.d - exact_d * sums.x + sums.n * exact_x * exact_d
    return Moments(sums.n, (cx, cd), (x, d), ((xx, float(cross)), (float(cross), dd)))


def _centre(n: int, total: Fraction, squares: Fraction) -> tuple[float, float, float]:
    """Return (c, Σ(x−c), Σ(x−c)²) with c the double nearest to the mean."""
    shift = float(total / n)
    c = Fraction(shift)
    return shift, float(total - n * c), float(squares - 2 * c * total + n * c * c)
