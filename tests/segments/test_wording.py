"""Rules in plain English."""

from typing import Any

import pytest

from segments.rules import parse, sentence


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"attribute": "country", "op": "eq", "value": "DE"}, "country is “DE”"),
        ({"attribute": "country", "op": "in", "value": ["DE"]}, "country is one of “DE”"),
        (
            {"attribute": "country", "op": "not_in", "value": ["DE", "AT", "CH"]},
            "country is none of “DE”, “AT” or “CH”",
        ),
        ({"attribute": "n", "op": "in", "value": list(range(8))}, "n is one of 0, 1, 2, 3, 4 or 3 more"),
        ({"attribute": "age", "op": "gte", "value": 18.0}, "age is at least 18"),
        ({"attribute": "age", "op": "between", "value": [18, 29.5]}, "age is between 18 and 29.5"),
        ({"attribute": "is_paying", "op": "eq", "value": True}, "is_paying is true"),
        ({"attribute": "email", "op": "is_set"}, "email is known"),
        ({"not": {"attribute": "email", "op": "is_set"}}, "email is not known"),
        ({"attribute": "at", "op": "before", "value": "2026-03-01"}, "at is before 1 March 2026"),
        (
            {"attribute": "at", "op": "between", "value": ["2026-03-01", "2026-03-02T10:00:00+02:00"]},
            "at is between 1 March 2026 and 2 March 2026 08:00 UTC",
        ),
        (
            {"event": "buy", "aggregate": "count", "op": "gte", "value": 3, "window_days": 30},
            "“buy” happened at least 3 times in the last 30 days",
        ),
        (
            {"event": "buy", "aggregate": "count", "op": "eq", "value": 1},
            "“buy” happened exactly 1 time so far",
        ),
        (
            {"event": "buy", "aggregate": "count", "op": "between", "value": [1, 3], "window_days": 1},
            "“buy” happened between 1 and 3 times in the last day",
        ),
        (
            {
                "event": "buy",
                "aggregate": "sum",
                "property": "amount",
                "op": "gt",
                "value": 100,
                "window_days": 7,
            },
            "the total amount of “buy” in the last 7 days is more than 100",
        ),
        (
            {"event": "login", "recency": {"op": "within_days", "days": 14}},
            "“login” happened in the last 14 days",
        ),
        (
            {"not": {"event": "login", "recency": {"op": "within_days", "days": 14}}},
            "“login” did not happen in the last 14 days",
        ),
        ({"segment": "seg_1", "version": 2}, "the unit is in segment “VIP” (version 2)"),
        ({"not": {"segment": "seg_2"}}, "the unit is not in segment “seg_2”"),
        (
            {
                "all": [
                    {"attribute": "a", "op": "eq", "value": 1},
                    {"any": [{"attribute": "b", "op": "is_set"}, {"attribute": "c", "op": "is_not_set"}]},
                    {"not": {"all": [{"attribute": "d", "op": "lt", "value": 2}]}},
                ]
            },
            "a is 1 and (b is known or c is not known) and it is not true that d is less than 2",
        ),
    ],
)
def test_a_rule_reads_as_one_sentence(rule: dict[str, Any], words: str) -> None:
    assert sentence(parse(rule), {"seg_1": "VIP"}) == f"Units where {words}."
