"""The typed rule tree. A new kind of condition is a new class here and one entry in each evaluator."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

Scalar: TypeAlias = str | int | float | bool
Operand: TypeAlias = Scalar | tuple[Scalar, ...] | None
Aggregate: TypeAlias = Literal["count", "sum"]


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every child is true."""

    children: tuple["Rule", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one child is true."""

    children: tuple["Rule", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The child is not true: a plain negation, also of a condition that is false for want of a value."""

    child: "Rule"


@dataclass(frozen=True, slots=True)
class AttributeTest:
    """An attribute of the profile compared with a constant.

    value: None for is_set and is_not_set, a pair for between, a tuple for in and not_in, else one scalar.
    """

    attribute: str
    op: str
    value: Operand = None


@dataclass(frozen=True, slots=True)
class EventAggregate:
    """The number of events of one name, or the sum over them, compared with a number.

    property: what is summed; None sums the events' own value.
    window_days: only events with now - window <= occurred_at < now; None looks at all before now.
    """

    event: str
    aggregate: Aggregate
    op: str
    value: Operand
    property: str | None = None
    window_days: int | None = None


@dataclass(frozen=True, slots=True)
class EventRecency:
    """Whether an event of one name happened in the window now - days <= occurred_at < now."""

    event: str
    op: str
    days: int


@dataclass(frozen=True, slots=True)
class InSegment:
    """Membership of another segment of the project; a saved rule always names the version."""

    segment: str
    version: int | None = None


Rule: TypeAlias = AllOf | AnyOf | Not | AttributeTest | EventAggregate | EventRecency | InSegment
Condition: TypeAlias = AttributeTest | EventAggregate | EventRecency | InSegment


def children(rule: Rule) -> tuple[Rule, ...]:
    """Return the direct children of a node; a condition has none."""
    match rule:
        case AllOf(nodes) | AnyOf(nodes):
            return nodes
        case Not(child):
            return (child,)
        case _:
            return ()


def walk(rule: Rule) -> Iterator[Rule]:
    """Yield the node and everything below it, parents first."""
    yield rule
    for child in children(rule):
        yield from walk(child)


def map_conditions(rule: Rule, change: Callable[[Condition], Condition]) -> Rule:
    """Return the same tree with every condition replaced by what `change` makes of it."""
    match rule:
        case AllOf(nodes):
            return AllOf(tuple(map_conditions(node, change) for node in nodes))
        case AnyOf(nodes):
            return AnyOf(tuple(map_conditions(node, change) for node in nodes))
        case Not(child):
            return Not(map_conditions(child, change))
        case _:
            return change(rule)


def unwrapped(rule: Rule) -> Rule:
    """Return the same rule without groups of one child, which say nothing."""
    match rule:
        case AllOf((only,)) | AnyOf((only,)):
            return unwrapped(only)
        case AllOf(nodes):
            return AllOf(tuple(unwrapped(node) for node in nodes))
        case AnyOf(nodes):
            return AnyOf(tuple(unwrapped(node) for node in nodes))
        case Not(child):
            return Not(unwrapped(child))
        case _:
            return rule
