import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.stats.arms import ArmEstimate
from analysis.stats.compare import Comparison, Lift, compare_arms
from analysis.stats.estimable import NotEstimable
from analysis.stats.monitored import (
    MonitoringPlan,
    compare_arms_group_sequential,
    estimate_after_stopping,
    outcome_tail,
)
from tests.analysis.stats.makers import mean_arm, rate_arm

PLAN = MonitoringPlan(4_000.0)


def look(
    difference: float, n: int = 1_000, earlier: tuple[float, ...] = (1_000.0,), **options: object
) -> Comparison:
    plan = options.pop("plan", PLAN)
    found = compare_arms_group_sequential(
        mean_arm(n, 10.0, 2.0),
        mean_arm(n, 10.0 + difference, 2.0),
        plan=plan,  # type: ignore[arg-type]
        earlier_units=earlier,
        **options,  # type: ignore[arg-type]
    )
    assert isinstance(found, Comparison)
    return found


def test_a_single_look_at_the_end_is_the_fixed_normal_test() -> None:
    found = look(0.12, n=2_000, earlier=())
    fixed = compare_arms(found.control, found.treatment, reference="normal")
    assert isinstance(fixed, Comparison)
    assert found.absolute.low == pytest.approx(fixed.absolute.low, rel=1e-6)
    assert found.p_value == pytest.approx(fixed.p_value, rel=1e-3)
    stopped = estimate_after_stopping(found, PLAN.boundary([4_000.0]))
    assert stopped.difference == pytest.approx(found.difference, rel=1e-6)
    assert stopped.p_value == pytest.approx(fixed.p_value, rel=1e-6)
    assert stopped.absolute.high == pytest.approx(fixed.absolute.high, rel=1e-6)
    assert isinstance(stopped.lift, Lift)
    assert isinstance(fixed.relative, Lift)
    assert stopped.lift.interval.low == pytest.approx(fixed.relative.interval.low, rel=1e-5)


@given(st.floats(-0.6, 0.6), st.sampled_from(["two-sided", "greater", "less"]))
@settings(deadline=None, max_examples=60)
def test_p_value_and_both_intervals_say_the_same(difference: float, alternative: str) -> None:
    plan = MonitoringPlan(4_000.0, 0.05, alternative)  # type: ignore[arg-type]
    found = look(difference, plan=plan)
    assert isinstance(found.relative, Lift)
    excluded = found.absolute.excludes(0.0)
    assert excluded == (found.p_value < 0.05)
    assert excluded == found.relative.interval.excludes(0.0)


@given(st.floats(0.05, 0.6))
@settings(deadline=None, max_examples=20)
def test_the_p_value_is_the_smallest_alpha_that_rejects(difference: float) -> None:
    found = look(difference)
    if 1e-9 < found.p_value < 0.99:
        at_p = PLAN.boundary([1_000.0, 2_000.0], alpha=found.p_value).critical[-1]
        assert at_p == pytest.approx(abs(found.statistic), rel=1e-3)


def test_swapping_the_arms_flips_the_signs() -> None:
    a, b = rate_arm(1_000, 120), rate_arm(1_000, 170)
    there = compare_arms_group_sequential(a, b, plan=PLAN, earlier_units=[800.0])
    back = compare_arms_group_sequential(b, a, plan=PLAN, earlier_units=[800.0])
    assert isinstance(there, Comparison)
    assert isinstance(back, Comparison)
    assert (back.absolute.low, back.absolute.high) == (-there.absolute.high, -there.absolute.low)
    boundary = PLAN.boundary([800.0, 2_000.0])
    first, second = estimate_after_stopping(there, boundary), estimate_after_stopping(back, boundary)
    assert second.difference == pytest.approx(-first.difference, rel=1e-6)
    assert second.p_value == pytest.approx(first.p_value, rel=1e-6)


def test_an_early_stop_is_shrunk_toward_no_difference_when_it_crossed_narrowly() -> None:
    boundary = PLAN.boundary([1_000.0, 2_000.0])
    se = math.sqrt(2.0 * 4.0 / 1_000)
    found = look(1.001 * boundary.critical[1] * se)
    stopped = estimate_after_stopping(found, boundary)
    assert 0.0 < stopped.difference < found.difference
    assert stopped.absolute.low > 0.0
    assert stopped.p_value < 0.05


def test_the_stage_wise_ordering_holds_at_the_boundary() -> None:
    """Stopping later with a larger statistic is still less extreme than any earlier stop."""
    early, late = PLAN.boundary([1_000.0]), PLAN.boundary([1_000.0, 2_000.0])
    at_first = outcome_tail(early, early.critical[0], 0.0)
    assert outcome_tail(late, 40.0, 0.0) == pytest.approx(at_first, rel=1e-9)


def test_looks_without_news_and_looks_far_too_early_give_a_reason() -> None:
    arm = mean_arm(1_000, 10.0, 2.0)
    same = compare_arms_group_sequential(arm, arm, plan=PLAN, earlier_units=[2_000.0])
    assert isinstance(same, NotEstimable)
    assert "new units" in same.reason
    early = compare_arms_group_sequential(mean_arm(10, 1.0, 1.0), mean_arm(10, 9.0, 1.0), plan=PLAN)
    assert isinstance(early, NotEstimable)
    assert "no decision yet" in early.reason


def test_a_look_right_after_another_counts_as_one() -> None:
    assert look(0.2, earlier=(1_000.0, 1_001.0, 1_002.0)).critical == look(0.2).critical


arms = st.builds(
    ArmEstimate,
    n=st.integers(2, 10_000),
    mean=st.sampled_from([0.0, -3.0, 1e-300, 5.0, 1e150]),
    se2=st.sampled_from([0.0, 1e-300, 1e-4, 1.0, 1e150]),
    df=st.just(10.0),
)


@given(arms, arms, st.lists(st.floats(0.0, 30_000.0), max_size=4))
@settings(deadline=None, max_examples=80)
def test_any_arms_and_any_earlier_looks_give_a_number_or_a_reason(
    control: ArmEstimate, treatment: ArmEstimate, earlier: list[float]
) -> None:
    found = compare_arms_group_sequential(control, treatment, plan=PLAN, earlier_units=earlier)
    if isinstance(found, Comparison):
        assert 0.0 < found.p_value <= 1.0
        assert math.isfinite(found.critical)
    else:
        assert found.reason


def test_a_missing_arm_passes_its_reason_on() -> None:
    found = compare_arms_group_sequential(NotEstimable("no units"), mean_arm(10, 1.0, 1.0), plan=PLAN)
    assert found == NotEstimable("control: no units")


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="planned_units"):
        MonitoringPlan(0.0)
    with pytest.raises(ValueError, match="alternative"):
        MonitoringPlan(10.0, 0.05, "up")  # type: ignore[arg-type]
    fixed = compare_arms(mean_arm(100, 1.0, 1.0), mean_arm(100, 2.0, 1.0))
    assert isinstance(fixed, Comparison)
    with pytest.raises(ValueError, match="after stopping"):
        estimate_after_stopping(fixed, PLAN.boundary([4_000.0]))
