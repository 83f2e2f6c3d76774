import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from analysis.stats.arms import ArmEstimate
from analysis.stats.compare import Comparison, Lift
from analysis.stats.estimable import Direction, NotEstimable
from analysis.stats.guardrails import check_guardrail
from tests.analysis.stats.makers import mean_arm, rate_arm

CONTROL = mean_arm(10_000, 100.0, 50.0)  # standard error 0.5, so the difference has 0.71
arms = st.builds(
    mean_arm,
    st.integers(min_value=150, max_value=50_000),
    st.floats(min_value=5.0, max_value=100.0),
    st.floats(min_value=1.0, max_value=50.0),
)


@pytest.mark.parametrize(
    ("treatment_mean", "direction", "state"),
    [
        (100.0, "increase", "ok"),  # margin 95: 5 above it, 7 standard errors
        (95.2, "increase", "unclear"),
        (92.0, "increase", "breached"),
        (130.0, "increase", "ok"),
        (100.0, "decrease", "ok"),
        (104.8, "decrease", "unclear"),
        (108.0, "decrease", "breached"),
        (70.0, "decrease", "ok"),
    ],
)
@pytest.mark.parametrize("planned_units", [None, 20_000])
def test_state_follows_margin_and_direction(
    treatment_mean: float, direction: Direction, state: str, planned_units: float | None
) -> None:
    result = check_guardrail(
        CONTROL,
        mean_arm(10_000, treatment_mean, 50.0),
        margin=0.05,
        direction=direction,
        planned_units=planned_units,
    )
    assert result.state == state


@given(
    arms, arms, st.sampled_from([0.0, 0.02, 0.1]), st.sampled_from(["increase", "decrease"]), st.booleans()
)
def test_state_p_values_and_the_interval_shown_never_disagree(
    a: ArmEstimate, b: ArmEstimate, margin: float, direction: Direction, sequential: bool
) -> None:
    result = check_guardrail(
        a, b, margin=margin, direction=direction, planned_units=20_000 if sequential else None
    )
    assert isinstance(result.comparison, Comparison)
    assume(isinstance(result.comparison.relative, Lift))
    assert isinstance(result.comparison.relative, Lift)
    interval = result.comparison.relative.interval
    limit = result.margin_lift
    assume(min(abs(interval.low - limit), abs(interval.high - limit)) > 1e-9)
    low, high = interval.low > limit, interval.high < limit
    safe, harmed = (low, high) if direction == "increase" else (high, low)
    assert result.state == ("ok" if safe else "breached" if harmed else "unclear")
    assert isinstance(result.p_breach, float)
    assert isinstance(result.p_non_inferior, float)
    assert (result.p_breach < 0.025) == harmed
    assert (result.p_non_inferior < 0.025) == safe


def test_when_anyone_may_look_the_breach_needs_more_evidence() -> None:
    treatment = mean_arm(10_000, 93.3, 50.0)  # 2.4 standard errors beyond the margin
    fixed = check_guardrail(CONTROL, treatment, margin=0.05, direction="increase")
    always = check_guardrail(CONTROL, treatment, margin=0.05, direction="increase", planned_units=20_000)
    assert (fixed.state, always.state) == ("breached", "unclear")


def test_too_little_data_is_unclear_with_its_reason() -> None:
    result = check_guardrail(
        rate_arm(50, 5), rate_arm(50, 1), margin=0.1, direction="increase", planned_units=1_000
    )
    assert result.state == "unclear"
    assert "100 units" in result.reason
    assert isinstance(result.p_breach, NotEstimable)


def test_a_control_mean_that_is_not_positive_has_no_relative_margin() -> None:
    result = check_guardrail(mean_arm(500, -1, 1), mean_arm(500, -2, 1), margin=0.1, direction="increase")
    assert result.state == "unclear"
    assert "positive control mean" in result.reason


@pytest.mark.parametrize(
    "wrong", [{"margin": -0.1}, {"margin": 1.0}, {"direction": "up"}, {"alpha": 0.5}, {"alpha": 0.0}]
)
def test_a_wrong_argument_is_a_value_error(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"margin|direction|alpha"):
        check_guardrail(CONTROL, CONTROL, **{"margin": 0.05, "direction": "increase", **wrong})  # type: ignore[arg-type]
