"""Reading rules: what is accepted, and that every refusal names place, reason and near matches."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segments.rules import (
    AllOf,
    AttributeTest,
    EventAggregate,
    EventRecency,
    InSegment,
    Not,
    Rule,
    RuleError,
    ValueType,
    Vocabulary,
    encode,
    encode_document,
    parse,
)
from tests.segments.strategies import rules

VOCABULARY = Vocabulary(
    attributes={
        "country": ValueType.STRING,
        "age": ValueType.NUMBER,
        "signed_up_at": ValueType.DATETIME,
        "is_paying": ValueType.BOOLEAN,
        "tags": ValueType.LIST,
    },
    properties={"amount": ValueType.NUMBER, "sku": ValueType.STRING},
    segments={"seg_aaaaaaaaaaaaaaaa": "VIP"},
)


def problems(document: object, vocabulary: Vocabulary = VOCABULARY) -> list[tuple[str, str]]:
    with pytest.raises(RuleError) as refused:
        parse(document, vocabulary)
    return [(problem.pointer, problem.code) for problem in refused.value.problems]


def detail(document: object) -> str:
    with pytest.raises(RuleError) as refused:
        parse(document, VOCABULARY)
    return refused.value.problems[0].detail


def test_every_kind_of_node_is_read() -> None:
    document = {
        "language": 1,
        "all": [
            {"attribute": "country", "op": "eq", "value": "DE"},
            {"not": {"event": "login", "recency": {"op": "within_days", "days": 14}}},
            {
                "event": "purchase",
                "aggregate": "sum",
                "property": "amount",
                "op": "gt",
                "value": 9.5,
                "window_days": 30,
            },
            {"segment": "seg_aaaaaaaaaaaaaaaa", "version": 2},
        ],
    }
    assert parse(document, VOCABULARY) == AllOf(
        (
            AttributeTest("country", "eq", "DE"),
            Not(EventRecency("login", "within_days", 14)),
            EventAggregate("purchase", "sum", "gt", 9.5, "amount", 30),
            InSegment("seg_aaaaaaaaaaaaaaaa", 2),
        )
    )


@given(rules(with_segments=True))
def test_a_rule_survives_the_way_to_json_and_back(rule: Rule) -> None:
    assert parse(encode_document(rule)) == rule
    assert parse(encode(rule)) == rule


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (5, ("", "expected_object")),
        ({}, ("", "unknown_node")),
        ({"language": 2, "all": []}, ("/language", "unknown_language")),
        ({"all": [], "any": []}, ("", "ambiguous_node")),
        ({"all": []}, ("/all", "empty_group")),
        ({"all": {}}, ("/all", "expected_list")),
        ({"all": [7]}, ("/all/0", "expected_object")),
        ({"not": []}, ("/not", "expected_object")),
        ({"attribute": "age", "op": "gte", "value": 1, "valeu": 2}, ("/valeu", "unknown_key")),
        ({"attribute": "age", "op": "gte"}, ("", "missing_key")),
        ({"attribute": "age", "value": 3}, ("", "missing_key")),
        ({"attribute": "age", "op": "is_set", "value": 3}, ("/value", "unknown_key")),
        ({"attribute": "", "op": "is_set"}, ("/attribute", "expected_name")),
        ({"attribute": "agee", "op": "is_set"}, ("/attribute", "unknown_attribute")),
        ({"attribute": "age", "op": "gtee", "value": 3}, ("/op", "unknown_operator")),
        ({"attribute": "age", "op": ["gte"], "value": 3}, ("/op", "unknown_operator")),
        ({"attribute": "age", "op": "contains", "value": "3"}, ("/op", "operator_not_for_type")),
        ({"attribute": "signed_up_at", "op": "eq", "value": "2026-01-01"}, ("/op", "operator_not_for_type")),
        ({"attribute": "age", "op": "gte", "value": "3"}, ("/value", "wrong_type")),
        ({"attribute": "age", "op": "eq", "value": True}, ("/value", "wrong_type")),
        ({"attribute": "age", "op": "eq", "value": None}, ("/value", "wrong_type")),
        ({"attribute": "is_paying", "op": "eq", "value": 1}, ("/value", "wrong_type")),
        ({"attribute": "age", "op": "gte", "value": float("nan")}, ("/value", "not_finite")),
        ({"attribute": "age", "op": "gte", "value": float("inf")}, ("/value", "not_finite")),
        ({"attribute": "age", "op": "gte", "value": 10**400}, ("/value", "number_too_large")),
        ({"attribute": "country", "op": "eq", "value": "a\x00"}, ("/value", "bad_text")),
        ({"attribute": "country", "op": "eq", "value": "\ud800"}, ("/value", "bad_text")),
        ({"attribute": "country", "op": "eq", "value": "x" * 1_001}, ("/value", "too_long")),
        ({"attribute": "country", "op": "contains", "value": ""}, ("/value", "empty_text")),
        ({"attribute": "age", "op": "between", "value": [3]}, ("/value", "expected_list")),
        ({"attribute": "age", "op": "between", "value": [3, 2]}, ("/value", "empty_range")),
        (
            {"attribute": "signed_up_at", "op": "between", "value": ["2026-01-02", "2026-01-01"]},
            ("/value", "empty_range"),
        ),
        ({"attribute": "signed_up_at", "op": "before", "value": "2026-02-30"}, ("/value", "wrong_type")),
        ({"attribute": "country", "op": "in", "value": []}, ("/value", "bad_list_length")),
        ({"attribute": "country", "op": "in", "value": ["DE", 3]}, ("/value/1", "wrong_type")),
        ({"event": "x" * 201, "recency": {"op": "within_days", "days": 1}}, ("/event", "too_long")),
        ({"event": "login", "recency": 3}, ("/recency", "expected_object")),
        ({"event": "login", "recency": {"op": "within", "days": 3}}, ("/recency/op", "unknown_operator")),
        ({"event": "login", "recency": {"op": "within_days", "days": 0}}, ("/recency/days", "bad_window")),
        ({"event": "login", "recency": {"op": "within_days", "days": True}}, ("/recency/days", "bad_window")),
        ({"event": "login", "aggregate": "avg", "op": "gt", "value": 1}, ("/aggregate", "unknown_aggregate")),
        ({"event": "login", "aggregate": [], "op": "gt", "value": 1}, ("/aggregate", "unknown_aggregate")),
        ({"event": "login", "aggregate": "count", "op": "in", "value": [1]}, ("/op", "unknown_operator")),
        (
            {"event": "login", "aggregate": "count", "op": "gt", "value": 1, "window_days": 3.5},
            ("/window_days", "bad_window"),
        ),
        (
            {"event": "login", "aggregate": "sum", "op": "gt", "value": 1, "property": "sku"},
            ("/property", "not_a_number"),
        ),
        (
            {"event": "login", "aggregate": "sum", "op": "gt", "value": 1, "property": "amout"},
            ("/property", "unknown_property"),
        ),
        ({"segment": "seg_zzz"}, ("/segment", "unknown_segment")),
        ({"segment": "seg_aaaaaaaaaaaaaaaa", "version": 0}, ("/version", "bad_version")),
    ],
)
def test_a_refusal_names_place_and_reason(document: Any, expected: tuple[str, str]) -> None:
    assert problems(document)[0] == expected


def test_all_problems_of_a_rule_are_found_at_once() -> None:
    document = {
        "any": [
            {"attribute": "contry", "op": "eq", "value": "DE"},
            {"attribute": "age", "op": "gte", "value": "old"},
            {"not": {"all": [{"event": "login", "recency": {"op": "within_days", "days": -1}}]}},
        ]
    }
    assert problems(document) == [
        ("/any/0/attribute", "unknown_attribute"),
        ("/any/1/value", "wrong_type"),
        ("/any/2/not/all/0/recency/days", "bad_window"),
    ]


def test_misspelt_names_come_with_near_matches() -> None:
    assert 'Did you mean "country"?' in detail({"attribute": "contry", "op": "is_set"})
    assert 'Did you mean "age"' in detail({"attribute": "Age", "op": "is_set"})
    assert 'Did you mean "starts_with"' in detail({"attribute": "country", "op": "startswith", "value": "D"})
    assert 'Did you mean "attribute"?' in detail({"atribute": "country", "op": "is_set"})
    assert 'Did you mean "value"?' in detail({"attribute": "age", "op": "gte", "value": 1, "valeu": 2})


def test_a_name_nothing_resembles_gets_the_next_step_instead() -> None:
    assert "Register the attribute first" in detail({"attribute": "zzz", "op": "is_set"})


def test_depth_up_to_twenty_is_read_and_one_more_refused() -> None:
    leaf = {"attribute": "age", "op": "is_set"}
    assert parse(nested(leaf, groups=19), VOCABULARY)
    assert problems(nested(leaf, groups=20))[0][1] == "too_deep"


def nested(leaf: dict[str, Any], groups: int) -> dict[str, Any]:
    for _ in range(groups):
        leaf = {"not": leaf}
    return leaf


def test_two_hundred_nodes_are_read_and_one_more_refused() -> None:
    leaf = {"attribute": "age", "op": "is_set"}
    assert parse({"all": [leaf] * 199}, VOCABULARY)
    assert problems({"all": [leaf] * 200}) == [("/all/199", "too_many_nodes")]


def test_ten_thousand_nodes_are_refused_with_one_problem() -> None:
    assert (
        problems({"any": [{"not": {"attribute": "age", "op": "is_set"}}] * 5_000})[0][1] == "too_many_nodes"
    )


def test_a_flood_of_problems_is_cut() -> None:
    assert len(problems({"attribute": "age", "op": "is_set"} | {f"k{i}": 1 for i in range(5_000)})) == 50


json_documents = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["age", "eq", "count"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "all",
                    "any",
                    "not",
                    "attribute",
                    "event",
                    "op",
                    "value",
                    "aggregate",
                    "recency",
                    "days",
                    "segment",
                    "x/~",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(json_documents)
def test_any_json_is_either_a_rule_or_a_rule_error(document: object) -> None:
    try:
        parse(document, VOCABULARY)
    except RuleError as error:
        found = error.problems
    else:
        return
    assert found
    assert all(p.pointer == "" or p.pointer.startswith("/") for p in found)
