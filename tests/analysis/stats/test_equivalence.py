import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from analysis.stats.compare import Lift, compare_arms
from analysis.stats.equivalence import (
    Equivalence,
    check_equivalence,
    check_equivalent_arms,
    check_equivalent_lift,
    check_rate_in_range,
)
from analysis.stats.estimable import Interval, NotEstimable
from analysis.stats.noninferiority import (
    power_with_guardrails,
    units_for_equivalence,
    units_for_margin,
    units_for_rates_margin,
)
from analysis.stats.pooled import compare_arms_pooled, log_lift
from analysis.stats.power import Baseline, Design, rate_baseline
from analysis.stats.rate_score import RateCount, score_statistic
from tests.analysis.stats.makers import binomial_band, compared, mean_arm, rate_arm, values_arm

arms = st.builds(
    mean_arm,
    st.integers(min_value=20, max_value=5_000),
    st.floats(min_value=5.0, max_value=15.0),
    st.floats(min_value=0.1, max_value=5.0),
)


@given(arms, arms, st.floats(min_value=0.01, max_value=0.5))
def test_equivalent_means_the_interval_lies_inside_the_margins(a: object, b: object, margin: float) -> None:
    margins = Interval(-margin, margin)
    lift = check_equivalent_lift(a, b, margins)  # type: ignore[arg-type]
    absolute = check_equivalent_arms(a, b, margins)  # type: ignore[arg-type]
    for found in (lift, absolute):
        assert isinstance(found, Equivalence)
        assume(abs(found.p_value - 0.05) > 1e-9)
        inside = found.interval.low > -margin and found.interval.high < margin
        assert found.is_equivalent == inside


def test_the_lift_interval_is_the_90_percent_fieller_interval() -> None:
    control, treatment = mean_arm(900, 10.0, 3.0), mean_arm(700, 10.1, 4.0)
    found = check_equivalent_lift(control, treatment, Interval(-0.05, 0.05))
    wanted = compared(control, treatment, alpha=0.1)
    assert isinstance(found, Equivalence)
    assert isinstance(wanted.relative, Lift)
    assert found.interval == wanted.relative.interval


def test_data_without_an_answer_get_a_reason_and_wrong_margins_a_value_error() -> None:
    flat, near_zero = mean_arm(9, 1.0, 0.0), mean_arm(9, 0.1, 1.0)
    assert isinstance(check_equivalent_arms(flat, flat, Interval(-1, 1)), NotEstimable)
    assert isinstance(check_equivalent_lift(near_zero, near_zero, Interval(-0.1, 0.1)), NotEstimable)
    assert isinstance(check_equivalent_arms(NotEstimable("x"), flat, Interval(-1, 1)), NotEstimable)
    assert isinstance(check_rate_in_range(RateCount(0, 9), Interval(0.1, 0.2)), NotEstimable)
    with pytest.raises(ValueError, match="below the upper"):
        check_equivalence(0.0, 1.0, Interval(1.0, -1.0))
    with pytest.raises(ValueError, match="above -1"):
        check_equivalent_lift(flat, flat, Interval(-1.5, 0.1))
    with pytest.raises(ValueError, match="alpha"):
        check_equivalence(0.0, 1.0, Interval(-1.0, 1.0), alpha=0.5)


def test_equivalence_without_a_true_difference_has_the_closed_form_of_its_size() -> None:
    """Julious 2004, equation 5.3: n per arm = 2 sd^2 (z_{1-beta/2} + z_{1-alpha})^2 / d^2 = 1,712.77 here."""
    found = units_for_equivalence(Baseline(0.0, 1.0), Design(alpha=0.05, power=0.8), margin=0.1)
    assert found == math.ceil(2 * 2 * (1.2815515655 + 1.6448536270) ** 2 / 0.01)


def test_farrington_manning_without_a_margin_is_the_pooled_test_of_two_rates() -> None:
    """R, ?power.prop.test: p = .50 and .75 at power .90 need n = 76.7 an arm."""
    design = Design(alpha=0.05, power=0.9)
    for scale, value in (("difference", 0.0), ("ratio", 1.0)):
        found = units_for_rates_margin(0.5, 0.75, design, value=value, scale=scale)  # type: ignore[arg-type]
        assert found == pytest.approx(2 * 76.7, abs=0.1)


def test_a_guardrail_of_means_needs_the_size_of_a_shifted_comparison() -> None:
    """No true lift: n arm = (v + (1 - M)^2 v)(z + z)^2 / (M m)^2, M = 2 %, m = 10, sd 4: 2,463.3 an arm."""
    design = Design(alpha=0.025, power=0.8)
    found = units_for_margin(Baseline(10.0, 16.0), design, margin=0.02, direction="increase")
    per_arm = 16.0 * (1 + 0.98**2) * (1.9599639845 + 0.8416212336) ** 2 / 0.2**2
    assert found == math.ceil(2 * per_arm)
    better = units_for_margin(Baseline(10.0, 16.0), design, margin=0.02, direction="increase", true_lift=0.02)
    assert better == pytest.approx(found / 4, rel=0.001)
    worse = units_for_margin(Baseline(10.0, 16.0), design, margin=0.02, direction="decrease")
    assert isinstance(worse, int)
    assert worse > found


def test_sizes_that_do_not_exist_are_reasons_or_value_errors() -> None:
    design = Design(alpha=0.025)
    for baseline in (Baseline(-1.0, 1.0), Baseline(0.0, 1.0), Baseline(5.0, 0.0), rate_baseline(1.0)):
        assert isinstance(units_for_margin(baseline, design, margin=0.1, direction="increase"), NotEstimable)
    tiny = units_for_margin(Baseline(1.0, 1e9), design, margin=1e-6, direction="increase")
    assert isinstance(tiny, NotEstimable)
    with pytest.raises(ValueError, match="truth lies"):
        units_for_margin(Baseline(1.0, 1.0), design, margin=0.1, direction="increase", true_lift=-0.1)
    with pytest.raises(ValueError, match="equals the truth"):
        units_for_rates_margin(0.5, 0.4, design, value=-0.1)
    with pytest.raises(ValueError, match="hold the true"):
        units_for_equivalence(Baseline(0.0, 1.0), design, margin=0.1, true_difference=0.2)
    assert power_with_guardrails(0.8, 3) == pytest.approx(0.95)
    with pytest.raises(ValueError, match="negative"):
        power_with_guardrails(0.8, -1)


def test_pooled_variance_is_students_test() -> None:
    """R: t.test(extra ~ group, data = sleep, var.equal = TRUE): t = -1.8608, df = 18, p = 0.07919."""
    first = values_arm([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])
    second = values_arm([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])
    found = compare_arms_pooled(second, first)
    assert not isinstance(found, NotEstimable)
    assert (found.statistic, found.df, found.p_value) == pytest.approx((-1.8608, 18.0, 0.07919), abs=5e-5)


def test_the_logarithmic_interval_is_katz_for_rates() -> None:
    """PropCIs and Fagerland et al. 2015: 7/34 against 1/34 gives 0.91 to 54; ddof 1 widens it by 1.5 %."""
    found = log_lift(rate_arm(34, 1), rate_arm(34, 7))
    assert isinstance(found, Lift)
    normal = compare_arms(rate_arm(34, 1), rate_arm(34, 7), reference="normal")
    assert not isinstance(normal, NotEstimable)
    assert found.value == pytest.approx(6.0)
    assert 1.0 + found.interval.low < 0.91
    assert 1.0 + found.interval.high > 54.0
    assert isinstance(log_lift(mean_arm(9, -1.0, 1.0), mean_arm(9, 1.0, 1.0)), NotEstimable)
    with pytest.raises(ValueError, match="alternative"):
        log_lift(rate_arm(34, 1), rate_arm(34, 7), alternative="both")  # type: ignore[arg-type]


@pytest.mark.slow
def test_farrington_manning_sizes_have_their_power() -> None:
    """Rates 10 % and 10 %, margin -3 points, 90 % power: 4,000 simulated tests of the score statistic."""
    units = units_for_rates_margin(
        0.1, 0.1, Design(alpha=0.025, power=0.9, alternative="greater"), value=-0.03
    )
    assert isinstance(units, float)
    n = math.ceil(units / 2)
    rng = np.random.default_rng(1)
    draws = rng.binomial(n, 0.1, (4_000, 2)).tolist()
    found = sum(
        score_statistic(RateCount(c, n), RateCount(t, n), scale="difference", value=-0.03) > 1.959963985
        for c, t in draws
    )
    low, high = binomial_band(4_000, 0.9)
    assert low - 0.01 <= found / 4_000 <= high + 0.01  # power as planned, 2 points in STATISTICS


@pytest.mark.slow
def test_equivalence_keeps_its_level_at_the_margin() -> None:
    """4,000 tests whose true lift is exactly the upper margin: at most 5 % are called equivalent."""
    rng = np.random.default_rng(2)
    passed = 0
    for _ in range(4_000):
        control, treatment = (values_arm(rng.exponential(m, 800).tolist()) for m in (2.0, 2.2))
        found = check_equivalent_lift(control, treatment, Interval(-0.1, 0.1))
        assert isinstance(found, Equivalence)
        passed += found.is_equivalent
    assert passed / 4_000 <= binomial_band(4_000, 0.05)[1]
