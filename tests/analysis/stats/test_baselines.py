import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.stats.arms import ArmEstimate, estimate_ratio
from analysis.stats.baselines import baseline_from_arm, blinded_baseline, cluster_design_effect
from analysis.stats.estimable import NotEstimable
from analysis.stats.group_sequential import equal_looks
from analysis.stats.moments import moments_from_values
from analysis.stats.power import (
    Baseline,
    Design,
    detectable_difference,
    exact_units,
    power_for_difference,
    rate_baseline,
    sequential_inflation,
    units_for_difference,
)
from tests.analysis.stats.makers import mean_arm, rate_arm, values_arm

LOOKS = equal_looks(4)


def test_a_ratio_of_totals_is_planned_with_its_delta_method_variance() -> None:
    arm = estimate_ratio(moments_from_values([[1.0, 2.0], [4.0, 3.0], [0.0, 1.0], [7.0, 5.0]]))
    assert isinstance(arm, ArmEstimate)
    assert baseline_from_arm(arm) == Baseline(arm.mean, arm.variance)
    rate = baseline_from_arm(rate_arm(1_000, 50), is_rate=True)
    assert isinstance(rate, Baseline)
    assert (rate.mean, rate.variance, rate.is_rate) == (pytest.approx(0.05), pytest.approx(0.0475), True)
    assert baseline_from_arm(NotEstimable("x")) == NotEstimable("x")


def test_blinded_re_estimation_is_the_variance_of_all_values_together() -> None:
    first, second = [1.0, 5.0, 2.0, 8.0], [3.0, 9.0, 4.0, 4.0, 1.0, 0.0]
    found = blinded_baseline(values_arm(first), values_arm(second))
    together = values_arm(first + second)
    assert isinstance(found, Baseline)
    assert found.mean == pytest.approx(together.mean)
    assert found.variance == pytest.approx(together.variance, rel=0.15)  # n - 1 per arm against n - 1 in all
    swapped = blinded_baseline(values_arm(second), values_arm(first))
    assert isinstance(swapped, Baseline)
    assert (swapped.mean, swapped.variance) == (pytest.approx(found.mean), pytest.approx(found.variance))
    assert isinstance(blinded_baseline(NotEstimable("x"), values_arm(first)), NotEstimable)
    assert isinstance(blinded_baseline(values_arm(first), NotEstimable("x")), NotEstimable)


def test_design_effects_of_clusters() -> None:
    assert cluster_design_effect(20.0, 0.05) == pytest.approx(1.95)  # 1 + 19 x 0.05, Kish 1965
    assert cluster_design_effect(20.0, 0.05, size_variation=0.5) == pytest.approx(
        1.0 + (1.25 * 20 - 1) * 0.05
    )
    assert cluster_design_effect(1.0, 0.5) == 1.0
    for arguments in ((0.5, 0.1), (5.0, 1.5)):
        with pytest.raises(ValueError, match="clusters"):
            cluster_design_effect(*arguments)


@pytest.mark.parametrize("baseline", [Baseline(10.0, 4.0), rate_baseline(0.1)])
@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_looks_cost_the_inflation_factor(baseline: Baseline, alternative: str) -> None:
    difference = -0.01 if alternative == "less" else 0.01
    plain = Design(alternative=alternative)  # type: ignore[arg-type]
    looked = Design(alternative=alternative, looks=LOOKS)  # type: ignore[arg-type]
    fixed = exact_units(baseline, plain, difference=difference)
    found = exact_units(baseline, looked, difference=difference)
    assert isinstance(fixed, float)
    assert found == pytest.approx(fixed * sequential_inflation(looked), rel=1e-3)
    always = Design(alternative=alternative, always_valid=True)  # type: ignore[arg-type]
    assert 1.0 < sequential_inflation(looked) < sequential_inflation(always)


@given(st.floats(0.02, 1.0), st.sampled_from(["obrien_fleming", "pocock"]))
@settings(max_examples=15, deadline=None)
def test_size_power_and_detectable_difference_agree_with_looks(difference: float, spending: str) -> None:
    design, baseline = Design(looks=LOOKS, spending=spending), Baseline(5.0, 9.0)  # type: ignore[arg-type]
    units = units_for_difference(baseline, design, difference=difference)
    assert isinstance(units, int)
    assert power_for_difference(baseline, design, units=units, difference=difference) >= 0.8 - 1e-6
    assert detectable_difference(baseline, design, units=units) == pytest.approx(difference, rel=0.02)


def test_without_an_effect_a_plan_with_looks_finds_one_as_often_as_alpha_says() -> None:
    design = Design(looks=LOOKS)
    assert power_for_difference(Baseline(5.0, 9.0), design, units=1e5, difference=0.0) == pytest.approx(0.05)
    assert power_for_difference(Baseline(5.0, 9.0), design, units=1e6, difference=4.0) == pytest.approx(1.0)
    assert power_for_difference(Baseline(5.0, 9.0), design, units=3, difference=1.0) == 0.0


def test_every_design_factor_scales_the_size() -> None:
    baseline = Baseline(5.0, 9.0)
    plain = exact_units(baseline, Design(distribution="normal"), difference=0.2)
    clustered = exact_units(baseline, Design(distribution="normal", design_effect=1.95), difference=0.2)
    adjusted = exact_units(baseline, Design(distribution="normal", variance_reduction=0.4), difference=0.2)
    uneven = exact_units(
        baseline, Design(distribution="normal", control_share=0.8, treatment_share=0.2), difference=0.2
    )
    assert isinstance(plain, float)
    assert clustered == pytest.approx(1.95 * plain)
    assert adjusted == pytest.approx(0.6 * plain)
    assert uneven == pytest.approx(plain * (1 / 0.8 + 1 / 0.2) / 4)


def test_looks_that_make_no_plan_are_refused() -> None:
    with pytest.raises(ValueError, match="end at 1"):
        Design(looks=(0.5, 0.9))
    with pytest.raises(ValueError, match="always_valid"):
        Design(looks=(0.5, 1.0), always_valid=True)
    with pytest.raises(ValueError, match="rise"):
        power_for_difference(Baseline(1, 1), Design(looks=(0.5, 0.4, 1.0)), units=100, difference=0.5)


def test_huge_arms_cannot_be_planned_with() -> None:
    assert isinstance(baseline_from_arm(ArmEstimate(10, 1.0, math.inf, 9.0)), NotEstimable)
    assert isinstance(blinded_baseline(mean_arm(5, 1e200, 1.0), mean_arm(5, -1e200, 1.0)), NotEstimable)
