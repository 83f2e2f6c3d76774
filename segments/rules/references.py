"""What a rule speaks about: attributes, events, properties, segments; and whether segments form a circle."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from segments.rules.nodes import AttributeTest, EventAggregate, EventRecency, InSegment, Rule, walk


@dataclass(frozen=True, slots=True)
class References:
    """All names a rule uses; segments by public id."""

    attributes: frozenset[str]
    events: frozenset[str]
    properties: frozenset[str]
    segments: frozenset[str]


def references(rule: Rule) -> References:
    """Return every name the rule uses itself (not what the segments it names use)."""
    nodes = list(walk(rule))
    return References(
        attributes=frozenset(n.attribute for n in nodes if isinstance(n, AttributeTest)),
        events=frozenset(n.event for n in nodes if isinstance(n, EventAggregate | EventRecency)),
        properties=frozenset(
            n.property for n in nodes if isinstance(n, EventAggregate) and n.property is not None
        ),
        segments=frozenset(n.segment for n in nodes if isinstance(n, InSegment)),
    )


def needs_stored_facts(rule: Rule, segment_needs: Callable[[InSegment], bool] = lambda node: True) -> bool:
    """Whether the rule asks for more than attributes a call can bring: events, or a segment that does.

    segment_needs: the answer for a segment the rule names; unless told, yes.
    """
    return any(
        isinstance(node, EventAggregate | EventRecency)
        or (isinstance(node, InSegment) and segment_needs(node))
        for node in walk(rule)
    )


def find_cycle(start: str, edges: Mapping[str, frozenset[str]]) -> list[str] | None:
    """Return the path from `start` back to itself through segments that name segments, or None.

    edges: public id of a segment to the ids its rule names. Ids without an entry name nothing.
    """
    path, stack, done = [start], [iter(sorted(edges.get(start, frozenset())))], set[str]()
    while stack:
        for name in stack[-1]:
            if name == start:
                return [*path, start]
            if name not in done:
                done.add(name)
                path.append(name)
                stack.append(iter(sorted(edges.get(name, frozenset()))))
                break
        else:
            stack.pop()
            path.pop()
    return None
