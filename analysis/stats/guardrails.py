"""Guardrails: is a metric credibly no worse than its margin, credibly worse, or not known yet?"""

from dataclasses import dataclass
from typing import Literal

from analysis.stats.always_valid import compare_arms_always_valid, sequence_p_value, tuning_variance
from analysis.stats.arms import ArmEstimate
from analysis.stats.compare import Comparison, compare_arms, contrast_statistic, tail_probability
from analysis.stats.estimable import Direction, NotEstimable, check_share, sign_of

GuardrailState = Literal["ok", "breached", "unclear"]


@dataclass(frozen=True, slots=True)
class GuardrailResult:
    """State of one guardrail in one arm.

    margin: largest tolerated relative loss (0.02 = 2 %); direction: which way is good;
    p_non_inferior: one-sided p-value of "worse than the margin", small = safe;
    p_breach: one-sided p-value of "within the margin", small = harm; comparison: the interval to show.
    """

    state: GuardrailState
    margin: float
    direction: Direction
    comparison: Comparison | NotEstimable
    p_non_inferior: float | NotEstimable
    p_breach: float | NotEstimable
    reason: str

    @property
    def margin_lift(self) -> float:
        """The margin as a lift: -0.02 when more is better, +0.02 when less is better."""
        return -sign_of(self.direction) * self.margin


def check_guardrail(
    control: ArmEstimate | NotEstimable,
    treatment: ArmEstimate | NotEstimable,
    *,
    margin: float,
    direction: Direction,
    alpha: float = 0.025,
    planned_units: float | None = None,
) -> GuardrailResult:
    """Test non-inferiority on m1 - (1 - M) m0 with variance a + (1 - M)^2 b; 1 + M when less is better.

    alpha: one-sided, each way: 0.025 is the side of the 95 % interval that is shown, so picture and state
    agree. planned_units: N* of the plan makes the test always-valid; give it whenever somebody may look
    before the end, None only for the single look at the planned end.  A margin of 0 asks for "not worse at
    all".
    Raises ValueError for a margin outside 0 <= M < 1, an unknown direction, alpha outside 0..0.5.
    Source: STATISTICS "guardrails"; Schultzberg, Ankargren & Franberg 2024 (alpha stays uncorrected).
    """
    check_share(2.0 * alpha, "2 * alpha")
    if not 0.0 <= margin < 1.0:
        raise ValueError(f"margin must be at least 0 and below 1, not {margin!r}")
    sign = sign_of(direction)
    comparison: Comparison | NotEstimable
    if planned_units is None:
        comparison = compare_arms(control, treatment, alpha=2.0 * alpha)
    else:
        comparison = compare_arms_always_valid(
            control, treatment, planned_units=planned_units, alpha=2.0 * alpha
        )
    if isinstance(comparison, NotEstimable):
        return _unknown(comparison.reason, margin, direction, comparison)
    if comparison.control.mean <= 0.0:
        return _unknown("a relative margin needs a positive control mean", margin, direction, comparison)
    statistic = contrast_statistic(comparison.control, comparison.treatment, -sign * margin)
    if isinstance(statistic, NotEstimable):
        return _unknown(statistic.reason, margin, direction, comparison)
    safety = sign * statistic
    return GuardrailResult(
        state=_state(safety, comparison.critical),
        margin=margin,
        direction=direction,
        comparison=comparison,
        p_non_inferior=_p_one_sided(safety, comparison, margin, planned_units, alpha),
        p_breach=_p_one_sided(-safety, comparison, margin, planned_units, alpha),
        reason="",
    )


def _state(safety: float, critical: float) -> GuardrailState:
    if safety > critical:
        return "ok"
    return "breached" if safety < -critical else "unclear"


def _p_one_sided(
    value: float, comparison: Comparison, margin: float, planned_units: float | None, alpha: float
) -> float:
    """p-value of one side, from the same reference distribution (and degrees of freedom) as the interval."""
    if planned_units is None:
        return tail_probability(value, comparison.df, "greater")
    units = float(comparison.control.n + comparison.treatment.n)
    if value <= 0.0:
        return 1.0
    return sequence_p_value(value, units, tuning_variance(planned_units, 2.0 * alpha)) / 2.0


def _unknown(
    reason: str, margin: float, direction: Direction, comparison: Comparison | NotEstimable
) -> GuardrailResult:
    missing = NotEstimable(reason)
    return GuardrailResult("unclear", margin, direction, comparison, missing, missing, reason)
