"""Rules as rows of a form: nothing is lost on the way there and back, and every edit does what its button says."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segments.rules import Rule, RuleError, ValueType, parse
from segments.rules.draft_documents import draft_of, write_draft
from segments.rules.drafts import (
    GROUP,
    RECENCY,
    Row,
    add_row,
    empty_draft,
    move_row,
    new_row,
    read_rows,
    remove_row,
)
from segments.rules.nodes import unwrapped
from tests.segments.strategies import rules

TYPES = {"country": ValueType.STRING, "age": ValueType.NUMBER, "is_paying": ValueType.BOOLEAN}


def posted(row: Row, path: str = "r") -> dict[str, str]:
    """The fields a browser would send for a draft."""
    data = {f"{path}.kind": row.kind, f"{path}.children": str(len(row.children))}
    data |= {f"{path}.{name}": value for name, value in row.fields.items()}
    if row.negated:
        data[f"{path}.negated"] = "on"
    for i, child in enumerate(row.children):
        data |= posted(child, f"{path}.{i}")
    return data


@given(rules(with_segments=True))
def test_a_rule_that_fits_into_rows_comes_back_the_same(rule: Rule) -> None:
    draft = draft_of(rule, TYPES)
    if draft is not None:
        again = write_draft(read_rows(posted(draft)), TYPES).document
        assert unwrapped(parse(again)) == unwrapped(rule)


def test_ordinary_rules_fit_into_rows() -> None:
    rule = parse(
        {
            "any": [
                {"attribute": "country", "op": "in", "value": ["DE", "AT"]},
                {"not": {"attribute": "age", "op": "between", "value": [18, 29.5]}},
                {"attribute": "is_paying", "op": "eq", "value": True},
                {
                    "all": [
                        {"event": "buy", "recency": {"op": "within_days", "days": 3}},
                        {"segment": "seg_1", "version": 2},
                    ]
                },
                {
                    "event": "buy",
                    "aggregate": "sum",
                    "property": "amount",
                    "op": "gt",
                    "value": 9.5,
                    "window_days": 7,
                },
            ]
        }
    )
    draft = draft_of(rule, TYPES)
    assert draft is not None
    assert parse(write_draft(draft, TYPES).document) == rule


def test_a_text_with_a_line_break_does_not_fit_into_a_row() -> None:
    assert draft_of(parse({"attribute": "country", "op": "eq", "value": "a\nb"}), TYPES) is None


@given(
    st.dictionaries(
        st.sampled_from(
            [
                f"r{p}.{f}"
                for p in ("", ".0", ".0.0", ".1")
                for f in ("kind", "children", "op", "value", "join", "negated")
            ]
        ),
        st.sampled_from(
            ["group", "attribute", "count", "sum", "recency", "segment", "2", "999999999", "-1", "²", "", "x"]
        ),
    )
)
def test_any_posted_fields_are_a_draft_whose_faults_have_a_row(data: dict[str, str]) -> None:
    draft = write_draft(read_rows(data), TYPES)
    with suppress(RuleError):
        parse(draft.document)
        return  # a rule without faults
    with pytest.raises(RuleError) as refused:
        parse(draft.document)
    assert all(draft.place(problem)[0] in draft.paths.values() for problem in refused.value.problems)


def test_a_fault_is_placed_at_its_row_also_below_a_not() -> None:
    draft = Row(
        GROUP,
        {"join": "all"},
        children=(
            Row(
                GROUP,
                {"join": "any"},
                True,
                (Row(RECENCY, {"event": "a", "op": "within_days", "days": "x"}),),
            ),
        ),
    )
    written = write_draft(draft, TYPES)
    with pytest.raises(RuleError) as refused:
        parse(written.document)
    places = [written.place(problem) for problem in refused.value.problems]
    assert places == [("r.0.0", "recency/days")]


def labels(row: Row) -> object:
    return [labels(child) for child in row.children] if row.kind == GROUP else row.fields["event"]


def tree(*items: object) -> Row:
    rows = tuple(
        tree(*item) if isinstance(item, list) else Row(RECENCY, {"event": str(item)}) for item in items
    )
    return Row(GROUP, {"join": "all"}, children=rows)


def test_add_appends_to_the_group_and_names_the_new_row() -> None:
    draft, path = add_row(tree("a", ["b"]), "r.1", RECENCY)
    assert path == "r.1.1"
    assert draft.children[1].children[1] == new_row(RECENCY)
    assert add_row(empty_draft(), "r.9", RECENCY)[0] == empty_draft()
    assert add_row(empty_draft(), "r", "nonsense")[0] == empty_draft()


def test_remove_takes_a_row_with_all_it_holds_and_never_the_whole_rule() -> None:
    assert labels(remove_row(tree("a", ["b", "c"], "d"), "r.1")) == ["a", "d"]
    assert labels(remove_row(tree("a", ["b", "c"]), "r.1.0")) == ["a", ["c"]]
    assert labels(remove_row(tree("a"), "r")) == ["a"]
    assert labels(remove_row(tree("a"), "r.7")) == ["a"]


def test_moving_passes_neighbours_and_goes_into_and_out_of_groups() -> None:
    start = tree("a", "b", ["c", "d"], "e")
    assert labels(move_row(start, "r.1", -1)[0]) == ["b", "a", ["c", "d"], "e"]
    assert labels(move_row(start, "r.1", +1)[0]) == ["a", ["b", "c", "d"], "e"]
    assert labels(move_row(start, "r.3", -1)[0]) == ["a", "b", ["c", "d", "e"]]
    assert labels(move_row(start, "r.2.0", -1)[0]) == ["a", "b", "c", ["d"], "e"]
    assert labels(move_row(start, "r.2.1", +1)[0]) == ["a", "b", ["c"], "d", "e"]
    assert labels(move_row(start, "r.2", -1)[0]) == ["a", ["c", "d"], "b", "e"]
    assert labels(move_row(start, "r.0", -1)[0]) == labels(start)
    assert labels(move_row(start, "r.3", +1)[0]) == labels(start)


def row_at(draft: Row, path: str) -> Row:
    for index in path.split(".")[1:]:
        draft = draft.children[int(index)]
    return draft


def test_a_moved_row_is_named_by_its_new_path() -> None:
    start = tree("a", ["b"], "c")
    for path in ("r.0", "r.1", "r.2", "r.1.0"):
        for step in (-1, 1):
            draft, new_path = move_row(start, path, step)
            assert row_at(draft, new_path) == row_at(start, path)
