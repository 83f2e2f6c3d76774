"""What a rule speaks about."""

from segments.rules import find_cycle, needs_stored_facts, parse, references

RULE = parse(
    {
        "any": [
            {"attribute": "country", "op": "is_set"},
            {"not": {"event": "buy", "aggregate": "sum", "property": "amount", "op": "gt", "value": 1}},
            {"event": "login", "recency": {"op": "within_days", "days": 1}},
            {"segment": "seg_1"},
        ]
    }
)


def test_every_name_of_a_rule_is_found() -> None:
    found = references(RULE)
    assert found.attributes == {"country"}
    assert found.events == {"buy", "login"}
    assert found.properties == {"amount"}
    assert found.segments == {"seg_1"}


def test_events_need_stored_facts_and_attributes_do_not() -> None:
    assert needs_stored_facts(RULE)
    assert not needs_stored_facts(parse({"attribute": "country", "op": "is_set"}))


def test_a_segment_needs_stored_facts_when_its_own_rule_does() -> None:
    rule = parse({"not": {"segment": "seg_1"}})
    assert needs_stored_facts(rule)
    assert not needs_stored_facts(rule, lambda node: False)


def test_a_cycle_is_returned_as_its_path() -> None:
    edges = {"a": frozenset({"b", "x"}), "b": frozenset({"c"}), "c": frozenset({"a"}), "x": frozenset[str]()}
    assert find_cycle("a", edges) == ["a", "b", "c", "a"]
    assert find_cycle("a", {"a": frozenset({"a"})}) == ["a", "a"]


def test_a_diamond_or_a_cycle_elsewhere_is_not_a_cycle_of_this_segment() -> None:
    assert find_cycle("a", {"a": frozenset({"b", "c"}), "b": frozenset({"d"}), "c": frozenset({"d"})}) is None
    assert find_cycle("a", {"a": frozenset({"b"}), "b": frozenset({"c"}), "c": frozenset({"b"})}) is None
