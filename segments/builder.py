"""What the builder page shows: a draft with its choices and its problems, row by row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from core.errors import Problem
from segments.rules import ValueType, Vocabulary
from segments.rules.draft_documents import Draft
from segments.rules.drafts import ATTRIBUTE, COUNT, GROUP, RECENCY, ROOT, SEGMENT, SUM, Row
from segments.rules.operators import AGGREGATE_OPERATORS, ATTRIBUTE_OPERATORS, operators_for

KIND_CHOICES: tuple[tuple[str, str], ...] = (
    (ATTRIBUTE, "Attribute"),
    (COUNT, "How often an event happened"),
    (SUM, "Total over events"),
    (RECENCY, "Whether an event happened lately"),
    (SEGMENT, "In another segment"),
    (GROUP, "Group"),
)
RECENCY_CHOICES = (("within_days", "happened in the last"), ("not_within_days", "did not happen in the last"))
_PLACES = {
    "op": "op",
    "value": "value",
    "value/0": "value",
    "value/1": "value2",
    "recency/days": "days",
    "recency/op": "op",
}


@dataclass(frozen=True, slots=True)
class BuilderChoices:
    """What can be chosen in a row."""

    attributes: Mapping[str, ValueType]
    properties: Sequence[str]
    events: Sequence[str]
    segments: Mapping[str, str]

    @classmethod
    def of(cls, vocabulary: Vocabulary, events: Sequence[str]) -> "BuilderChoices":
        """Return the choices a project's vocabulary gives."""
        numeric = [key for key, kind in (vocabulary.properties or {}).items() if kind == ValueType.NUMBER]
        return cls(
            attributes=dict(sorted((vocabulary.attributes or {}).items())),
            properties=sorted(numeric),
            events=events,
            segments=vocabulary.segments or {},
        )


@dataclass(frozen=True, slots=True)
class RowProblem:
    """A problem in words, and the field of its row that it is about ("" when it is about the row)."""

    field: str
    detail: str


@dataclass(frozen=True, slots=True)
class RowView:
    """One row as the template prints it; `number` is what people call it ("1.2")."""

    path: str
    number: str
    kind: str
    negated: bool
    fields: Mapping[str, str]
    problems: Sequence[RowProblem] = ()
    operators: Sequence[tuple[str, str]] = ()
    children: Sequence["RowView"] = field(default_factory=list)
    value_kind: str = ""
    is_fresh: bool = False

    @property
    def anchor(self) -> str:
        return anchor_of(self.path)

    @property
    def is_root(self) -> bool:
        return self.path == ROOT

    @property
    def wrong_fields(self) -> set[str]:
        return {problem.field for problem in self.problems}


def anchor_of(path: str) -> str:
    """Return the element id of a row: without dots, which would mean a class in a selector."""
    return path.replace(".", "-")


def number_of(path: str) -> str:
    """Return what people call a row: "1.2" is the second of the first group, "" the whole rule."""
    return ".".join(str(int(part) + 1) for part in path.split(".")[1:])


def row_view(
    draft: Row,
    choices: BuilderChoices,
    problems: Mapping[str, Sequence[RowProblem]],
    fresh: str = "",
    path: str = ROOT,
) -> RowView:
    """Return the view of a row and everything in it; `fresh` is the path that takes the focus."""
    operators, value_kind = _operators(draft, choices)
    return RowView(
        path=path,
        number=number_of(path),
        kind=draft.kind,
        negated=draft.negated,
        fields=draft.fields,
        problems=problems.get(path, ()),
        operators=operators,
        value_kind=value_kind,
        children=[
            row_view(child, choices, problems, fresh, f"{path}.{i}") for i, child in enumerate(draft.children)
        ],
        is_fresh=path == fresh,
    )


def _operators(row: Row, choices: BuilderChoices) -> tuple[list[tuple[str, str]], str]:
    """Return the operators of a row, and how its value is entered: none, one, pair, many or boolean."""
    op = row.fields.get("op", "")
    if row.kind in (COUNT, SUM):
        names: Sequence[str] = tuple(AGGREGATE_OPERATORS)
    elif row.kind == ATTRIBUTE:
        kind = choices.attributes.get(row.fields.get("attribute", ""))
        names = tuple(ATTRIBUTE_OPERATORS) if kind is None else operators_for(kind)
    else:
        return [], ""
    shown = names if op in names or op not in ATTRIBUTE_OPERATORS else (*names, op)
    words = [(name, ATTRIBUTE_OPERATORS[name].words) for name in shown]
    arity = ATTRIBUTE_OPERATORS[op].arity if op in ATTRIBUTE_OPERATORS else "one"
    is_boolean = (
        row.kind == ATTRIBUTE and choices.attributes.get(row.fields.get("attribute", "")) == "boolean"
    )
    return words, "boolean" if is_boolean and arity == "one" else arity


def problems_by_row(problems: Sequence[Problem], draft: Draft) -> dict[str, list[RowProblem]]:
    """Return the problems of a rule under the path of the row they are about."""
    found: dict[str, list[RowProblem]] = {}
    for problem in problems:
        path, rest = draft.place(problem)
        found.setdefault(path, []).append(RowProblem(_PLACES.get(rest, rest), problem.detail))
    return found
