"""A rule as one plain English sentence."""

from collections.abc import Callable, Mapping
from datetime import UTC

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
    Scalar,
)
from segments.rules.operators import ATTRIBUTE_OPERATORS, ValueType
from segments.rules.values import DATE_LENGTH, parse_datetime

LISTED = 5

_COUNTS = {
    "eq": "exactly {}",
    "ne": "not exactly {}",
    "lt": "fewer than {}",
    "lte": "at most {}",
    "gt": "more than {}",
    "gte": "at least {}",
    "between": "between {}",
}
_NO_NAMES: Mapping[str, str] = {}


def sentence(rule: Rule, segment_names: Mapping[str, str] = _NO_NAMES) -> str:
    """Return the rule in words, e.g. `Units where country is “DE” and “buy” happened at least 3 times so far.`

    segment_names: public id to name, for the segments the rule mentions; without a name the id is shown.
    """
    return f"Units where {clause(rule, segment_names)}."


def clause(rule: Rule, segment_names: Mapping[str, str] = _NO_NAMES) -> str:
    """Return the rule as a clause that can follow `where`, without the full stop."""
    return _Writer(segment_names).clause(rule)


class _Writer:
    def __init__(self, segment_names: Mapping[str, str]) -> None:
        self.segment_names = segment_names

    def clause(self, rule: Rule) -> str:  # one return a kind of node
        """Return the rule as a clause that can follow `where` or stand in brackets."""
        match rule:
            case AllOf(nodes):
                return self._joined(nodes, "and")
            case AnyOf(nodes):
                return self._joined(nodes, "or")
            case Not(child):
                return self._negated(child)
            case AttributeTest():
                return f"{rule.attribute} {_comparison(rule)}"
            case EventAggregate():
                return _aggregate(rule)
            case EventRecency():
                return _recency(rule, happened=rule.op == "within_days")
            case InSegment():
                return f"the unit is in segment {self._segment(rule)}"

    def _joined(self, nodes: tuple[Rule, ...], word: str) -> str:
        return f" {word} ".join(self._grouped(node) for node in nodes)

    def _grouped(self, node: Rule) -> str:
        several = isinstance(node, AllOf | AnyOf) and len(node.children) > 1
        return f"({self.clause(node)})" if several else self.clause(node)

    def _negated(self, child: Rule) -> str:
        match child:
            case InSegment():
                return f"the unit is not in segment {self._segment(child)}"
            case EventRecency():
                return _recency(child, happened=child.op != "within_days")
            case AttributeTest(op="is_set" | "is_not_set"):
                opposite = "is_not_set" if child.op == "is_set" else "is_set"
                return self.clause(AttributeTest(child.attribute, opposite))
            case _:
                return f"it is not true that {self._grouped(child)}"

    def _segment(self, node: InSegment) -> str:
        name = _quoted(self.segment_names.get(node.segment, node.segment))
        return name if node.version is None else f"{name} (version {node.version})"


def _comparison(test: AttributeTest) -> str:
    operator = ATTRIBUTE_OPERATORS[test.op]
    show = moment if operator.types == {ValueType.DATETIME} else _scalar
    if test.value is None:
        return operator.words
    if test.op == "between":
        return f"{operator.words} {_pair(test.value)}"
    return f"{operator.words} {_listed(test.value) if isinstance(test.value, tuple) else show(test.value)}"


def _aggregate(test: EventAggregate) -> str:
    window = _window(test.window_days)
    if test.aggregate == "count":
        words = _COUNTS[test.op].format(_pair(test.value) if test.op == "between" else _plain(test.value))
        times = "time" if test.value == 1 else "times"
        return f"{_quoted(test.event)} happened {words} {times}{window}"
    total = f"the total {test.property or 'value'} of {_quoted(test.event)}{window}"
    return f"{total} {_comparison(AttributeTest('', test.op, test.value))}"


def _recency(test: EventRecency, happened: bool) -> str:
    verb = "happened" if happened else "did not happen"
    return f"{_quoted(test.event)} {verb}{_window(test.days)}"


def _window(days: int | None) -> str:
    if days is None:
        return " so far"
    return " in the last day" if days == 1 else f" in the last {days} days"


def _listed(values: tuple[Scalar, ...]) -> str:
    words = [_scalar(value) for value in values[:LISTED]]
    if len(values) > LISTED:
        return f"{', '.join(words)} or {len(values) - LISTED} more"
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _pair(value: Operand) -> str:
    if not isinstance(value, tuple):
        return _plain(value)
    show: Callable[[Scalar], str] = moment if isinstance(value[0], str) else _scalar
    return f"{show(value[0])} and {show(value[1])}"


def _scalar(value: Scalar) -> str:
    return _quoted(value) if isinstance(value, str) else _plain(value)


def _plain(value: Operand) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def moment(value: Scalar) -> str:
    """Return a point in time in words, in UTC; a date alone stays a date."""
    parsed = parse_datetime(value)
    if parsed is None:
        return _plain(value)
    if len(str(value)) == DATE_LENGTH:
        return f"{parsed.day} {parsed:%B %Y}"
    utc = parsed.astimezone(UTC)
    clock = "%H:%M" if not utc.second and not utc.microsecond else "%H:%M:%S"
    return f"{utc.day} {utc:%B %Y} {utc.strftime(clock)} UTC"


def _quoted(text: str) -> str:
    return f"“{text}”"
