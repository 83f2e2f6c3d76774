"""From the typed tree to its JSON form; `parse(encode(rule)) == rule`."""

from typing import Any

from segments.rules.nodes import (
    AllOf,
    AnyOf,
    AttributeTest,
    EventAggregate,
    EventRecency,
    InSegment,
    Not,
    Rule,
)
from segments.rules.parsing import LANGUAGE_VERSION


def encode_document(rule: Rule) -> dict[str, Any]:
    """Return the stored form: the rule with the version of the language at its root."""
    return {"language": LANGUAGE_VERSION, **encode(rule)}


def encode(rule: Rule) -> dict[str, Any]:  # one return a kind of node
    """Return the JSON form of a node."""
    match rule:
        case AllOf(nodes):
            return {"all": [encode(node) for node in nodes]}
        case AnyOf(nodes):
            return {"any": [encode(node) for node in nodes]}
        case Not(child):
            return {"not": encode(child)}
        case AttributeTest(attribute, op, value):
            return {"attribute": attribute, "op": op, **_given(value=_plain(value))}
        case EventAggregate(event, aggregate, op, value, summed, days):
            head = {"event": event, "aggregate": aggregate, "op": op, "value": _plain(value)}
            return {**head, **_given(property=summed, window_days=days)}
        case EventRecency(event, op, days):
            return {"event": event, "recency": {"op": op, "days": days}}
        case InSegment(segment, version):
            return {"segment": segment, **_given(version=version)}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _given(**fields: Any) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value is not None}
