import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from analysis.stats.compare import Comparison
from analysis.stats.estimable import NotEstimable
from analysis.stats.exposure_age import AgeEffects, detect_age_trend
from analysis.stats.moments import Moments, empty_moments, moments_from_values
from tests.analysis.stats.makers import binomial_band

Array = NDArray[np.float64]


def cohort(rng: np.random.Generator, n: int, by_day: list[float]) -> Array:
    """Values of n units on each day: correlated within a unit, with the given effect by day."""
    return rng.normal(0.0, 2.0, (n, 1)) + rng.normal(5.0, 1.0, (n, len(by_day))) + np.array(by_day)


def detected(control: Array, treatment: Array) -> AgeEffects:
    found = detect_age_trend(moments_from_values(control), moments_from_values(treatment))
    assert isinstance(found, AgeEffects)
    return found


def test_the_slope_test_is_welchs_test_of_the_units_own_slopes() -> None:
    rng = np.random.default_rng(311)
    control, treatment = cohort(rng, 80, [0.0] * 7), cohort(rng, 90, [0.9, 0.6, 0.4, 0.3, 0.2, 0.1, 0.1])
    x = np.arange(7) - 3.0
    own = [values @ x / (x @ x) for values in (treatment, control)]
    wanted = stats.ttest_ind(own[0], own[1], equal_var=False)
    slope = detected(control, treatment).slope
    assert isinstance(slope, Comparison)
    assert slope.statistic == pytest.approx(wanted.statistic)
    assert slope.p_value == pytest.approx(wanted.pvalue)


@pytest.mark.parametrize(
    ("by_day", "trend"),
    [
        ([0.8, 0.6, 0.4, 0.2, 0.1, 0.0], "fading"),
        ([-0.8, -0.6, -0.4, -0.2, -0.1, 0.0], "fading"),
        ([0.0, 0.1, 0.2, 0.4, 0.6, 0.8], "growing"),
        ([0.5] * 6, "steady"),
    ],
)
def test_novelty_and_primacy_are_told_apart_whatever_the_sign(by_day: list[float], trend: str) -> None:
    rng = np.random.default_rng(312)
    found = detected(cohort(rng, 4_000, [0.0] * 6), cohort(rng, 4_000, by_day))
    assert found.trend == trend
    assert len(found.by_day) == 6
    day_0 = found.by_day[0]
    assert isinstance(day_0, Comparison)
    assert day_0.difference == pytest.approx(by_day[0], abs=0.25)


@given(st.floats(-50.0, 50.0), st.floats(0.01, 100.0))
@settings(max_examples=30, deadline=None)
def test_shifting_and_scaling_keep_the_p_value(shift: float, scale: float) -> None:
    rng = np.random.default_rng(313)
    control, treatment = cohort(rng, 60, [0.0] * 4), cohort(rng, 60, [0.5, 0.3, 0.2, 0.1])
    plain, moved = detected(control, treatment), detected(scale * control + shift, scale * treatment + shift)
    assert isinstance(plain.slope, Comparison)
    assert isinstance(moved.slope, Comparison)
    assert moved.slope.p_value == pytest.approx(plain.slope.p_value, rel=1e-6)


def test_uneven_days_are_taken_as_they_are() -> None:
    rng = np.random.default_rng(314)
    values = moments_from_values(cohort(rng, 50, [0.0, 0.0, 0.0]))
    other = moments_from_values(cohort(rng, 50, [0.0, 0.0, 0.0]))
    found = detect_age_trend(values, other, days=[0.0, 1.0, 13.0])
    assert isinstance(found, AgeEffects)
    even = detect_age_trend(values, other)
    assert isinstance(even, AgeEffects)
    assert found.slope != even.slope


def test_too_few_units_and_constant_values_give_a_reason() -> None:
    one = moments_from_values([[1.0, 2.0]])
    assert isinstance(detect_age_trend(one, one), NotEstimable)
    assert isinstance(detect_age_trend(empty_moments([0.0, 0.0]), one), NotEstimable)
    flat = detect_age_trend(*[moments_from_values([[1.0, 2.0]] * 5)] * 2)
    assert isinstance(flat, AgeEffects)
    assert isinstance(flat.slope, NotEstimable)
    assert isinstance(flat.trend, NotEstimable)
    huge = moments_from_values(np.array([[1e300, -1e300], [1e300, 0.0], [0.0, 1e300]]), shift=[0.0, 0.0])
    assert isinstance(detect_age_trend(huge, huge), AgeEffects)


def test_wrong_arguments_are_refused() -> None:
    two, three = moments_from_values([[1.0, 2.0]]), moments_from_values([[1.0, 2.0, 3.0]])
    with pytest.raises(ValueError, match="same days"):
        detect_age_trend(two, three)
    with pytest.raises(ValueError, match="days must differ"):
        detect_age_trend(two, two, days=[1.0, 1.0])
    with pytest.raises(ValueError, match="at least 2"):
        detect_age_trend(Moments(1, (0.0,), (1.0,), ((1.0,),)), Moments(1, (0.0,), (1.0,), ((1.0,),)))


@pytest.mark.slow
def test_a_steady_effect_is_called_a_trend_as_often_as_alpha_says() -> None:
    rng = np.random.default_rng(315)
    called = sum(
        detected(cohort(rng, 200, [0.0] * 7), cohort(rng, 200, [0.4] * 7)).trend != "steady"
        for _ in range(1_500)
    )
    low, high = binomial_band(1_500, 0.05)
    assert low <= called / 1_500 <= high
