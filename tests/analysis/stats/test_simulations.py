"""Seeded simulations: error rates and coverage inside bounds that are stated, not tuned."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from analysis.stats.always_valid import (
    MINIMUM_CONVERSIONS,
    MINIMUM_UNITS,
    compare_arms_always_valid,
    sequence_critical,
    tuning_variance,
)
from analysis.stats.arms import ArmEstimate
from analysis.stats.compare import Comparison, Lift, compare_arms
from analysis.stats.estimable import NotEstimable
from analysis.stats.guardrails import check_guardrail
from analysis.stats.multiplicity import adjust_p_values
from analysis.stats.power import Baseline, Design, rate_baseline, units_for_lift
from analysis.stats.segments import SegmentInput, analyse_segments
from analysis.stats.srm import SplitCheck, SplitCount, check_split
from tests.analysis.stats.makers import binomial_band, compared, mean_arm, rate_arm, welch_of_columns

pytestmark = pytest.mark.slow
Array = NDArray[np.float64]


def draw(rng: np.random.Generator, kind: str, shape: tuple[int, int], lift: float = 0.0) -> Array:
    """Values per unit of a metric; `lift` multiplies its mean."""
    factor = 1.0 + lift
    if kind == "normal":
        return rng.normal(10.0 * factor, 8.0, shape)
    if kind == "skewed":
        return rng.exponential(3.0 * factor, shape)
    if kind == "rate 50 %":
        return (rng.random(shape) < 0.50 * factor).astype(float)
    if kind == "rate 5 %":
        return (rng.random(shape) < 0.05 * factor).astype(float)
    if kind == "rate 1 %":
        return (rng.random(shape) < 0.01 * factor).astype(float)
    assert kind == "sparse revenue"
    buys = rng.random(shape) < 0.05 * factor
    return np.where(buys, rng.lognormal(3.0, 1.0, shape), 0.0)


KINDS = ["normal", "skewed", "rate 5 %", "rate 1 %", "sparse revenue"]


@pytest.mark.parametrize("kind", KINDS)
def test_aa_comparisons_are_significant_as_often_as_alpha_says(kind: str) -> None:
    """2,000 A/A tests of 2 x 4,000 units: three levels inside the binomial band, p-values uniform.

    Uniformity only where values are continuous: with 40 conversions an arm, 4 % of the pairs tie at p = 1.
    """
    rng = np.random.default_rng(101)
    p_values: list[float] = []
    for _ in range(8):
        shape = (250, 4_000)
        for control, treatment in welch_of_columns(draw(rng, kind, shape), draw(rng, kind, shape)):
            p_values.append(compared(control, treatment).p_value)
    for alpha in (0.01, 0.05, 0.2):
        low, high = binomial_band(len(p_values), alpha)
        assert low <= sum(p < alpha for p in p_values) / len(p_values) <= high
    assert "rate" in kind or stats.kstest(p_values, "uniform").pvalue > 0.001


@pytest.mark.parametrize("lift", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("kind", ["normal", "skewed", "rate 5 %", "sparse revenue"])
def test_fieller_covers_the_true_lift(kind: str, lift: float) -> None:
    """2,000 tests of 2 x 5,000 units; gate 94-96 %, widened by the simulation's own error."""
    rng = np.random.default_rng(102)
    covered = total = 0
    for _ in range(10):
        shape = (200, 5_000)
        for control, treatment in welch_of_columns(draw(rng, kind, shape), draw(rng, kind, shape, lift)):
            relative = compared(control, treatment).relative
            assert isinstance(relative, Lift)
            covered += not relative.interval.excludes(lift)
            total += 1
    assert binomial_band(total, 0.94)[0] <= covered / total <= binomial_band(total, 0.96)[1]


LOOKS = 120
PLANNED = 12_000


def peek(values: Array) -> tuple[list[int], Array, Array, Array]:
    """Cumulative (n, sum, sum of squares, non-zero count) at 120 looks from 50 units an arm on."""
    ends = np.unique(np.geomspace(50, values.shape[1], LOOKS).astype(int))
    sums, squares = values.cumsum(axis=1), (values * values).cumsum(axis=1)
    nonzero = (values != 0.0).cumsum(axis=1)
    at = ends - 1
    return ends.tolist(), sums[:, at], squares[:, at], nonzero[:, at].astype(float)


@pytest.mark.parametrize("kind", KINDS)
def test_always_valid_keeps_alpha_over_120_looks(kind: str) -> None:
    """3,000 A/A tests, looked at 120 times between 2 x 50 and 2 x 6,000 units: at most 5 % ever exclude 0."""
    rng = np.random.default_rng(103)
    runs, alarms = 3_000, 0
    rho2 = tuning_variance(PLANNED, 0.05)
    for _ in range(runs // 150):
        shape = (150, PLANNED // 2)
        ends, s0, q0, c0 = peek(draw(rng, kind, shape))
        _, s1, q1, c1 = peek(draw(rng, kind, shape))
        ever = np.zeros(shape[0], dtype=bool)
        for look, n in enumerate(ends):
            if n < MINIMUM_UNITS:
                continue
            m0, m1 = s0[:, look] / n, s1[:, look] / n
            v0, v1 = (q0[:, look] / n - m0 * m0) / (n - 1), (q1[:, look] / n - m1 * m1) / (n - 1)
            enough = np.minimum(c0[:, look], c1[:, look]) >= MINIMUM_CONVERSIONS
            critical = sequence_critical(2.0 * n, rho2, 0.05)
            ever |= enough & (np.abs(m1 - m0) > critical * np.sqrt(v0 + v1))
        alarms += int(ever.sum())
    assert alarms / runs <= binomial_band(runs, 0.05)[1]


@pytest.mark.parametrize("rate", [0.05, 0.01])
def test_the_always_valid_lift_interval_covers_at_every_look(rate: float) -> None:
    """600 tests with a true lift of 50 %: the product's own interval misses it at any look in at most 5 %."""
    rng = np.random.default_rng(104)
    missed, runs, steps = 0, 600, 60
    step = 200
    control = rng.binomial(step, rate, (runs, steps)).cumsum(axis=1).tolist()
    treatment = rng.binomial(step, 1.5 * rate, (runs, steps)).cumsum(axis=1).tolist()
    for c, t in zip(control, treatment, strict=True):
        missed += any(
            _misses(rate_arm(step * (k + 1), c[k]), rate_arm(step * (k + 1), t[k]), 0.5, 2 * step * steps)
            for k in range(steps)
        )
    assert missed / runs <= binomial_band(runs, 0.05)[1]


def _misses(control: ArmEstimate, treatment: ArmEstimate, lift: float, planned: int) -> bool:
    result = compare_arms_always_valid(control, treatment, planned_units=planned)
    if isinstance(result, NotEstimable) or isinstance(result.relative, NotEstimable):
        return False
    return result.relative.interval.excludes(lift)


@pytest.mark.parametrize("always_valid", [False, True])
def test_the_planned_size_has_the_planned_power_for_rates(always_valid: bool) -> None:
    """4,000 tests at the planned size with the planned lift: power 80 % within 2 points."""
    rng = np.random.default_rng(105)
    design = Design(always_valid=always_valid)
    units = units_for_lift(rate_baseline(0.05), design, lift=0.2)
    assert isinstance(units, int)
    n, found, runs = units // 2, 0, 4_000
    controls, treatments = rng.binomial(n, 0.05, runs).tolist(), rng.binomial(n, 0.06, runs).tolist()
    for c, t in zip(controls, treatments, strict=True):
        result = _compare(rate_arm(n, c), rate_arm(n, t), units if always_valid else None)
        found += result.p_value < 0.05 and result.difference > 0
    assert found / runs == pytest.approx(0.8, abs=0.02)


def _compare(control: ArmEstimate, treatment: ArmEstimate, planned: int | None) -> Comparison:
    if planned is None:
        return compared(control, treatment)
    result = compare_arms_always_valid(control, treatment, planned_units=planned)
    assert isinstance(result, Comparison)
    return result


def test_the_planned_size_has_the_planned_power_for_skewed_means_and_unequal_arms() -> None:
    rng = np.random.default_rng(106)
    design = Design(control_share=0.7, treatment_share=0.3, power=0.9)
    units = units_for_lift(Baseline(3.0, 9.0), design, lift=0.15)
    assert isinstance(units, int)
    n0, n1 = round(0.7 * units), round(0.3 * units)
    pairs = zip(
        welch_of_columns(rng.exponential(3.0, (3_000, n0)), rng.exponential(3.0, (3_000, n0))),
        welch_of_columns(rng.normal(3.45, 3.0, (3_000, n1)), rng.normal(3.45, 3.0, (3_000, n1))),
        strict=True,
    )
    found = sum(compared(c[0], t[0]).p_value < 0.05 for c, t in pairs)
    assert found / 3_000 == pytest.approx(0.9, abs=0.02)


def test_a_guardrail_exactly_at_its_margin_is_seldom_called_safe_or_breached() -> None:
    """4,000 tests with the true value on the margin: each error has its one-sided 2.5 %."""
    rng = np.random.default_rng(107)
    n, runs = 4_000, 4_000
    control, treatment = rng.binomial(n, 0.30, runs).tolist(), rng.binomial(n, 0.285, runs).tolist()
    states = [
        check_guardrail(rate_arm(n, c), rate_arm(n, t), margin=0.05, direction="increase").state
        for c, t in zip(control, treatment, strict=True)
    ]
    for state in ("ok", "breached"):
        low, high = binomial_band(runs, 0.025)
        assert low <= states.count(state) / runs <= high


def test_a_broken_split_is_found() -> None:
    """52 : 48 instead of 50 : 50 with 20,000 units: noncentrality 32, found in more than 95 % of 1,000."""
    rng = np.random.default_rng(108)
    found = 0
    for count in rng.binomial(20_000, 0.52, 1_000).tolist():
        result = check_split([SplitCount((count, 20_000 - count), (0.5, 0.5))])
        assert isinstance(result, SplitCheck)
        found += result.is_alert
    wanted = 1.0 - float(stats.ncx2.cdf(stats.chi2.isf(0.0005, 1), 1, 20_000 * 0.04**2))
    low, high = binomial_band(1_000, wanted)
    assert low <= found / 1_000 <= high


def test_bh_over_segments_keeps_the_false_discovery_rate() -> None:
    """400 experiments x 20 segments, 15 without effect: mean false discovery proportion <= 5 % x 15/20."""
    rng = np.random.default_rng(109)
    shares: list[float] = []
    z = rng.standard_normal((400, 20)) + np.array([0.0] * 15 + [3.5] * 5)
    for row in (2.0 * stats.norm.sf(np.abs(z))).tolist():
        hits = [isinstance(p, float) and p < 0.05 for p in adjust_p_values(row, "bh")]
        shares.append(sum(hits[:15]) / max(1, sum(hits)))
    error = float(np.std(shares)) / math.sqrt(len(shares))
    assert float(np.mean(shares)) <= 0.0375 + 3.5 * error


def test_pooling_seldom_calls_a_segment_harmed_when_all_gain_alike() -> None:
    """600 experiments x 8 segments of 2 x 500 units, every true effect +0.5 standard errors of its own."""
    rng = np.random.default_rng(110)
    raw = pooled = 0
    for effects in rng.normal(0.5, 1.0, (600, 8)).tolist():
        se = math.sqrt(2.0 / 500)
        inputs = [
            SegmentInput(
                str(i),
                compared(mean_arm(500, 10.0, 1.0), mean_arm(500, 10.0 + e * se, 1.0)),
                NotEstimable(""),
            )
            for i, e in enumerate(effects)
        ]
        found = analyse_segments(inputs, disjoint=True)
        pooled += sum(effect.is_harmed("increase") for effect in found.effects)
        raw += sum(
            isinstance(effect.comparison, Comparison) and effect.comparison.outcome("increase") == "worse"
            for effect in found.effects
        )
    assert pooled <= raw / 3
    assert pooled / 4_800 <= 0.01


def test_holm_over_arms_keeps_the_family_error() -> None:
    """2,000 tests of 4 treatments against one shared control, none with an effect: any winner in at most 5 %."""
    rng = np.random.default_rng(111)
    means = rng.standard_normal((2_000, 5)) * math.sqrt(1.0 / 1_000)
    wrong = 0
    for row in means.tolist():
        arms = [ArmEstimate(1_000, 5.0 + m, 1.0 / 1_000, 999.0) for m in row]
        results = [compare_arms(arms[0], arm) for arm in arms[1:]]
        p_values = [r.p_value for r in results if isinstance(r, Comparison)]
        wrong += any(isinstance(p, float) and p < 0.05 for p in adjust_p_values(p_values, "holm"))
    assert wrong / 2_000 <= binomial_band(2_000, 0.05)[1]
