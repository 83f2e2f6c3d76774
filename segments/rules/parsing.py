"""From JSON to the typed tree, with every problem found and its place named.

The form is documented in docs/segments.md. A node is an object with exactly one of the keys of `NODE_KINDS`;
the root may also carry `"language": 1`, the version of this form.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias, cast

from segments.rules.nodes import (
    Aggregate,
    AllOf,
    AnyOf,
    AttributeTest,
    EventAggregate,
    EventRecency,
    InSegment,
    Not,
    Rule,
)
from segments.rules.operands import read_days, read_name, read_operand, read_operator
from segments.rules.operators import (
    AGGREGATE_OPERATORS,
    AGGREGATES,
    ATTRIBUTE_OPERATORS,
    RECENCY_OPERATORS,
    ValueType,
)
from segments.rules.spelling import did_you_mean, quoted
from segments.rules.vocabulary import UNCHECKED, Findings, RuleError, Vocabulary
from segments.rules.windows import MAX_WINDOW_DAYS

LANGUAGE_VERSION = 1
MAX_DEPTH = 20
MAX_NODES = 200
MAX_SEGMENT_VERSION = 1_000_000

JsonObject: TypeAlias = Mapping[str, Any]


def parse(document: object, vocabulary: Vocabulary = UNCHECKED) -> Rule:
    """Return the rule a JSON document describes.

    Raises RuleError with all problems found: pointer into the document, code, and words with near matches.
    """
    findings = Findings()
    rule = _Reader(vocabulary, findings).document(document)
    if rule is None or findings.problems:
        raise RuleError(findings.problems)
    return rule


class _Reader:
    """One reading of one document; methods return None where they noted a problem."""

    def __init__(self, vocabulary: Vocabulary, findings: Findings) -> None:
        self.vocabulary = vocabulary
        self.findings = findings
        self.nodes = 0

    def document(self, document: object) -> Rule | None:
        if isinstance(document, Mapping) and "language" in document:
            language = document["language"]
            if isinstance(language, bool) or language != LANGUAGE_VERSION:
                detail = f"This server reads rule language {LANGUAGE_VERSION}, not {language!r:.20}."
                self.findings.add("/language", "unknown_language", detail)
                return None
            document = {key: value for key, value in document.items() if key != "language"}
        return self.node(document, "", depth=1)

    def node(self, value: object, pointer: str, depth: int) -> Rule | None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            if self.nodes == MAX_NODES + 1:
                self.findings.add(
                    pointer, "too_many_nodes", f"A rule has at most {MAX_NODES} conditions and groups."
                )
            return None
        if depth > MAX_DEPTH:
            self.findings.add(pointer, "too_deep", f"Groups can be nested {MAX_DEPTH} deep, not more.")
            return None
        if not isinstance(value, Mapping):
            self.findings.add(pointer, "expected_object", "A condition or a group is an object.")
            return None
        kinds = [kind for kind in NODE_KINDS if kind in value]
        if len(kinds) != 1:
            self._wrong_kind(value, kinds, pointer)
            return None
        return NODE_KINDS[kinds[0]](self, value, pointer, depth)

    def _wrong_kind(self, value: JsonObject, kinds: list[str], pointer: str) -> None:
        if kinds:
            detail = f"A node is one of {', '.join(kinds)}, not several at once."
            self.findings.add(pointer, "ambiguous_node", detail)
            return
        hints = [did_you_mean(str(key), NODE_KINDS) for key in value]
        hint = next((hint for hint in hints if hint), f" It needs one of: {', '.join(NODE_KINDS)}.")
        self.findings.add(pointer, "unknown_node", f"This is neither a condition nor a group.{hint}")

    def keys(
        self, value: JsonObject, pointer: str, required: Iterable[str], optional: Iterable[str] = ()
    ) -> bool:
        """Note missing and unknown keys; whether all required ones are there."""
        allowed = [*required, *optional]
        for key in value:
            if key not in allowed:
                near = did_you_mean(str(key), allowed) or f" Known here: {', '.join(allowed)}."
                detail = f"Unknown key {quoted(str(key))}.{near}"
                self.findings.add(f"{pointer}/{_escaped(str(key))}", "unknown_key", detail)
        missing = [key for key in required if key not in value]
        for key in missing:
            self.findings.add(pointer, "missing_key", f"{quoted(key)} is missing.")
        return not missing

    def group(self, value: JsonObject, pointer: str, depth: int, kind: str) -> tuple[Rule, ...] | None:
        self.keys(value, pointer, [kind])
        items = value[kind]
        if not isinstance(items, list | tuple):
            self.findings.add(
                f"{pointer}/{kind}", "expected_list", f"{quoted(kind)} holds a list of conditions."
            )
            return None
        if not items:
            self.findings.add(f"{pointer}/{kind}", "empty_group", "A group needs at least one condition.")
            return None
        nodes = [
            self.node(item, f"{pointer}/{kind}/{i}", depth + 1)
            for i, item in enumerate(items[: MAX_NODES + 1])
        ]
        known = tuple(node for node in nodes if node is not None)
        return known if len(known) == len(items) else None

    def all_of(self, value: JsonObject, pointer: str, depth: int) -> Rule | None:
        nodes = self.group(value, pointer, depth, "all")
        return None if nodes is None else AllOf(nodes)

    def any_of(self, value: JsonObject, pointer: str, depth: int) -> Rule | None:
        nodes = self.group(value, pointer, depth, "any")
        return None if nodes is None else AnyOf(nodes)

    def negation(self, value: JsonObject, pointer: str, depth: int) -> Rule | None:
        self.keys(value, pointer, ["not"])
        child = self.node(value["not"], f"{pointer}/not", depth + 1)
        return None if child is None else Not(child)

    def attribute(self, value: JsonObject, pointer: str, depth: int) -> Rule | None:
        key = self.registered(
            value["attribute"], f"{pointer}/attribute", "attribute", self.vocabulary.attributes
        )
        if not self.keys(value, pointer, ["attribute", "op"], ["value"]):
            return None
        op = read_operator(value["op"], f"{pointer}/op", ATTRIBUTE_OPERATORS, self.findings)
        if op is None or key is None:
            return None
        operator = ATTRIBUTE_OPERATORS[op]
        if operator.arity == "none":
            if "value" in value:
                self.findings.add(f"{pointer}/value", "unknown_key", f"{quoted(op)} takes no value.")
            return AttributeTest(key, op)
        if "value" not in value:
            self.findings.add(pointer, "missing_key", '"value" is missing.')
            return None
        registered = (self.vocabulary.attributes or {}).get(key)
        operand = read_operand(value["value"], operator, registered, f"{pointer}/value", self.findings)
        if operand == "" and op in ("contains", "starts_with", "ends_with"):
            self.findings.add(f"{pointer}/value", "empty_text", f"{quoted(op)} needs at least one character.")
        return None if operand is None else AttributeTest(key, op, operand)

    def event(self, value: JsonObject, pointer: str, depth: int) -> Rule | None:
        name = read_name(value["event"], f"{pointer}/event", "event name", self.findings)
        if "recency" in value:
            return self.recency(value, pointer, name)
        if not self.keys(value, pointer, ["event", "aggregate", "op", "value"], ["property", "window_days"]):
            return None
        aggregate, days, summed = value["aggregate"], value.get("window_days"), value.get("property")
        if aggregate not in AGGREGATES:
            near = did_you_mean(str(aggregate), AGGREGATES) or f" Use one of: {', '.join(AGGREGATES)}."
            self.findings.add(
                f"{pointer}/aggregate", "unknown_aggregate", f"There is no such aggregate.{near}"
            )
        if days is not None:
            days = read_days(days, f"{pointer}/window_days", MAX_WINDOW_DAYS, self.findings)
        if summed is not None:
            summed = self.summed_property(aggregate, summed, f"{pointer}/property")
        op = read_operator(value["op"], f"{pointer}/op", AGGREGATE_OPERATORS, self.findings)
        if op is None:
            return None
        operand = read_operand(
            value["value"], AGGREGATE_OPERATORS[op], ValueType.NUMBER, f"{pointer}/value", self.findings
        )
        if operand is None or name is None or aggregate not in AGGREGATES:
            return None
        return EventAggregate(name, cast(Aggregate, aggregate), op, operand, summed, days)

    def summed_property(self, aggregate: object, value: object, pointer: str) -> str | None:
        if aggregate == "count":
            self.findings.add(pointer, "unknown_key", "A count takes no property.")
        key = self.registered(value, pointer, "property", self.vocabulary.properties)
        kind = None if key is None else (self.vocabulary.properties or {}).get(key)
        if kind not in (None, ValueType.NUMBER):
            self.findings.add(
                pointer, "not_a_number", f"{quoted(key or '')} holds a {kind}; only numbers can be summed."
            )
        return key

    def recency(self, value: JsonObject, pointer: str, name: str | None) -> Rule | None:
        self.keys(value, pointer, ["event", "recency"])
        inner = value["recency"]
        if not isinstance(inner, Mapping):
            self.findings.add(
                f"{pointer}/recency", "expected_object", '"recency" holds {"op": …, "days": …}.'
            )
            return None
        if not self.keys(inner, f"{pointer}/recency", ["op", "days"]):
            return None
        op = read_operator(inner["op"], f"{pointer}/recency/op", RECENCY_OPERATORS, self.findings)
        days = read_days(inner["days"], f"{pointer}/recency/days", MAX_WINDOW_DAYS, self.findings)
        if op is None or days is None or name is None:
            return None
        return EventRecency(name, op, days)

    def segment(self, value: JsonObject, pointer: str, depth: int) -> Rule | None:
        self.keys(value, pointer, ["segment"], ["version"])
        key = self.registered(value["segment"], f"{pointer}/segment", "segment", self.vocabulary.segments)
        version = value.get("version")
        if version is not None and (
            isinstance(version, bool)
            or not isinstance(version, int)
            or not 1 <= version <= MAX_SEGMENT_VERSION
        ):
            self.findings.add(f"{pointer}/version", "bad_version", "A version is a whole number from 1.")
            return None
        return None if key is None else InSegment(key, version)

    def registered(
        self, value: object, pointer: str, what: str, known: Mapping[str, Any] | None
    ) -> str | None:
        """Return a name that is registered in the project, or note the near ones."""
        name = read_name(value, pointer, what, self.findings)
        if name is None or known is None or name in known:
            return name
        near = did_you_mean(name, known) or f" Register the {what} first, or correct the name."
        self.findings.add(pointer, f"unknown_{what}", f"This project has no {what} {quoted(name)}.{near}")
        return None


NODE_KINDS: dict[str, Callable[[_Reader, JsonObject, str, int], Rule | None]] = {
    "all": _Reader.all_of,
    "any": _Reader.any_of,
    "not": _Reader.negation,
    "attribute": _Reader.attribute,
    "event": _Reader.event,
    "segment": _Reader.segment,
}


def _escaped(key: str) -> str:
    """Escape a key for a JSON pointer (RFC 6901), without control characters and bounded."""
    printable = key.encode("unicode_escape", "backslashreplace").decode() if not key.isprintable() else key
    return printable[:60].replace("~", "~0").replace("/", "~1")
