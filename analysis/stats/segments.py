"""Effects by segment that are honest: interaction tests, one error budget, shrinkage, who is harmed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import special

from analysis.stats.compare import Comparison
from analysis.stats.estimable import Direction, Interval, NotEstimable, sign_of
from analysis.stats.heterogeneity import (
    Interaction,
    RandomEffects,
    SignChange,
    detect_interaction,
    detect_sign_change,
    fit_random_effects,
)
from analysis.stats.multiplicity import adjust_p_values
from analysis.stats.robust_pooling import robust_critical


@dataclass(frozen=True, slots=True)
class SegmentInput:
    """One segment: the comparison among its units, and among all other units (moments subtract to get it)."""

    key: str
    inside: Comparison | NotEstimable
    outside: Comparison | NotEstimable


@dataclass(frozen=True, slots=True)
class PooledEffect:
    """A segment's absolute effect after partial pooling; weight: how far its own data counts."""

    difference: float
    se: float
    weight: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class SegmentEffect:
    """What is said of one segment.

    p_adjusted: of its own effect, BH over segments; differs: inside against outside; differs_p_adjusted: Holm
    over segments: only this may be announced as "this segment reacts differently".
    """

    key: str
    comparison: Comparison | NotEstimable
    p_adjusted: float | NotEstimable
    differs: Interaction | NotEstimable
    differs_p_adjusted: float | NotEstimable
    pooled: PooledEffect | NotEstimable

    def is_harmed(self, direction: Direction) -> bool:
        """Whether the effect after pooling is credibly on the bad side."""
        if isinstance(self.pooled, NotEstimable):
            return False
        interval = self.pooled.interval
        return interval.high < 0.0 if sign_of(direction) > 0 else interval.low > 0.0


@dataclass(frozen=True, slots=True)
class SegmentAnalysis:
    """All segments of one variant and metric; joint tests only where segments do not overlap."""

    effects: tuple[SegmentEffect, ...]
    interaction: Interaction | NotEstimable
    sign_change: SignChange | NotEstimable
    between: RandomEffects | NotEstimable


def analyse_segments(segments: Sequence[SegmentInput], *, disjoint: bool) -> SegmentAnalysis:
    """Analyse the effect by segment, on the absolute scale.

    disjoint: no unit is in two of the segments (levels of one fact). When they overlap, the joint tests do
    not hold and are withheld; each segment is still tested against everybody else. A segment without an
    estimate stays in the list with its reason and counts in no family.
    The joint tests are for a single look at the end; while peeking they are descriptive.
    Source: Cochran 1954; Gail & Simon 1985; Benjamini & Hochberg 1995; Holm 1979.
    """
    known = [s.inside for s in segments if isinstance(s.inside, Comparison)]
    differences = [c.difference for c in known]
    variances = [c.se * c.se for c in known]
    overlapping = NotEstimable("the segments overlap; each is compared with everybody else instead")
    between = fit_random_effects(differences, variances)
    differs = [_test_against_rest(s) for s in segments]
    return SegmentAnalysis(
        effects=_segment_effects(segments, differs, between),
        interaction=detect_interaction(differences, variances) if disjoint else overlapping,
        sign_change=detect_sign_change(differences, variances) if disjoint else overlapping,
        between=between,
    )


def _segment_effects(
    segments: Sequence[SegmentInput],
    differs: Sequence[Interaction | NotEstimable],
    between: RandomEffects | NotEstimable,
) -> tuple[SegmentEffect, ...]:
    own_p = [s.inside.p_value if isinstance(s.inside, Comparison) else s.inside for s in segments]
    differs_p = [d.p_value if isinstance(d, Interaction) else d for d in differs]
    columns = (
        segments,
        adjust_p_values(own_p, "bh"),
        differs,
        adjust_p_values(differs_p, "holm"),
    )
    return tuple(
        SegmentEffect(
            key=segment.key,
            comparison=segment.inside,
            p_adjusted=p,
            differs=difference,
            differs_p_adjusted=difference_p,
            pooled=_pool(segment.inside, between),
        )
        for segment, p, difference, difference_p in zip(*columns, strict=True)
    )


def _test_against_rest(segment: SegmentInput) -> Interaction | NotEstimable:
    inside, outside = segment.inside, segment.outside
    if isinstance(inside, NotEstimable):
        return inside
    if isinstance(outside, NotEstimable):
        return NotEstimable(f"everybody else: {outside.reason}")
    return detect_interaction(
        [inside.difference, outside.difference], [inside.se * inside.se, outside.se * outside.se]
    )


def _pool(
    comparison: Comparison | NotEstimable, between: RandomEffects | NotEstimable
) -> PooledEffect | NotEstimable:
    """Shrink toward the average with w = tau^2 / (tau^2 + se^2); the average's own error is carried along.

    se: Kass & Steffey's, for normal true effects. The interval is wider: its critical value allows any
    distribution of true effects (most segments alike, one far off), in the ratio of the comparison's own
    critical value to the normal one, so that an always-valid plan stays wide.
    Source: Morris, JASA 1983; Kass & Steffey, JASA 1989 (variance w se^2 + (1 - w)^2 var(mean)); Armstrong,
    Kolesar & Plagborg-Moller, Econometrica 2022 (robust critical value).
    """
    if isinstance(comparison, NotEstimable):
        return comparison
    if isinstance(between, NotEstimable):
        return between
    se2 = comparison.se * comparison.se
    weight = between.tau2 / (between.tau2 + se2)
    difference = weight * comparison.difference + (1.0 - weight) * between.mean
    se = math.sqrt(weight * se2 + (1.0 - weight) ** 2 * between.se**2)
    spread = 0.0
    if between.tau2 > 0.0:
        alpha = (
            comparison.alpha if comparison.alternative == "two-sided" else min(0.99, 2.0 * comparison.alpha)
        )
        own = comparison.critical / -float(special.ndtri(alpha / 2.0))
        spread = robust_critical(se2 / between.tau2, alpha) * own * weight * comparison.se
    margin = math.hypot(spread, comparison.critical * (1.0 - weight) * between.se)
    return PooledEffect(difference, se, weight, Interval(difference - margin, difference + margin))


@dataclass(frozen=True, slots=True)
class SimpsonCheck:
    """The crude effect beside the one standardised to a common mix of segments."""

    crude: float
    standardised: float
    p_value: float
    is_reversed: bool


def check_simpson(
    crude: Comparison | NotEstimable, standardised: Comparison | NotEstimable
) -> SimpsonCheck | NotEstimable:
    """Compare the crude effect with the stratified one (arms.stratify_pair): do the signs contradict?

    is_reversed: opposite signs, and the gap between the two is more than noise would explain at 5 %, using
    the larger variance of the two as a bound for the gap's. In a sound randomisation the gap is noise; a
    reversal points at a mix of segments that differs between the arms.
    """
    if isinstance(crude, NotEstimable):
        return crude
    if isinstance(standardised, NotEstimable):
        return standardised
    gap = crude.difference - standardised.difference
    bound = max(crude.se, standardised.se)
    p_value = 2.0 * float(special.ndtr(-abs(gap) / bound))
    opposite = crude.difference * standardised.difference < 0.0
    return SimpsonCheck(crude.difference, standardised.difference, p_value, opposite and p_value < 0.05)
