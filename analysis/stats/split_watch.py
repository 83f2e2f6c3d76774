"""Sample ratio mismatch, watched after every unit or batch; and exact tests for two small arms."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from scipy import special, stats

from analysis.stats.estimable import NotEstimable, check_share
from analysis.stats.srm import ALERT_P, PRIOR_STRENGTH, SplitCount, split_log_evidence


@dataclass(frozen=True, slots=True)
class SplitWatch:
    """The split over time.

    p_values: anytime p after each look, falling; alert_at: index of the first look with p <= alpha, None when
    there is none; observed, shares: counts and their shares at the alert, else at the last look.
    """

    p_values: tuple[float, ...]
    alert_at: int | None
    observed: tuple[int, ...]
    shares: tuple[float, ...]

    @property
    def p_value(self) -> float:
        """Anytime-valid p-value now."""
        return self.p_values[-1]


def watch_split(
    counts_over_time: Iterable[Sequence[int]],
    planned: Sequence[float],
    *,
    alpha: float = ALERT_P,
    strength: float = PRIOR_STRENGTH,
) -> SplitWatch | NotEstimable:
    """Follow the split with the Dirichlet-multinomial e-value: a false alarm, ever, has probability alpha at most.

    counts_over_time: *cumulative* units per variant at each look; planned: weights, same order.
    Raises ValueError for a wrong alpha, strength or shape, or counts that fall.
    Source: Lindon & Malek, NeurIPS 2022, equations 9-10.
    """
    check_share(alpha, "alpha")
    if not strength > 0.0:
        raise ValueError(f"strength must be positive, not {strength!r}")
    looks = [tuple(int(count) for count in counts) for counts in counts_over_time]
    for before, after in pairwise(looks):
        if any(b > a for b, a in zip(before, after, strict=True)):
            raise ValueError("counts over time are cumulative and cannot fall")
    p, p_values, alert_at = 1.0, [], None
    for index, counts in enumerate(looks):
        p = min(p, math.exp(min(0.0, -split_log_evidence(counts, planned, strength))))
        p_values.append(p)
        if alert_at is None and p <= alpha:
            alert_at = index
    if not looks or sum(looks[-1]) == 0:
        return NotEstimable("there are no units")
    shown = looks[-1] if alert_at is None else looks[alert_at]
    return SplitWatch(tuple(p_values), alert_at, shown, tuple(count / sum(shown) for count in shown))


@dataclass(frozen=True, slots=True)
class TwoArmSplit:
    """p-values of the same two-arm split: exact binomial, normal with and without continuity correction."""

    exact: float
    normal_corrected: float
    normal: float


def compare_two_arm_split(split: SplitCount) -> TwoArmSplit | NotEstimable:
    """Test the split of two arms exactly, for counts too small for chi-squared.

    Exact: all outcomes at most as likely as the observed one. Raises ValueError for more than two arms.
    Source: Clopper & Pearson 1934 (binomial); Yates 1934 (correction).
    """
    if len(split.observed) != 2:
        raise ValueError("the exact test compares two arms")
    first, n, share = split.observed[0], sum(split.observed), split.shares[0]
    if n == 0:
        return NotEstimable("there are no units")
    exact = float(stats.binomtest(first, n, share).pvalue)
    sd = math.sqrt(n * share * (1.0 - share))
    if sd == 0.0:
        return TwoArmSplit(exact, exact, exact)
    gap = abs(first - n * share)
    plain, corrected = gap / sd, max(0.0, gap - 0.5) / sd
    return TwoArmSplit(exact, _two_sided(corrected), _two_sided(plain))


def _two_sided(z: float) -> float:
    return min(1.0, 2.0 * float(special.ndtr(-z)))
