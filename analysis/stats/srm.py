"""Sample ratio mismatch: does the observed split fit the planned one, since when, and where not."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from analysis.stats.estimable import NotEstimable
from analysis.stats.multiplicity import adjust_p_values

ALERT_P = 0.0005
"""Far below 0.05, because every experiment is tested at every refresh and an alert stops the decision."""

MINIMUM_EXPECTED = 5.0
PRIOR_STRENGTH = 100.0


@dataclass(frozen=True, slots=True)
class SplitCount:
    """Units per variant in one stratum (target x phase), with the shares planned *there*.

    observed, planned: same order, shape (k,), k >= 2; planned weights need not add up to 1; a weight of 0
    means the variant was closed.  Raises ValueError when shapes differ, a number is negative or no weight is
    positive.
    """

    observed: tuple[int, ...]
    planned: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.observed) != len(self.planned) or len(self.observed) < 2:
            raise ValueError("observed and planned must name the same variants, at least 2")
        if min(self.observed) < 0 or min(self.planned) < 0.0 or not sum(self.planned) > 0.0:
            raise ValueError("counts and weights cannot be negative, and one weight must be positive")

    @property
    def shares(self) -> tuple[float, ...]:
        """Planned weights scaled to add up to 1."""
        total = sum(self.planned)
        return tuple(weight / total for weight in self.planned)


@dataclass(frozen=True, slots=True)
class SplitCheck:
    """Result of the chi-squared test; observed and expected are summed over strata."""

    observed: tuple[int, ...]
    expected: tuple[float, ...]
    chi2: float
    df: int
    p_value: float

    @property
    def is_alert(self) -> bool:
        """Whether the mismatch is strong enough to invalidate the numbers."""
        return self.p_value < ALERT_P


@dataclass(frozen=True, slots=True)
class LocatedSplit:
    """The same test in one slice, e.g. dimension "day", level "2026-03-02"; Holm within the dimension."""

    dimension: str
    level: str
    check: SplitCheck
    p_adjusted: float

    @property
    def is_alert(self) -> bool:
        """Whether this slice alone is out of balance, after correction for all slices of its dimension."""
        return self.p_adjusted < ALERT_P


def check_split(strata: Sequence[SplitCount]) -> SplitCheck | NotEstimable:
    """Test whether the observed split fits the planned one (Pearson chi-squared).

    Expected counts are added up over strata, so a ramp with other shares cannot raise a false alarm; the
    variance is the strata's own, which for one set of shares is exactly Pearson's statistic. df = variants
    with weight > 0 minus 1. A unit in a variant of weight 0 everywhere gives p = 0: the plan made it
    impossible.
    NotEstimable when an expected count is below 5.  Raises ValueError when strata disagree on variants.
    Source: Fabijan et al., KDD 2019; Pearson 1900.
    """
    if not strata or len({len(s.observed) for s in strata}) != 1:
        raise ValueError("strata must be given and name the same variants")
    observed = np.array([s.observed for s in strata], dtype=float)
    shares = np.array([s.shares for s in strata], dtype=float)
    totals = observed.sum(axis=1)
    expected = totals @ shares
    counts = tuple(int(o) for o in observed.sum(axis=0))
    open_variants = expected > 0.0
    df = int(open_variants.sum()) - 1
    expected_tuple = tuple(float(e) for e in expected)
    if bool((observed[shares == 0.0] > 0.0).any()):
        return SplitCheck(counts, expected_tuple, math.inf, max(df, 1), 0.0)
    if df < 1:
        return NotEstimable("fewer than 2 variants received a share of the traffic")
    smallest = float(expected[open_variants].min())
    if smallest < MINIMUM_EXPECTED:
        return NotEstimable(f"the smallest expected count is {smallest:.1f}, and the test needs at least 5")
    chi2 = _quadratic_form(observed[:, open_variants], shares[:, open_variants], totals)
    return SplitCheck(counts, expected_tuple, chi2, df, float(special.chdtrc(df, chi2)))


def _quadratic_form(
    observed: np.ndarray[tuple[int, int], np.dtype[np.float64]],
    shares: np.ndarray[tuple[int, int], np.dtype[np.float64]],
    totals: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> float:
    """(O - E)' V^- (O - E), V the sum of the strata's multinomial covariances."""
    if len(shares) == 1 or bool((shares == shares[0]).all()):
        expected = totals.sum() * shares[0]
        return float(((observed.sum(axis=0) - expected) ** 2 / expected).sum())
    gap = observed.sum(axis=0) - totals @ shares
    weighted = shares * totals[:, None]
    covariance = np.diag(weighted.sum(axis=0)) - weighted.T @ shares
    return float(gap @ np.linalg.pinv(covariance, hermitian=True) @ gap)


def locate_split(
    slices: Mapping[str, Mapping[str, Sequence[SplitCount]]],
) -> tuple[LocatedSplit, ...]:
    """Run the same test per slice to say *where* the imbalance sits, the strongest evidence first.

    slices: dimension ("target", "phase", "day", "sdk", a breakdown) -> level -> strata of that level.
    Levels too small to test are left out.
    """
    found: list[LocatedSplit] = []
    for dimension, levels in slices.items():
        checks = {level: check_split(strata) for level, strata in levels.items()}
        tested = {level: check for level, check in checks.items() if isinstance(check, SplitCheck)}
        adjusted = adjust_p_values([check.p_value for check in tested.values()], "holm")
        for (level, check), p in zip(tested.items(), adjusted, strict=True):
            if isinstance(p, float):
                found.append(LocatedSplit(dimension, level, check, p))
    return tuple(sorted(found, key=lambda row: (row.p_adjusted, row.check.p_value, row.dimension, row.level)))


def split_log_evidence(
    observed: Sequence[int], planned: Sequence[float], strength: float = PRIOR_STRENGTH
) -> float:
    """Natural log of the Dirichlet-multinomial e-value against the planned split, safe to watch over time.

    Depends on the counts so far only. Anytime p-value: min over looks of exp(-value). Variants of weight 0
    must be empty (else +inf). Independent strata: add their values.
    strength: total prior count of Dirichlet(strength x shares).  Source: Lindon & Malek 2022, equation 9.
    """
    shares = SplitCount(tuple(observed), tuple(planned)).shares
    if any(o > 0 and p == 0.0 for o, p in zip(observed, shares, strict=True)):
        return math.inf
    pairs = [(float(o), p) for o, p in zip(observed, shares, strict=True) if p > 0.0]
    n = sum(o for o, _ in pairs)
    value = math.lgamma(strength) - math.lgamma(strength + n)
    for o, p in pairs:
        value += math.lgamma(strength * p + o) - math.lgamma(strength * p) - o * math.log(p)
    return value
