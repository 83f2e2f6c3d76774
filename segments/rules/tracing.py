"""Why a rule is true or false for one profile: the answer of every node, in reading order."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from segments.rules.matching import Profile, ResolveSegment, matches
from segments.rules.nodes import AllOf, AnyOf, Not, Rule, children
from segments.rules.wording import clause

_GROUP_WORDS = {AllOf: "all of these", AnyOf: "at least one of these", Not: "not the following"}


@dataclass(frozen=True, slots=True)
class Step:
    """One node of a rule: how deep it stands, its words, and whether it is true."""

    depth: int
    words: str
    holds: bool


def trace(
    rule: Rule, profile: Profile, now: datetime, resolve: ResolveSegment, segment_names: Mapping[str, str]
) -> list[Step]:
    """Return the truth of the rule and of everything in it; the first step is the whole rule."""
    return list(_steps(rule, 0, lambda node: matches(node, profile, now, resolve), segment_names))


def _steps(
    rule: Rule, depth: int, holds: Callable[[Rule], bool], segment_names: Mapping[str, str]
) -> Iterator[Step]:
    words = _GROUP_WORDS.get(type(rule)) or clause(rule, segment_names)
    yield Step(depth, words, holds(rule))
    for child in children(rule):
        yield from _steps(child, depth + 1, holds, segment_names)
