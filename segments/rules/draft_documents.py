"""Between the rows of a form and the JSON document of a rule."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from core.errors import Problem
from segments.rules.drafts import ATTRIBUTE, COUNT, GROUP, RECENCY, ROOT, SEGMENT, SUM, Row
from segments.rules.nodes import (
    AllOf,
    AnyOf,
    AttributeTest,
    EventAggregate,
    EventRecency,
    InSegment,
    Not,
    Operand,
    Rule,
    unwrapped,
    walk,
)
from segments.rules.operators import ValueType
from segments.rules.parsing import parse
from segments.rules.vocabulary import RuleError

_NUMBER = re.compile(r"-?[0-9]{1,300}(\.[0-9]{1,300})?([eE][+-]?[0-9]{1,3})?", re.ASCII)
_LINE_END = re.compile(r"\r?\n")


def draft_of(rule: Rule, types: Mapping[str, ValueType]) -> Row | None:
    """Return the rows of a rule, or None when a form could not give the same rule back (a line break in a text).

    The outermost row is always a group. types: registered attributes.
    """
    if any(_has_line_break(node) for node in walk(rule)):
        return None
    draft = _wrapped(rule)
    try:
        again = parse(write_draft(draft, types).document)
    except RuleError:
        return None
    return draft if unwrapped(again) == unwrapped(rule) else None


def _has_line_break(node: Rule) -> bool:
    value = node.value if isinstance(node, AttributeTest) else None
    name = getattr(node, "attribute", "") + getattr(node, "event", "") + (getattr(node, "property", "") or "")
    return any(
        "\n" in text or "\r" in text
        for text in [name, *map(str, value if isinstance(value, tuple) else [value])]
    )


def _wrapped(rule: Rule) -> Row:
    row = _row_of(rule)
    return row if row.kind == GROUP else Row(GROUP, {"join": "all"}, children=(row,))


def _row_of(rule: Rule) -> Row:
    match rule:
        case AllOf(nodes):
            return Row(GROUP, {"join": "all"}, children=tuple(map(_row_of, nodes)))
        case AnyOf(nodes):
            return Row(GROUP, {"join": "any"}, children=tuple(map(_row_of, nodes)))
        case Not(child):
            row = _row_of(child)
            return Row(GROUP, {"join": "all"}, True, (row,)) if row.negated else replace(row, negated=True)
        case AttributeTest(attribute, op, value):
            return Row(ATTRIBUTE, {"attribute": attribute, "op": op, **_texts(value, op)})
        case EventAggregate(event, aggregate, op, value, summed, days):
            fields = {"event": event, "op": op, "window_days": str(days or ""), **_texts(value, op)}
            return Row(COUNT if aggregate == "count" else SUM, {**fields, "property": summed or ""})
        case EventRecency(event, op, days):
            return Row(RECENCY, {"event": event, "op": op, "days": str(days)})
        case InSegment(segment, version):
            return Row(SEGMENT, {"segment": segment, "version": str(version or "")})


def _texts(value: Operand, op: str) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, tuple):
        return {"value": _text(value)}
    if op == "between":
        return {"value": _text(value[0]), "value2": _text(value[1])}
    return {"value": "\n".join(_text(item) for item in value)}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@dataclass(frozen=True, slots=True)
class Draft:
    """The JSON document of a draft, and which row each JSON pointer in it belongs to."""

    document: dict[str, Any]
    paths: Mapping[str, str]

    def place(self, problem: Problem) -> tuple[str, str]:
        """Return the path of the row a problem is about, and the rest of its pointer."""
        pointer = problem.pointer
        while pointer not in self.paths:
            pointer = pointer.rpartition("/")[0]
        return self.paths[pointer], problem.pointer[len(pointer) :].lstrip("/")


def write_draft(draft: Row, types: Mapping[str, ValueType]) -> Draft:
    """Return the document of a draft; text becomes numbers and booleans where the attribute's type asks for it.

    types: registered attributes. What cannot be converted stays text, for the parser to refuse in its place.
    """
    paths: dict[str, str] = {"": ROOT}
    return Draft(_document(draft, ROOT, "", types, paths), paths)


def _document(
    row: Row, path: str, pointer: str, types: Mapping[str, ValueType], paths: dict[str, str]
) -> dict[str, Any]:
    paths[pointer] = path
    if row.negated:
        paths[f"{pointer}/not"] = path
        return {"not": _node(row, path, f"{pointer}/not", types, paths)}
    return _node(row, path, pointer, types, paths)


def _node(
    row: Row, path: str, pointer: str, types: Mapping[str, ValueType], paths: dict[str, str]
) -> dict[str, Any]:
    fields = row.fields
    if row.kind == GROUP:
        join = "any" if fields.get("join") == "any" else "all"
        return {
            join: [
                _document(child, f"{path}.{i}", f"{pointer}/{join}/{i}", types, paths)
                for i, child in enumerate(row.children)
            ]
        }
    if row.kind == ATTRIBUTE:
        key, op = fields.get("attribute", ""), fields.get("op", "")
        return {"attribute": key, "op": op, **_value(fields, op, types.get(key))}
    if row.kind == RECENCY:
        recency = {"op": fields.get("op", ""), "days": number_or_text(fields.get("days", ""))}
        return {"event": fields.get("event", ""), "recency": recency}
    if row.kind == SEGMENT:
        return {"segment": fields.get("segment", ""), **_optional("version", fields)}
    op = fields.get("op", "")
    summed = {"property": fields["property"]} if row.kind == SUM and fields.get("property") else {}
    head = {"event": fields.get("event", ""), "aggregate": "count" if row.kind == COUNT else "sum", "op": op}
    return {**head, **_value(fields, op, ValueType.NUMBER), **summed, **_optional("window_days", fields)}


def _optional(name: str, fields: Mapping[str, str]) -> dict[str, Any]:
    return {name: number_or_text(fields[name])} if fields.get(name) else {}


def _value(fields: Mapping[str, str], op: str, kind: ValueType | None) -> dict[str, Any]:
    text = fields.get("value", "")
    if op in ("is_set", "is_not_set"):
        return {}
    if op == "between":
        return {"value": [_typed(text, kind), _typed(fields.get("value2", ""), kind)]}
    if op in ("in", "not_in"):
        return {"value": [_typed(line, kind) for line in _LINE_END.split(text) if line]}
    return {"value": _typed(text, kind)}


def _typed(text: str, kind: ValueType | None) -> Any:
    if kind == ValueType.NUMBER:
        return number_or_text(text)
    if kind == ValueType.BOOLEAN and text in ("true", "false"):
        return text == "true"
    return text.strip() if kind == ValueType.DATETIME else text


def number_or_text(text: str) -> int | float | str:
    """Return the number a text writes the way JSON does, else the text itself."""
    stripped = text.strip()
    if not _NUMBER.fullmatch(stripped):
        return text
    return int(stripped) if stripped.lstrip("-").isdigit() else float(stripped)
