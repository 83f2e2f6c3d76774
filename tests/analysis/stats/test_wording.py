import pytest

from analysis.stats.wording import (
    decimals_for,
    describe_effect,
    format_p,
    format_plain,
    format_signed,
    join_words,
)
from tests.analysis.stats.makers import compared, mean_arm, rate_arm


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [(4.2, 1, "+4.2"), (-0.314, 2, "−0.31"), (0.04, 1, "0.0"), (-0.04, 1, "0.0"), (12_345.6, 0, "+12,346")],
)
def test_signed_numbers(value: float, decimals: int, text: str) -> None:
    assert format_signed(value, decimals) == text


def test_plain_numbers_keep_a_true_minus() -> None:
    assert format_plain(-1_204.0, 0) == "−1,204"


@pytest.mark.parametrize(
    ("low", "high", "decimals"),
    [
        (1.1, 7.4, 1),
        (62.0, 81.0, 1),
        (64.1, 280.7, 0),
        (-0.0123, 0.0411, 3),
        (1.0, 1.0, 1),
        (0.0, float("inf"), 1),
    ],
)
def test_decimals_follow_the_interval(low: float, high: float, decimals: int) -> None:
    assert decimals_for(low, high) == decimals


def test_without_a_lift_the_absolute_difference_is_said() -> None:
    rates = compared(rate_arm(1_000, 0), rate_arm(1_000, 20))
    assert describe_effect(rates, "conversion", is_rate=True) == (
        "+2.00 percentage points conversion (95 % CI 1.13 to 2.87)"
    )
    negative = compared(mean_arm(100, -5.0, 1.0), mean_arm(100, -4.0, 1.0), alpha=0.01)
    assert describe_effect(negative, "balance") == "+1.00 balance (99 % CI 0.63 to 1.37)"


def test_small_p_values_are_bounded() -> None:
    assert format_p(1e-9) == "p < 0.0001"
    assert format_p(0.0312) == "p = 0.031"


def test_words_are_joined_as_prose() -> None:
    assert join_words([]) == ""
    assert join_words(["a"]) == "a"
    assert join_words(["a", "b", "c"]) == "a, b and c"
