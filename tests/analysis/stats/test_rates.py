"""Two rates: published intervals and tests, and the rule that chooses between them."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from analysis.stats.arms import ArmEstimate, estimate_rate
from analysis.stats.compare import Comparison, Lift, compare_arms
from analysis.stats.estimable import Alternative, Interval, NotEstimable
from analysis.stats.moments import moments_from_sums
from analysis.stats.rate_score import RateCount, restricted_rates, score_interval, score_statistic
from analysis.stats.rates import bound_difference, bound_odds_ratio, bound_ratio, check_rates
from analysis.stats.small_counts import choose_rate_method, compare_rates
from tests.analysis.stats.makers import rate_arm

counts = st.integers(min_value=2, max_value=60).flatmap(
    lambda n: st.builds(RateCount, st.integers(min_value=0, max_value=n), st.just(n))
)


# Newcombe, Statistics in Medicine 1998, table II: (treatment, control, method, interval).
NEWCOMBE = [
    ((56, 70), (48, 80), "wald", (0.0575, 0.3425)),
    ((56, 70), (48, 80), "score", (0.0528, 0.3382)),
    ((56, 70), (48, 80), "newcombe", (0.0524, 0.3339)),
    ((9, 10), (3, 10), "score", (0.1700, 0.8406)),
    ((9, 10), (3, 10), "newcombe", (0.1705, 0.8090)),
    ((5, 56), (0, 29), "score", (-0.0326, 0.1933)),
    ((5, 56), (0, 29), "newcombe", (-0.0381, 0.1926)),
    ((10, 10), (0, 20), "score", (0.7156, 1.0000)),
    ((10, 10), (0, 10), "newcombe", (0.6075, 1.0000)),
]


@pytest.mark.parametrize(("treatment", "control", "method", "wanted"), NEWCOMBE)
def test_differences_match_newcombes_table(
    treatment: tuple[int, int], control: tuple[int, int], method: str, wanted: tuple[float, float]
) -> None:
    found = bound_difference(RateCount(*control), RateCount(*treatment), method)  # type: ignore[arg-type]
    assert (found.low, found.high) == pytest.approx(wanted, abs=6e-5)


def test_boschloo_matches_the_vaccine_trial_of_the_scipy_manual() -> None:
    """scipy.stats.boschloo_exact, example: 74 of 117 against 31 of 63 satisfied, one-sided p = 0.0355641."""
    found = check_rates(RateCount(31, 63), RateCount(74, 117), "boschloo", "greater")
    assert found == pytest.approx(0.0355641, rel=1e-5)


@given(counts, counts)
def test_the_score_test_and_both_of_its_intervals_never_disagree(a: RateCount, b: RateCount) -> None:
    p_value = check_rates(a, b, "score")
    assume(isinstance(p_value, float) and abs(p_value - 0.05) > 1e-6)
    assert score_interval(a, b, 1.959963984540054).excludes(0.0) == (p_value < 0.05)
    if a.conversions:
        ratio = score_interval(a, b, 1.959963984540054, scale="ratio")
        assert ratio.excludes(1.0) == (p_value < 0.05)


@given(counts, counts)
def test_score_bounds_are_where_the_statistic_reaches_the_critical_value(a: RateCount, b: RateCount) -> None:
    interval = score_interval(a, b, 2.0)
    assert interval.low <= b.rate - a.rate <= interval.high
    for bound, wanted in ((interval.low, 2.0), (interval.high, -2.0)):
        if abs(bound) < 1.0 - 1e-6:
            found = score_statistic(a, b, scale="difference", value=bound)
            assert found == pytest.approx(wanted, abs=1e-5)


@given(counts, counts, st.floats(min_value=-0.95, max_value=0.95))
def test_restricted_rates_are_the_most_likely_ones_under_the_difference(
    a: RateCount, b: RateCount, value: float
) -> None:
    """Against a fine search over all pairs with that difference."""
    rate0, rate1 = restricted_rates(a.rate, a.n, b.rate, b.n, scale="difference", value=value)
    assert rate1 - rate0 == pytest.approx(value, abs=1e-9)

    def likelihood(p0: float) -> float:
        cells = ((a.conversions, p0), (a.n - a.conversions, 1 - p0), (b.conversions, p0 + value))
        cells = (*cells, (b.n - b.conversions, 1 - p0 - value))
        return sum(k * math.log(max(p, 1e-300)) for k, p in cells if k)

    grid = np.linspace(max(0.0, -value), min(1.0, 1.0 - value), 401)[1:-1]
    assert likelihood(rate0) >= max(likelihood(float(p)) for p in grid) - 1e-6


@given(counts, counts, st.floats(min_value=0.05, max_value=20.0))
def test_restricted_rates_keep_the_ratio(a: RateCount, b: RateCount, value: float) -> None:
    rate0, rate1 = restricted_rates(a.rate, a.n, b.rate, b.n, scale="ratio", value=value)
    assert 0.0 <= rate0 <= 1.0
    assert 0.0 <= rate1 <= 1.0
    assert rate1 == pytest.approx(value * rate0, abs=1e-9)


@given(counts, counts)
def test_swapping_the_arms_mirrors_intervals_and_one_sided_tests(a: RateCount, b: RateCount) -> None:
    for method in ("wald", "newcombe", "agresti_caffo", "score"):
        forth = bound_difference(a, b, method)  # type: ignore[arg-type]
        back = bound_difference(b, a, method)  # type: ignore[arg-type]
        assert (forth.low, forth.high) == pytest.approx((-back.high, -back.low), abs=1e-6)
    greater = check_rates(a, b, "fisher", "greater")
    assume(isinstance(greater, float))
    assert greater == pytest.approx(check_rates(b, a, "fisher", "less"))


def test_arms_without_conversions_are_answered_with_a_reason() -> None:
    none, some = RateCount(0, 20), RateCount(4, 20)
    assert isinstance(check_rates(none, none, "score"), NotEstimable)
    assert isinstance(check_rates(RateCount(20, 20), RateCount(5, 5), "fisher"), NotEstimable)
    assert isinstance(bound_ratio(none, some, "log"), NotEstimable)
    assert isinstance(bound_ratio(none, some, "score"), NotEstimable)
    assert isinstance(bound_odds_ratio(none, some), NotEstimable)
    downward = bound_ratio(some, none, "score")
    assert isinstance(downward, Interval)
    assert downward.low == 0.0
    assert downward.high < 1.0


def test_wrong_arguments_are_value_errors() -> None:
    with pytest.raises(ValueError, match="not a rate"):
        RateCount(5, 4)
    with pytest.raises(ValueError, match="unknown test"):
        check_rates(RateCount(1, 4), RateCount(1, 4), "z")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="alternative"):
        check_rates(RateCount(1, 4), RateCount(1, 4), "fisher", "both")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="unknown method"):
        bound_difference(RateCount(1, 4), RateCount(1, 4), "exact")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="unknown method"):
        bound_ratio(RateCount(1, 4), RateCount(1, 4), "exact")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="alpha"):
        bound_odds_ratio(RateCount(1, 4), RateCount(1, 4), 1.0)


@pytest.mark.parametrize(
    ("control", "treatment", "rule"),
    [
        ((50, 1_000), (80, 1_000), "welch_t"),
        ((49, 1_000), (80, 1_000), "score"),
        ((951, 1_000), (900, 1_000), "score"),
        ((2, 50), (8, 50), "score"),
        ((2, 50), (7, 50), "exact"),
        ((0, 5_000), (3, 5_000), "exact"),
    ],
)
def test_the_rule_is_stated_and_looks_at_counts_only(
    control: tuple[int, int], treatment: tuple[int, int], rule: str
) -> None:
    assert choose_rate_method(RateCount(*control), RateCount(*treatment)) == rule


def test_with_enough_conversions_nothing_changes() -> None:
    control, treatment = rate_arm(4_000, 200), rate_arm(4_000, 260)
    assert compare_rates(control, treatment) == compare_arms(control, treatment)


@settings(max_examples=60)
@given(counts, counts, st.sampled_from(["two-sided", "greater", "less"]))
def test_small_counts_never_let_p_value_and_intervals_disagree(
    a: RateCount, b: RateCount, alternative: Alternative
) -> None:
    arms = [estimate_rate(moments_from_sums(c.n, [c.conversions], [[c.conversions]])) for c in (a, b)]
    result = compare_rates(arms[0], arms[1], alternative=alternative)
    if isinstance(result, NotEstimable):
        assert min(a.conversions + b.conversions, a.n + b.n - a.conversions - b.conversions) == 0 or (
            {a.rate, b.rate} <= {0.0, 1.0}
        )
        return
    assume(abs(result.p_value - 0.05) > 1e-6)
    assert result.absolute.excludes(0.0) == (result.p_value < 0.05)
    if isinstance(result.relative, Lift):
        assert result.relative.interval.excludes(0.0) == (result.p_value < 0.05)


def test_an_adjusted_arm_is_not_a_count() -> None:
    with pytest.raises(ValueError, match="plain rates"):
        compare_rates(ArmEstimate(100, 0.1234, 0.001, 98.0), rate_arm(100, 5))
    assert isinstance(compare_rates(NotEstimable("there are no units"), rate_arm(100, 5)), NotEstimable)


@pytest.mark.slow
def test_small_counts_keep_their_level_and_coverage() -> None:
    """Exactly, by summing over all tables of 2 x 40 units: error and coverage of the rule at rates of 3 to 20 %."""
    n = 40
    for p0, p1 in ((0.03, 0.03), (0.10, 0.10), (0.05, 0.20)):
        weights = [[math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)] for p in (p0, p1)]
        rejected = covered = total = 0.0
        for k0 in range(16):
            for k1 in range(22):
                result = compare_rates(rate_arm(n, k0), rate_arm(n, k1))
                weight = weights[0][k0] * weights[1][k1]
                total += weight
                if isinstance(result, Comparison):
                    rejected += weight * (result.p_value < 0.05)
                    covered += weight * (not result.absolute.excludes(p1 - p0))
                else:
                    covered += weight  # no interval is shown
        assert total > 0.999
        assert covered / total >= 0.94
        if p0 == p1:
            assert rejected <= 0.055
