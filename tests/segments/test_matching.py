"""The memory evaluator: one example per line of the table in docs/segments.md."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segments.rules import (
    AllOf,
    AnyOf,
    AttributeTest,
    Event,
    EventAggregate,
    EventRecency,
    InSegment,
    Not,
    Profile,
    Rule,
    compile_rule,
    matches,
)
from tests.segments.strategies import NOW, profiles, rules


def holds(op: str, operand: Any, *value: Any) -> bool:
    profile = Profile({"x": value[0]} if value else {})
    return matches(AttributeTest("x", op, operand), profile, NOW)


@pytest.mark.parametrize(
    ("op", "operand", "yes", "no"),
    [
        ("eq", "DE", "DE", "de"),
        ("eq", "é", "é", "e\u0301"),
        ("eq", 1, 1.0, 2),
        ("eq", True, True, False),
        ("ne", "DE", "AT", "DE"),
        ("lt", 5, 4.9, 5),
        ("lte", 5, 5, 5.1),
        ("gt", 5, 5.1, 5),
        ("gte", 5, 5, 4.9),
        ("between", (1, 3), 3, 3.1),
        ("between", ("2026-01-01", "2026-01-31"), "2026-01-31", "2026-01-31T00:00:01Z"),
        ("in", ("a", "b"), "b", "c"),
        ("not_in", ("a", "b"), "c", "b"),
        ("contains", "b", "abc", "aBc"),
        ("starts_with", "ab", "abc", "cab"),
        ("ends_with", "bc", "abc", "bca"),
        ("before", "2026-01-01", "2025-12-31T23:59:59Z", "2026-01-01"),
        ("after", "2026-01-01", "2026-01-01T00:00:00.000001Z", "2026-01-01T01:00:00+01:00"),
    ],
)
def test_an_operator_tells_values_apart(op: str, operand: Any, yes: Any, no: Any) -> None:
    assert holds(op, operand, yes)
    assert not holds(op, operand, no)


@pytest.mark.parametrize(
    ("op", "operand", "other_type"),
    [
        ("eq", "1", 1),
        ("eq", 1, True),
        ("eq", True, 1),
        ("ne", "a", 1),
        ("ne", 1, "a"),
        ("lt", 5, "4"),
        ("between", (1, 3), "2"),
        ("between", ("2026-01-01", "2026-01-31"), 2),
        ("in", (1, 2), True),
        ("not_in", (1, 2), "3"),
        ("contains", "a", ["a"]),
        ("before", "2026-01-01", "yesterday"),
        ("after", "2026-01-01", "2026-02-30"),
    ],
)
def test_a_value_that_is_absent_null_or_of_another_type_makes_the_condition_false(
    op: str, operand: Any, other_type: Any
) -> None:
    assert not holds(op, operand)
    assert not holds(op, operand, None)
    assert not holds(op, operand, other_type)


def test_not_is_a_plain_negation_also_of_what_is_not_known() -> None:
    assert matches(Not(AttributeTest("x", "eq", "DE")), Profile(), NOW)
    assert not matches(AttributeTest("x", "ne", "DE"), Profile(), NOW)


def test_null_is_not_set_and_an_empty_value_is() -> None:
    assert not holds("is_set", None, None)
    assert holds("is_not_set", None)
    for value in ("", 0, False, []):
        assert holds("is_set", None, value)


def test_large_numbers_compare_by_their_written_decimals() -> None:
    assert holds("eq", 10**23, 1e23)
    assert holds("gt", 2**53, 2**53 + 1)
    assert not holds("eq", 2**53, 2**53 + 1)


def spread(*ages: timedelta, value: float | None = None) -> Profile:
    return Profile(events=[Event("buy", NOW - age, value) for age in ages])


def test_a_window_includes_its_start_and_excludes_now() -> None:
    within = EventRecency("buy", "within_days", 7)
    assert matches(within, spread(timedelta(days=7)), NOW)
    assert not matches(within, spread(timedelta(days=7, microseconds=1)), NOW)
    assert matches(within, spread(timedelta(microseconds=1)), NOW)
    assert not matches(within, spread(timedelta(0)), NOW)
    assert not matches(within, spread(-timedelta(hours=1)), NOW)


def test_days_are_24_hours_whatever_zone_now_is_told_in() -> None:
    berlin_summer = NOW.astimezone(timezone(timedelta(hours=2)))
    at_edge = spread(timedelta(days=1))
    assert matches(EventRecency("buy", "within_days", 1), at_edge, berlin_summer)


def test_not_within_includes_units_that_never_did_it() -> None:
    assert matches(EventRecency("buy", "not_within_days", 7), Profile(), NOW)
    assert matches(EventRecency("buy", "not_within_days", 7), spread(timedelta(days=8)), NOW)
    assert not matches(EventRecency("buy", "not_within_days", 7), spread(timedelta(days=6)), NOW)


def test_counts_are_of_one_name_inside_the_window_and_zero_counts() -> None:
    profile = Profile(
        events=[Event("buy", NOW - timedelta(days=n)) for n in (1, 2, 40)] + [Event("look", NOW)]
    )
    assert matches(EventAggregate("buy", "count", "eq", 2, None, 30), profile, NOW)
    assert matches(EventAggregate("buy", "count", "eq", 3), profile, NOW)
    assert matches(EventAggregate("never", "count", "eq", 0, None, 30), profile, NOW)
    assert matches(EventAggregate("buy", "count", "between", (2, 4)), profile, NOW)


def test_sums_are_exact_and_skip_what_is_no_number() -> None:
    def bought(*amounts: Any) -> Profile:
        return Profile(events=[Event("buy", NOW - timedelta(days=1), None, {"amount": a}) for a in amounts])

    total = EventAggregate("buy", "sum", "eq", 0.3, "amount", 30)
    assert matches(total, bought(0.1, 0.2), NOW)
    assert matches(total, bought(0.1, "5", True, None, [1], 0.2), NOW)
    assert matches(EventAggregate("buy", "sum", "eq", 0, "amount"), bought(), NOW)
    assert matches(
        EventAggregate("buy", "sum", "eq", 7.5),
        spread(timedelta(1), timedelta(2), timedelta(3), value=2.5),
        NOW,
    )


def test_a_segment_is_a_known_fact_or_a_rule_evaluated_for_the_same_unit() -> None:
    node = InSegment("seg_a", 1)
    inner: dict[str, Rule | bool] = {"seg_a": InSegment("seg_b"), "seg_b": AttributeTest("x", "eq", 1)}
    assert matches(node, Profile({"x": 1}), NOW, lambda n: inner[n.segment])
    assert not matches(node, Profile({"x": 2}), NOW, lambda n: inner[n.segment])
    assert matches(node, Profile(), NOW, lambda n: True)
    with pytest.raises(LookupError):
        matches(node, Profile(), NOW)


@given(rules(), profiles)
def test_nothing_in_a_profile_makes_a_rule_fail_and_compiled_rules_agree(
    rule: Rule, profile: Profile
) -> None:
    assert compile_rule(rule)(profile, NOW, lambda n: True) is matches(rule, profile, NOW)


@given(rules(), rules(), profiles)
def test_groups_obey_de_morgan(a: Rule, b: Rule, profile: Profile) -> None:
    negated = AllOf((Not(a), Not(b)))
    assert matches(Not(AnyOf((a, b))), profile, NOW) is matches(negated, profile, NOW)


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)), st.integers(1, 400))
def test_recency_is_the_count_in_the_same_window(moment: datetime, days: int) -> None:
    profile = Profile(events=[Event("buy", moment.replace(tzinfo=UTC))])
    counted = matches(EventAggregate("buy", "count", "gte", 1, None, days), profile, NOW)
    assert matches(EventRecency("buy", "within_days", days), profile, NOW) is counted
