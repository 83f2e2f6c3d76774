"""The names a rule may use in one project, as far as they are known to the caller."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from core.errors import InvalidInput, Problem
from segments.rules.operators import ValueType

MAX_PROBLEMS = 50


class RuleError(InvalidInput):
    """A rule that cannot be read; each problem carries its JSON pointer inside the rule."""

    code = "invalid_rule"


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Registered names. None means: not checked here (a stored rule was checked when it was saved).

    attributes and properties map keys to their type; segments maps public ids to names.
    """

    attributes: Mapping[str, ValueType] | None = None
    properties: Mapping[str, ValueType] | None = None
    segments: Mapping[str, str] | None = None


UNCHECKED = Vocabulary()


@dataclass(slots=True)
class Findings:
    """The problems found so far while reading one rule."""

    problems: list[Problem] = field(default_factory=list)

    def add(self, pointer: str, code: str, detail: str) -> None:
        """Note one problem at a place; past the fiftieth, one more would help nobody."""
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(pointer=pointer, code=code, detail=detail))
