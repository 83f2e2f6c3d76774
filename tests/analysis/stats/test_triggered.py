import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.stats.arms import ArmEstimate
from analysis.stats.compare import Comparison, Lift, compare_arms
from analysis.stats.estimable import NotEstimable
from analysis.stats.triggered import Dilution, dilute_effect
from tests.analysis.stats.makers import compared, mean_arm

REST = mean_arm(6_000, 4.0, 3.0)


def diluted(comparison: Comparison, rest: ArmEstimate | None = REST) -> Dilution:
    found = dilute_effect(comparison, rest, triggered_units=comparison.control.n + comparison.treatment.n)
    assert isinstance(found, Dilution)
    return found


def test_an_effect_on_a_quarter_of_the_units_is_a_quarter_per_unit() -> None:
    comparison = compared(mean_arm(1_000, 10.0, 4.0), mean_arm(1_000, 11.0, 4.0))
    found = diluted(comparison)
    assert found.trigger_share == 0.25
    assert found.difference == pytest.approx(0.25)
    assert found.metric_share == pytest.approx(10.0 / (10.0 + 3 * 4.0))
    assert isinstance(found.lift, Lift)
    assert found.lift.value == pytest.approx(0.1 * 10.0 / 22.0)  # lift of the triggered x the metric's share


def test_units_that_hold_nothing_of_the_metric_do_not_dilute_the_lift() -> None:
    """A constant 0 elsewhere: the lift of everybody is the lift of the triggered, interval and all."""
    comparison = compared(mean_arm(1_000, 10.0, 4.0), mean_arm(1_000, 11.0, 4.0))
    found = diluted(comparison, mean_arm(6_000, 0.0, 0.0))
    assert found.metric_share == pytest.approx(1.0)
    assert isinstance(found.lift, Lift)
    assert isinstance(comparison.relative, Lift)
    assert found.lift.interval.low == pytest.approx(comparison.relative.interval.low)
    assert found.lift.interval.high == pytest.approx(comparison.relative.interval.high)


def test_when_every_unit_triggered_nothing_changes() -> None:
    comparison = compared(mean_arm(1_000, 10.0, 4.0), mean_arm(1_200, 11.0, 5.0))
    found = diluted(comparison, None)
    assert found.trigger_share == 1.0
    assert found.absolute == comparison.absolute
    assert isinstance(found.lift, Lift)
    assert isinstance(comparison.relative, Lift)
    assert found.lift.interval.low == pytest.approx(comparison.relative.interval.low)


@given(st.floats(-1.5, 1.5), st.floats(0.1, 9.0))
@settings(max_examples=80)
def test_the_diluted_interval_excludes_no_effect_exactly_when_the_triggered_one_does(
    difference: float, rest_mean: float
) -> None:
    comparison = compared(mean_arm(400, 10.0, 4.0), mean_arm(500, 10.0 + difference, 5.0))
    found = diluted(comparison, mean_arm(3_000, rest_mean, 2.0))
    assert isinstance(found.lift, Lift)
    assert found.lift.interval.excludes(0.0) == comparison.absolute.excludes(0.0)
    assert found.absolute.excludes(0.0) == comparison.absolute.excludes(0.0)


@pytest.mark.parametrize("alternative", ["greater", "less"])
def test_one_sided_comparisons_keep_their_open_end(alternative: str) -> None:
    comparison = compare_arms(
        mean_arm(400, 10.0, 4.0),
        mean_arm(500, 10.5, 5.0),
        alternative=alternative,  # type: ignore[arg-type]
    )
    assert isinstance(comparison, Comparison)
    lift = diluted(comparison).lift
    assert isinstance(lift, Lift)
    assert math.isinf(lift.interval.high if alternative == "greater" else lift.interval.low)


def test_missing_numbers_give_a_reason() -> None:
    comparison = compared(mean_arm(100, 1.0, 1.0), mean_arm(100, 1.0, 1.0))
    assert dilute_effect(NotEstimable("x"), REST, triggered_units=5) == NotEstimable("x")
    assert isinstance(dilute_effect(comparison, NotEstimable("x"), triggered_units=5), NotEstimable)
    assert isinstance(dilute_effect(comparison, REST, triggered_units=0), NotEstimable)
    negative = diluted(comparison, mean_arm(100, -5.0, 1.0))
    assert isinstance(negative.lift, NotEstimable)
    assert isinstance(negative.metric_share, NotEstimable)
    noisy = diluted(compared(mean_arm(10, 0.01, 9.0), mean_arm(10, 0.0, 9.0)), mean_arm(10, 0.01, 9.0))
    assert isinstance(noisy.lift, NotEstimable)
    with pytest.raises(ValueError, match="negative"):
        dilute_effect(comparison, REST, triggered_units=-1)
