import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from analysis.stats.arms import ArmEstimate, estimate_mean, estimate_rate, estimate_ratio
from analysis.stats.compare import Comparison, Lift, compare_arms, contrast_statistic, fieller_interval
from analysis.stats.estimable import Interval, NotEstimable
from analysis.stats.moments import moments_from_values
from tests.analysis.stats.makers import compared, mean_arm, rate_arm

means = st.floats(min_value=0.01, max_value=1e4)
deviations = st.floats(min_value=0.01, max_value=1e4)
counts = st.integers(min_value=2, max_value=100_000)
arms = st.builds(mean_arm, counts, means, deviations)


@given(arms, arms)
def test_swapping_the_arms_flips_the_signs_and_keeps_the_p_value(a: ArmEstimate, b: ArmEstimate) -> None:
    one, other = compared(a, b), compared(b, a)
    assert other.difference == -one.difference
    assert other.p_value == pytest.approx(one.p_value, rel=1e-9)
    assert other.absolute.low == pytest.approx(-one.absolute.high)


@given(arms, arms, st.floats(min_value=1e-3, max_value=1e3))
def test_scaling_the_unit_of_measurement_scales_the_difference_and_not_the_lift(
    a: ArmEstimate, b: ArmEstimate, factor: float
) -> None:
    def scaled(arm: ArmEstimate) -> ArmEstimate:
        return ArmEstimate(arm.n, arm.mean * factor, arm.se2 * factor * factor, arm.df)

    one, other = compared(a, b), compared(scaled(a), scaled(b))
    assert other.p_value == pytest.approx(one.p_value, rel=1e-6, abs=1e-300)
    assert other.difference == pytest.approx(factor * one.difference, rel=1e-9)
    if isinstance(one.relative, Lift) and isinstance(other.relative, Lift):
        assert other.relative.interval.low == pytest.approx(one.relative.interval.low, rel=1e-5, abs=1e-9)


@given(arms, arms, st.floats(min_value=0.0, max_value=1e4))
def test_shifting_both_arms_keeps_the_absolute_answer(a: ArmEstimate, b: ArmEstimate, by: float) -> None:
    def shifted(arm: ArmEstimate) -> ArmEstimate:
        return ArmEstimate(arm.n, arm.mean + by, arm.se2, arm.df)

    one, other = compared(a, b), compared(shifted(a), shifted(b))
    assert other.difference == pytest.approx(one.difference, rel=1e-6, abs=1e-9 * (1 + by))
    assert other.se == one.se


@given(arms, arms, st.sampled_from([0.01, 0.05, 0.2]))
def test_p_value_and_both_intervals_never_disagree(a: ArmEstimate, b: ArmEstimate, alpha: float) -> None:
    result = compared(a, b, alpha)
    assume(abs(result.p_value - alpha) > 1e-9)
    significant = result.p_value < alpha
    assert result.absolute.excludes(0.0) == significant
    if isinstance(result.relative, Lift):
        assert result.relative.interval.excludes(0.0) == significant


@given(arms, arms, st.floats(min_value=0.5, max_value=5.0))
def test_the_ends_of_the_fieller_interval_solve_its_equation(
    a: ArmEstimate, b: ArmEstimate, critical: float
) -> None:
    interval = fieller_interval(a, b, critical)
    assume(isinstance(interval, Interval))
    assert isinstance(interval, Interval)
    assume(a.mean > 1.05 * critical * math.sqrt(a.se2))
    for end, sign in ((interval.low, 1.0), (interval.high, -1.0)):
        assert contrast_statistic(a, b, end) == pytest.approx(sign * critical, rel=1e-5)


def test_the_normal_fieller_interval_is_the_limit_of_welch_for_many_units() -> None:
    control, treatment = mean_arm(10**9, 10.0, 300.0), mean_arm(10**9, 10.1, 300.0)
    normal = compare_arms(control, treatment, reference="normal")
    welch = compare_arms(control, treatment)
    assert isinstance(normal, Comparison)
    assert isinstance(welch, Comparison)
    assert isinstance(normal.relative, Lift)
    assert isinstance(welch.relative, Lift)
    assert welch.relative.interval.low == pytest.approx(normal.relative.interval.low, rel=1e-6)


@pytest.mark.parametrize("mean", [0.0, -5.0])
def test_a_baseline_that_is_not_positive_has_a_difference_but_no_lift(mean: float) -> None:
    result = compared(mean_arm(1000, mean, 1.0), mean_arm(1000, mean + 1.0, 1.0))
    assert result.absolute.low > 0.9
    assert result.relative == NotEstimable(
        "the control mean is not positive, so a relative lift is undefined"
    )


def test_a_baseline_lost_in_noise_has_no_lift() -> None:
    result = compared(mean_arm(100, 0.1, 10.0), mean_arm(100, 0.2, 10.0))
    assert isinstance(result.relative, NotEstimable)
    assert "unbounded" in result.relative.reason


@pytest.mark.parametrize("values", [[], [1.0], [2.0, 2.0, 2.0]])
def test_too_little_or_constant_data_is_a_reason(values: list[float]) -> None:
    arm = estimate_mean(moments_from_values(values))
    assert isinstance(compare_arms(arm, arm), NotEstimable)


def test_no_conversion_in_the_control_still_gives_an_absolute_answer() -> None:
    result = compared(rate_arm(1000, 0), rate_arm(1000, 20))
    assert result.difference == pytest.approx(0.02)
    assert isinstance(result.relative, NotEstimable)


def test_a_tiny_p_value_keeps_its_digits() -> None:
    """R: 2 * pt(-38, df = 1998) = 2.4e-238 by pt's own tail; a difference of cdfs would print 0."""
    result = compared(mean_arm(1000, 0.0, 1.0), mean_arm(1000, 38.0 * math.sqrt(2 / 1000), 1.0))
    assert 0.0 < result.p_value < 1e-200


def test_a_rate_outside_its_range_is_refused_as_data() -> None:
    assert isinstance(estimate_rate(moments_from_values([0.0, 3.0, 2.0])), NotEstimable)


def test_conversions_count_the_rarer_outcome() -> None:
    assert rate_arm(1000, 20).conversions == 20
    assert rate_arm(1000, 990).conversions == 10


def test_a_ratio_with_a_constant_denominator_equals_the_mean() -> None:
    values = [3.0, 5.0, 4.0, 8.0, 1.0]
    ratio = estimate_ratio(moments_from_values([(v, 2.0) for v in values]))
    mean = estimate_mean(moments_from_values([v / 2.0 for v in values]))
    assert isinstance(ratio, ArmEstimate)
    assert isinstance(mean, ArmEstimate)
    assert (ratio.mean, ratio.se2) == pytest.approx((mean.mean, mean.se2))


def test_a_ratio_that_never_varies_has_no_variance() -> None:
    ratio = estimate_ratio(moments_from_values([(3.0 * d, d) for d in (1.0, 2.0, 7.0, 4.0)]))
    assert isinstance(ratio, ArmEstimate)
    assert ratio.se2 == 0.0


def test_a_ratio_without_denominator_is_a_reason() -> None:
    assert isinstance(estimate_ratio(moments_from_values([(1.0, 0.0), (2.0, 0.0)])), NotEstimable)


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=0, max_size=8),
    st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=0, max_size=8),
)
def test_any_data_gives_numbers_or_a_reason_and_never_an_exception(a: list[float], b: list[float]) -> None:
    control = estimate_mean(moments_from_values(a))
    treatment = estimate_mean(moments_from_values(b))
    result = compare_arms(control, treatment)
    if isinstance(result, Comparison):
        found = (result.difference, result.se, result.p_value, result.absolute.low, result.absolute.high)
        assert all(math.isfinite(number) for number in found)
        assert 0.0 <= result.p_value <= 1.0


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1, 5.0, math.nan])
def test_a_level_outside_its_range_is_a_value_error(alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha"):
        compare_arms(mean_arm(10, 1.0, 1.0), mean_arm(10, 1.0, 1.0), alpha=alpha)


def test_an_unknown_alternative_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="alternative"):
        compare_arms(mean_arm(10, 1.0, 1.0), mean_arm(10, 1.0, 1.0), alternative="bigger")  # type: ignore[arg-type]


def test_outcome_follows_the_direction_and_the_adjusted_p_value() -> None:
    result = compared(mean_arm(1000, 10.0, 1.0), mean_arm(1000, 10.2, 1.0))
    assert result.outcome("increase") == "better"
    assert result.outcome("decrease") == "worse"
    assert result.outcome("increase", p_adjusted=0.2) == "unclear"
