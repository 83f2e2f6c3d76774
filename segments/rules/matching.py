"""The memory evaluator: is a rule true for one profile at one moment?

`segments.compiler` says the same in SQL; docs/segments.md defines the meaning, test_parity.py binds both.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeAlias

from segments.rules.comparing import attribute_check, number_check
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
from segments.rules.values import EXACT_FLOATS, exact_number, exact_sum
from segments.rules.windows import window_before


@dataclass(frozen=True, slots=True)
class Event:
    """Something the unit did; `at` is aware."""

    name: str
    at: datetime
    value: float | None = None
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Profile:
    """All that a rule may ask about one unit; attributes hold plain JSON values."""

    attributes: Mapping[str, Any] = field(default_factory=dict)
    events: Sequence[Event] = ()


# The truth of another segment: known already (a stored membership), or a rule to evaluate.
ResolveSegment: TypeAlias = Callable[[InSegment], Rule | bool]
Predicate: TypeAlias = Callable[[Profile, datetime, ResolveSegment], bool]


def refuse_segments(node: InSegment) -> Rule | bool:
    """Resolve no segment: for callers whose rules name none."""
    raise LookupError(f"segment {node.segment} was not resolved by the caller")


def matches(
    rule: Rule, profile: Profile, now: datetime, resolve_segment: ResolveSegment = refuse_segments
) -> bool:
    """Whether the rule is true for the profile at `now` (aware).

    Raises whatever `resolve_segment` raises; nothing in a profile can make it raise.
    """
    return compile_rule(rule)(profile, now, resolve_segment)


def compile_rule(rule: Rule) -> Predicate:  # one return a kind of node
    """Prepare a rule once, for many profiles: constants are parsed, operators looked up."""
    match rule:
        case AllOf(nodes):
            return _all_of([compile_rule(node) for node in nodes])
        case AnyOf(nodes):
            return _any_of([compile_rule(node) for node in nodes])
        case Not(child):
            return _negation(compile_rule(child))
        case AttributeTest():
            return _attribute(rule)
        case EventAggregate():
            return _aggregate(rule)
        case EventRecency():
            return _recency(rule)
        case InSegment():
            return _in_segment(rule)


def _all_of(predicates: list[Predicate]) -> Predicate:
    def predicate(profile: Profile, now: datetime, resolve: ResolveSegment) -> bool:
        for child in predicates:  # noqa: SIM110  # the hot path: half the time of all() over a generator
            if not child(profile, now, resolve):
                return False
        return True

    return predicate


def _any_of(predicates: list[Predicate]) -> Predicate:
    def predicate(profile: Profile, now: datetime, resolve: ResolveSegment) -> bool:
        for child in predicates:  # noqa: SIM110
            if child(profile, now, resolve):
                return True
        return False

    return predicate


def _negation(child: Predicate) -> Predicate:
    return lambda profile, now, resolve: not child(profile, now, resolve)


def _attribute(test: AttributeTest) -> Predicate:
    key, check = test.attribute, attribute_check(test.op, test.value)
    return lambda profile, now, resolve: check(profile.attributes.get(key))


def _aggregate(test: EventAggregate) -> Predicate:
    check = number_check(test.op, test.value)

    def predicate(profile: Profile, now: datetime, resolve: ResolveSegment) -> bool:
        window = window_before(now, test.window_days)
        events = [e for e in profile.events if e.name == test.event and window.contains(e.at)]
        return check(Decimal(len(events)) if test.aggregate == "count" else _total(events, test.property))

    return predicate


def _total(events: list[Event], property_key: str | None) -> Decimal:
    if property_key is None:
        return exact_sum(e.value for e in events if e.value is not None and abs(e.value) < EXACT_FLOATS)
    numbers = [exact_number(e.properties.get(property_key)) for e in events]
    return exact_sum(number for number in numbers if number is not None)


def _recency(test: EventRecency) -> Predicate:
    wanted = test.op == "within_days"

    def predicate(profile: Profile, now: datetime, resolve: ResolveSegment) -> bool:
        window = window_before(now, test.days)
        return any(e.name == test.event and window.contains(e.at) for e in profile.events) is wanted

    return predicate


def _in_segment(node: InSegment) -> Predicate:
    def predicate(profile: Profile, now: datetime, resolve: ResolveSegment) -> bool:
        answer = resolve(node)
        return answer if isinstance(answer, bool) else matches(answer, profile, now, resolve)

    return predicate
