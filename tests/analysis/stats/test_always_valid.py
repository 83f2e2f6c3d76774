import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from analysis.stats.always_valid import (
    compare_arms_always_valid,
    sequence_critical,
    sequence_log_evidence,
    sequence_p_value,
    tuning_variance,
)
from analysis.stats.arms import ArmEstimate, estimate_amount
from analysis.stats.compare import Comparison, Lift
from analysis.stats.estimable import Alternative, NotEstimable
from analysis.stats.moments import moments_from_values
from tests.analysis.stats.makers import compared, mean_arm, rate_arm

arms = st.builds(
    mean_arm,
    st.integers(min_value=100, max_value=100_000),
    st.floats(min_value=0.1, max_value=100.0),
    st.floats(min_value=0.1, max_value=100.0),
)


def sequence(control: ArmEstimate, treatment: ArmEstimate, alpha: float = 0.05) -> Comparison:
    result = compare_arms_always_valid(control, treatment, planned_units=10_000, alpha=alpha)
    assert isinstance(result, Comparison)
    return result


@given(arms, arms, st.sampled_from([0.01, 0.05, 0.2]))
def test_p_value_and_both_intervals_never_disagree(a: ArmEstimate, b: ArmEstimate, alpha: float) -> None:
    result = sequence(a, b, alpha)
    assume(abs(result.p_value / alpha - 1.0) > 1e-9)
    significant = result.p_value < alpha
    assert result.absolute.excludes(0.0) == significant
    if isinstance(result.relative, Lift):
        assert result.relative.interval.excludes(0.0) == significant


@given(arms, arms)
def test_looking_at_any_time_costs_width(a: ArmEstimate, b: ArmEstimate) -> None:
    assert sequence(a, b).critical > compared(a, b).critical


@given(
    st.floats(min_value=0.0, max_value=60.0),
    st.floats(min_value=1.0, max_value=1e7),
    st.floats(min_value=1e-7, max_value=1.0),
)
def test_it_equals_the_normal_mixture_in_the_form_of_the_msprt(z: float, units: float, rho2: float) -> None:
    """sqrt(V/(V + n tau^2)) exp(n^2 tau^2 d^2 / (2 V (V + n tau^2))), d = z sqrt(V/n), tau^2 = rho^2 V (Johari)."""
    v = 2.5
    tau2, d2 = rho2 * v, z * z * v / units
    log_ratio = 0.5 * math.log(v / (v + units * tau2)) + units**2 * tau2 * d2 / (2 * v * (v + units * tau2))
    assert sequence_log_evidence(z, units, rho2) == pytest.approx(log_ratio, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
@pytest.mark.parametrize("alpha", [0.001, 0.05, 0.3])
def test_the_p_value_at_the_critical_value_is_alpha(alternative: Alternative, alpha: float) -> None:
    rho2 = tuning_variance(5_000, 0.05)
    critical = sequence_critical(3_000, rho2, alpha, alternative)
    statistic = -critical if alternative == "less" else critical
    assert sequence_p_value(statistic, 3_000, rho2, alternative) == pytest.approx(alpha, rel=1e-9)


def test_overwhelming_evidence_neither_overflows_nor_rounds_to_nonsense() -> None:
    rho2 = tuning_variance(1e6, 0.05)
    for alternative in ("two-sided", "greater"):
        assert 0.0 <= sequence_p_value(500.0, 1e6, rho2, alternative) < 1e-300  # type: ignore[arg-type]
    assert sequence_p_value(-3.0, 1e6, rho2, "greater") == 1.0


def test_the_interval_is_tightest_near_the_planned_size() -> None:
    """The tuning minimises the critical value's excess around N*, so wrong tunings are wider there."""
    widths = {n: sequence_critical(10_000, tuning_variance(n, 0.05), 0.05) for n in (1_000, 10_000, 100_000)}
    assert widths[10_000] < widths[1_000]
    assert widths[10_000] < widths[100_000]


def test_before_100_units_an_arm_it_says_when_it_will_start() -> None:
    result = compare_arms_always_valid(mean_arm(99, 1, 1), mean_arm(500, 2, 1), planned_units=1_000)
    assert result == NotEstimable("the always-valid interval starts at 100 units in each arm (now 99)")


def test_before_25_conversions_an_arm_it_says_when_it_will_start() -> None:
    result = compare_arms_always_valid(rate_arm(5_000, 24), rate_arm(5_000, 60), planned_units=10_000)
    assert isinstance(result, NotEstimable)
    assert "25 conversions in each arm (now 24)" in result.reason


def test_sparse_revenue_counts_only_the_units_that_carry_it() -> None:
    sparse = estimate_amount(moments_from_values([0.0] * 980 + [20.0] * 19 + [900.0]))
    assert isinstance(sparse, ArmEstimate)
    assert isinstance(compare_arms_always_valid(sparse, sparse, planned_units=4_000), NotEstimable)


@pytest.mark.parametrize(
    ("planned", "alpha"), [(0, 0.05), (-5, 0.05), (math.nan, 0.05), (100, 0.0), (100, 1.0)]
)
def test_a_wrong_plan_is_a_value_error(planned: float, alpha: float) -> None:
    with pytest.raises(ValueError, match=r"alpha|planned_units"):
        compare_arms_always_valid(
            mean_arm(500, 1, 1), mean_arm(500, 2, 1), planned_units=planned, alpha=alpha
        )
