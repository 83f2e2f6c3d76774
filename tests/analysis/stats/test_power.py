import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.stats.adequacy import assess_adequacy, days_to_expose, round_up_to_weeks
from analysis.stats.estimable import NotEstimable
from analysis.stats.planning import forecast_experiment, plan_runtime, power_curve
from analysis.stats.power import (
    Baseline,
    Design,
    detectable_difference,
    detectable_lift,
    detectable_lift_now,
    power_for_difference,
    rate_baseline,
    sequential_inflation,
    units_for_difference,
    units_for_lift,
)
from tests.analysis.stats.makers import compared, mean_arm

designs = st.builds(
    Design,
    alpha=st.sampled_from([0.01, 0.05, 0.1]),
    power=st.sampled_from([0.5, 0.8, 0.95]),
    control_share=st.sampled_from([0.2, 0.5]),
    treatment_share=st.sampled_from([0.1, 0.5]),
    comparisons=st.integers(min_value=1, max_value=4),
    always_valid=st.booleans(),
)


@given(designs, st.floats(min_value=0.01, max_value=0.9), st.floats(min_value=0.02, max_value=0.1))
def test_size_power_and_detectable_effect_agree_for_rates(design: Design, rate: float, lift: float) -> None:
    baseline = rate_baseline(rate)
    units = units_for_lift(baseline, design, lift=lift)
    assert isinstance(units, int)
    power = power_for_difference(baseline, design, units=units, difference=lift * rate)
    assert design.power - 1e-6 <= power <= design.power + 0.05
    detectable = detectable_lift(baseline, design, units=units)
    assert isinstance(detectable, float)
    assert detectable == pytest.approx(lift, rel=0.01)


@given(designs, st.floats(min_value=0.5, max_value=100.0), st.floats(min_value=0.01, max_value=0.3))
def test_size_power_and_detectable_effect_agree_for_means(design: Design, sd: float, lift: float) -> None:
    baseline = Baseline(10.0, sd * sd)
    units = units_for_lift(baseline, design, lift=lift)
    assert isinstance(units, int)
    detectable = detectable_lift(baseline, design, units=units)
    assert isinstance(detectable, float)
    assert detectable <= lift * (1 + 1e-6)


def test_more_arms_less_traffic_and_peeking_all_cost_units() -> None:
    baseline = rate_baseline(0.1)
    plain = units_for_lift(baseline, Design(), lift=0.05)
    assert isinstance(plain, int)
    for dearer in (
        Design(comparisons=3),
        Design(control_share=0.8, treatment_share=0.2),
        Design(control_share=1 / 3, treatment_share=1 / 3),
        Design(always_valid=True),
        Design(design_effect=1.5),
        Design(power=0.9),
    ):
        units = units_for_lift(baseline, dearer, lift=0.05)
        assert isinstance(units, int)
        assert units > plain
    cheaper = units_for_lift(baseline, Design(variance_reduction=0.3), lift=0.05)
    assert isinstance(cheaper, int)
    assert cheaper == pytest.approx(0.7 * plain, rel=1e-3)


def test_the_price_of_peeking_is_the_ratio_of_the_sizes() -> None:
    """rho^2 N* = 7.936 at alpha .05, so q = 3.035 and ((3.035 + .8416)/(1.96 + .8416))^2 = 1.915."""
    assert sequential_inflation(Design()) == pytest.approx(1.915, abs=1e-3)
    fixed = units_for_difference(Baseline(0, 1), Design(distribution="normal"), difference=0.02)
    sequential = units_for_difference(Baseline(0, 1), Design(always_valid=True), difference=0.02)
    assert isinstance(fixed, int)
    assert isinstance(sequential, int)
    assert sequential / fixed == pytest.approx(sequential_inflation(Design()), rel=1e-3)


def test_an_always_valid_plan_waits_for_100_units_and_25_conversions_an_arm() -> None:
    assert units_for_difference(Baseline(1, 1), Design(always_valid=True), difference=50.0) == 200
    assert units_for_difference(rate_baseline(0.01), Design(always_valid=True), difference=0.9) == 5_000


def test_what_cannot_be_planned_has_a_reason() -> None:
    for answer in (
        units_for_lift(Baseline(0.0, 1.0), Design(), lift=0.1),
        units_for_lift(Baseline(-3.0, 1.0), Design(), lift=0.1),
        units_for_lift(rate_baseline(0.9), Design(), lift=0.5),
        units_for_lift(Baseline(3.0, 0.0), Design(), lift=0.1),
        units_for_difference(Baseline(0, 1), Design(), difference=1e-9),
        detectable_difference(Baseline(1.0, 1.0), Design(), units=3),
        detectable_difference(rate_baseline(0.5), Design(), units=6),
        detectable_lift_now(NotEstimable("no data"), power=0.8),
    ):
        assert isinstance(answer, NotEstimable)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Design(alpha=0.0),
        lambda: Design(power=1.0),
        lambda: Design(control_share=0.8, treatment_share=0.5),
        lambda: Design(comparisons=0),
        lambda: Design(variance_reduction=1.0),
        lambda: Baseline(1.0, -1.0),
        lambda: Baseline(math.nan, 1.0),
        lambda: rate_baseline(1.2),
        lambda: units_for_difference(Baseline(1, 1), Design(), difference=0.0),
        lambda: units_for_difference(Baseline(1, 1), Design(alternative="greater"), difference=-1.0),
        lambda: detectable_lift_now(NotEstimable("x"), power=0.0),
        lambda: power_curve(Baseline(0, 1), Design(), units=10, lifts=[0.1]),
    ],
)
def test_a_wrong_plan_is_a_value_error(make) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        make()


def test_the_effect_detectable_now_follows_from_the_reached_standard_error() -> None:
    comparison = compared(mean_arm(5_000, 10.0, 20.0), mean_arm(5_000, 10.0, 20.0))
    found = detectable_lift_now(comparison, power=0.8)
    assert found == pytest.approx((1.9602 + 0.8416) * 0.4 / 10.0, rel=1e-3)
    planned = detectable_lift(Baseline(10.0, 400.0), Design(), units=10_000)
    assert found == pytest.approx(planned, rel=1e-3)


def test_a_forecast_says_how_long_and_what_can_be_found() -> None:
    forecast = forecast_experiment(
        rate_baseline(0.1), Design(), lift=0.1, units_per_day=1_000, available_days=28
    )
    assert forecast.units_needed == units_for_lift(rate_baseline(0.1), Design(), lift=0.1)
    assert isinstance(forecast.units_needed, int)
    assert isinstance(forecast.days_needed, int)
    assert forecast.days_needed % 7 == 0
    assert forecast.days_needed * 1_000 >= forecast.units_needed > (forecast.days_needed - 7) * 1_000
    assert forecast.units_at_end == 28_000
    assert not forecast.is_adequate
    assert isinstance(forecast.power, float)
    assert forecast.power < 0.8


def test_a_forecast_without_history_or_traffic_has_reasons() -> None:
    unknown = forecast_experiment(
        NotEstimable("no history for this segment"), Design(), lift=0.1, units_per_day=10, available_days=28
    )
    assert unknown.units_needed == NotEstimable("no history for this segment")
    assert not unknown.is_adequate
    nobody = forecast_experiment(rate_baseline(0.1), Design(), lift=0.1, units_per_day=0, available_days=28)
    assert isinstance(nobody.days_needed, NotEstimable)
    assert isinstance(nobody.detectable_lift, NotEstimable)


def test_runtimes_are_whole_weeks_and_at_least_the_minimum() -> None:
    assert round_up_to_weeks(0) == 7
    assert round_up_to_weeks(8) == 14
    assert plan_runtime(100, 100.0, minimum_days=14) == 14
    assert plan_runtime(1_500, 100.0) == 21
    assert days_to_expose(10, 0.0) == NotEstimable("no new units are arriving")
    assert days_to_expose(0, 0.0) == 0


def test_power_rises_with_the_lift() -> None:
    curve = power_curve(rate_baseline(0.1), Design(), units=20_000, lifts=[0.01, 0.05, 0.1, 0.2])
    assert list(curve) == sorted(curve)


PLAN = {
    "planned_units": 10_000,
    "planned_mde": 0.05,
    "detectable_lift": 0.10,
    "minimum_days": 14,
    "days_run": 10,
    "units_per_day": 500.0,
}


def test_adequate_needs_size_or_precision_and_the_minimum_runtime() -> None:
    early = assess_adequacy(units=5_000, **PLAN)
    assert not early.is_adequate
    assert early.days_left == 10
    sized = assess_adequacy(units=10_000, **PLAN)
    assert not sized.is_adequate
    assert sized.days_left == 4
    precise = assess_adequacy(units=5_000, **{**PLAN, "detectable_lift": 0.04, "days_run": 14})
    assert precise.is_adequate
    assert precise.days_left == 0


def test_days_left_count_to_precision_when_that_comes_first() -> None:
    """At 4,000 units 0.06 is detectable; 0.05 needs 4,000 x 1.44 = 5,760 units: 4 days at 500 a day."""
    found = assess_adequacy(units=4_000, **{**PLAN, "detectable_lift": 0.06, "days_run": 14})
    assert found.days_left == 4


def test_a_lock_holds_until_the_planned_end() -> None:
    locked = assess_adequacy(units=50_000, **{**PLAN, "days_run": 20}, lock_days_left=8)
    assert locked.locked
    assert not locked.is_adequate
    assert locked.days_left == 8


def test_a_test_that_has_ended_is_judged_on_what_it_has() -> None:
    ended = assess_adequacy(units=500, **PLAN, lock_days_left=8, has_ended=True)
    assert ended.is_adequate
    assert ended.is_short
    assert ended.days_left == 0


def test_without_traffic_the_days_left_are_unknown() -> None:
    stuck = assess_adequacy(units=500, **{**PLAN, "units_per_day": 0.0})
    assert stuck.days_left == NotEstimable("no new units are arriving")


def test_wrong_counts_are_value_errors() -> None:
    with pytest.raises(ValueError, match="negative"):
        assess_adequacy(units=-1, **PLAN)
    with pytest.raises(ValueError, match="planned_mde"):
        assess_adequacy(units=1, **{**PLAN, "planned_mde": 0.0})
