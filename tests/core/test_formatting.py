"""What people read: at most three significant digits, real minus signs, a dash for what is not known."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import formatting as f

NBSP = "\u00a0"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (12, "12"),
        (123, "123"),
        (1234, "1,230"),
        (123456, "123,000"),
        (0.01234, "0.0123"),
        (9.999, "10"),
        (999.6, "1,000"),
        (-4.2, "−4.2"),
        (4.20, "4.2"),
        (1e-7, "0.0000001"),
        (float("inf"), "∞"),
        (float("nan"), "–"),
        (None, "–"),
    ],
)
def test_a_number_has_three_significant_digits_at_most(value: float | None, text: str) -> None:
    assert f.number(value) == text


@given(st.floats(min_value=-1e15, max_value=1e15).filter(lambda x: abs(x) > 1e-12))
def test_a_printed_number_is_within_half_a_unit_of_its_third_digit(value: float) -> None:
    read = float(f.number(value).replace(",", "").replace("−", "-"))
    assert read == pytest.approx(value, rel=5.1e-3)


def test_percentages_carry_sign_only_when_asked() -> None:
    assert f.percent(0.0421) == f"4.21{NBSP}%"
    assert f.signed_percent(0.042) == f"+4.2{NBSP}%"
    assert f.signed_percent(-0.011) == f"−1.1{NBSP}%"
    assert f.signed_percent(0) == f"0{NBSP}%"
    assert f.signed_percent(None) == "–"
    assert f.basis_points(2500) == f"25{NBSP}%"


def test_intervals_print_both_ends_or_a_dash() -> None:
    assert f.interval(1.1, 7.4) == "1.1 to 7.4"
    assert f.percent_interval(-0.011, 0.074) == f"−1.1{NBSP}% to 7.4{NBSP}%"
    assert f.interval(None, 1) == "–"


def test_counts_are_exact() -> None:
    assert f.count(1234567) == "1,234,567"
    assert f.count(-1200) == "−1,200"
    assert f.count(None) == "–"


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (12.3, "EUR", "€12.30"),
        (12, "EUR", "€12"),
        (12345, "USD", "$12,300"),
        (-4.2, "GBP", "−£4.20"),
        (84, "CHF", f"84{NBSP}CHF"),
        (84.4, "JPY", "¥84.4"),
        (None, "EUR", "–"),
    ],
)
def test_money_shows_cents_only_while_they_matter(amount: float | None, currency: str, text: str) -> None:
    assert f.money(amount, currency) == text


def test_p_values_never_read_as_zero() -> None:
    assert [f.p_value(p) for p in (0.0004, 0.0123, 0.34, None)] == ["<0.001", "0.012", "0.34", "–"]


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (0, f"0{NBSP}s"),
        (65, f"1{NBSP}min 5{NBSP}s"),
        (3600, f"1{NBSP}h"),
        (timedelta(days=14, minutes=3), f"14{NBSP}d"),
        (None, "–"),
    ],
)
def test_a_duration_shows_its_two_largest_units(span: float | timedelta | None, text: str) -> None:
    assert f.duration(span) == text


def test_days_are_rounded_up() -> None:
    assert [f.days(x) for x in (1, 1.2, 14)] == [f"1{NBSP}day", f"2{NBSP}days", f"14{NBSP}days"]


def test_a_moment_names_its_zone() -> None:
    assert f.moment(datetime(2026, 11, 4, 9, 5, tzinfo=UTC)) == "4 Nov 2026, 09:05 UTC"


def test_the_direction_mark_follows_the_interval_not_the_estimate() -> None:
    assert [f.direction_mark(*ends) for ends in ((0.1, 0.2), (-0.2, -0.1), (-0.1, 0.2), (None, None))] == [
        "▲",
        "▼",
        "●",
        "●",
    ]
