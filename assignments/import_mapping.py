"""What the columns of an imported experiment mean: a mapping, checked against the file before anything is read.

The mapping is a JSON document:

    {"unit": "person_id", "variant": "plan", "control": "free", "exposed_at": "1974-11-01T00:00:00Z",
     "attributes": {"sex": {"column": "sex", "type": "string", "purpose": "segments"}},
     "outcomes": [{"column": "visits", "event": "doctor_visit", "as": "count", "metric": "Doctor visits",
                   "role": "primary", "direction": "decrease"}],
     "ended_at": "1975-11-01T00:00:00Z", "segments": ["women"], "planned_shares": {"free": 0.5, "paid": 0.5}}

`exposed_at` is a column or one RFC 3339 time for all. An outcome becomes events: `count` makes that many
events, `value` one event carrying the number when it is not 0, `flag` one event when it is true. Each is also
a metric of the experiment; `role` is primary, secondary (default) or guardrail (with `margin`). `ended_at`,
`segments` (keys of segments to report by), `planned_shares` (for the test of the split) and `arms` (their
names) may be left out.
"""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast

from core.errors import InvalidInput, Problem

OutcomeKind = Literal["count", "value", "flag"]
ATTRIBUTE_TYPES = ("string", "number", "boolean", "datetime")
OUTCOME_KINDS = ("count", "value", "flag")
ROLES = ("primary", "secondary", "guardrail")
DIRECTIONS = ("increase", "decrease")


@dataclass(frozen=True)
class AttributeColumn:
    key: str
    column: str
    type: str
    purpose: str
    description: str


@dataclass(frozen=True)
class Outcome:
    column: str
    event: str
    kind: OutcomeKind
    metric: str
    role: str
    direction: str
    margin: float | None


@dataclass(frozen=True)
class ImportMapping:
    """A checked mapping: every column it names is in the file."""

    unit: str
    variant: str
    control: str
    exposed_at_column: str | None
    exposed_at: datetime | None
    attributes: tuple[AttributeColumn, ...]
    outcomes: tuple[Outcome, ...]
    ended_at: datetime | None
    segments: tuple[str, ...]
    planned_shares: Mapping[str, float]
    arms: Mapping[str, str]


class _Checker:
    """Collects every fault of a mapping, so that one run shows them all."""

    def __init__(self, columns: Sequence[str]) -> None:
        self.columns = list(columns)
        self.problems: list[Problem] = []

    def fault(self, pointer: str, code: str, detail: str) -> None:
        self.problems.append(Problem(pointer, code, detail))

    def text(self, document: Mapping[str, Any], key: str, pointer: str, default: str | None = None) -> str:
        value = document.get(key, default)
        if not isinstance(value, str) or not value:
            self.fault(f"{pointer}/{key}", "missing", f"The mapping needs {pointer}/{key} (a text).")
            return ""
        return value

    def column(self, name: str, pointer: str) -> str:
        if name and name not in self.columns:
            near = difflib.get_close_matches(name, self.columns, n=3)
            hint = (
                f" Did you mean {', '.join(near)}?" if near else f" It has: {', '.join(self.columns[:30])}."
            )
            self.fault(pointer, "unknown_column", f'The file has no column "{name}" ({pointer}).{hint}')
        return name

    def moment(self, value: Any, pointer: str) -> datetime | None:
        if value is None:
            return None
        try:
            moment = datetime.fromisoformat(value)
        except (TypeError, ValueError):
            self.fault(pointer, "bad_time", f'"{value}" ({pointer}) is no time such as 2026-03-01T00:00:00Z.')
            return None
        if moment.tzinfo is None:
            self.fault(
                pointer, "no_zone", f'The time "{value}" ({pointer}) needs a zone, for example {value}Z.'
            )
            return None
        return moment

    def choice(self, value: str, choices: Sequence[str], pointer: str) -> str:
        if value and value not in choices:
            self.fault(
                pointer, "unknown_choice", f'"{value}" ({pointer}) must be one of: {", ".join(choices)}.'
            )
        return value


def parse_mapping(document: Mapping[str, Any], columns: Sequence[str]) -> ImportMapping:
    """Check a mapping against the columns of a file. Raises InvalidInput with every fault found."""
    check = _Checker(columns)
    exposed = check.text(document, "exposed_at", "")
    exposed_column, exposed_time = _exposed_at(exposed, check)
    mapping = ImportMapping(
        unit=check.column(check.text(document, "unit", ""), "/unit"),
        variant=check.column(check.text(document, "variant", ""), "/variant"),
        control=check.text(document, "control", ""),
        exposed_at_column=exposed_column,
        exposed_at=exposed_time,
        attributes=_attributes(document.get("attributes", {}), check),
        outcomes=_outcomes(document.get("outcomes", []), check),
        ended_at=check.moment(document.get("ended_at"), "/ended_at"),
        segments=_segments(document.get("segments", []), check),
        planned_shares=_planned_shares(document.get("planned_shares", {}), check),
        arms=_arms(document.get("arms", {}), check),
    )
    if check.problems:
        raise InvalidInput(check.problems)
    return mapping


def _exposed_at(value: str, check: _Checker) -> tuple[str | None, datetime | None]:
    if value in check.columns:
        return value, None
    if value and not value[:4].isdigit():
        check.column(value, "/exposed_at")
        return None, None
    return None, check.moment(value or None, "/exposed_at")


def _attributes(document: Any, check: _Checker) -> tuple[AttributeColumn, ...]:
    if not isinstance(document, dict):
        check.fault("/attributes", "not_an_object", "attributes must map a key to its column and type.")
        return ()
    found = []
    for key, given in document.items():
        pointer = f"/attributes/{key}"
        entry = given if isinstance(given, dict) else {}
        found.append(
            AttributeColumn(
                key=key,
                column=check.column(check.text(entry, "column", pointer, key), f"{pointer}/column"),
                type=check.choice(check.text(entry, "type", pointer), ATTRIBUTE_TYPES, f"{pointer}/type"),
                purpose=check.text(entry, "purpose", pointer),
                description=str(entry.get("description", "")),
            )
        )
    return tuple(found)


def _outcomes(document: Any, check: _Checker) -> tuple[Outcome, ...]:
    if not isinstance(document, list) or not document:
        check.fault("/outcomes", "missing", "The mapping needs outcomes: a list with at least one entry.")
        return ()
    found = tuple(_outcome(entry, f"/outcomes/{index}", check) for index, entry in enumerate(document))
    primaries = sum(outcome.role == "primary" for outcome in found)
    if primaries != 1:
        check.fault("/outcomes", "one_primary", f'One outcome has "role": "primary", not {primaries}.')
    return found


def _outcome(entry: Any, pointer: str, check: _Checker) -> Outcome:
    entry = entry if isinstance(entry, dict) else {}
    role = check.choice(check.text(entry, "role", pointer, "secondary"), ROLES, f"{pointer}/role")
    margin = entry.get("margin")
    if role == "guardrail" and not (isinstance(margin, int | float) and 0 < margin < 1):
        check.fault(f"{pointer}/margin", "missing", "A guardrail needs a margin: 0.02 tolerates 2 %.")
    kind = check.choice(check.text(entry, "as", pointer), OUTCOME_KINDS, f"{pointer}/as")
    event = check.text(entry, "event", pointer)
    return Outcome(
        column=check.column(check.text(entry, "column", pointer), f"{pointer}/column"),
        event=event,
        kind=cast("OutcomeKind", kind),
        metric=str(entry.get("metric") or event.replace("_", " ").capitalize()),
        role=role,
        direction=check.choice(
            check.text(entry, "direction", pointer, "increase"), DIRECTIONS, f"{pointer}/direction"
        ),
        margin=margin if role == "guardrail" else None,
    )


def _segments(document: Any, check: _Checker) -> tuple[str, ...]:
    if not isinstance(document, list) or not all(isinstance(key, str) for key in document):
        check.fault("/segments", "not_a_list", "segments is a list of segment keys.")
        return ()
    return tuple(document)


def _arms(document: Any, check: _Checker) -> Mapping[str, str]:
    if not isinstance(document, dict) or not all(isinstance(name, str) for name in document.values()):
        check.fault("/arms", "not_names", "arms maps each arm to its name.")
        return {}
    return document


def _planned_shares(document: Any, check: _Checker) -> Mapping[str, float]:
    if not isinstance(document, dict) or not all(
        isinstance(v, int | float) and v > 0 for v in document.values()
    ):
        check.fault("/planned_shares", "not_shares", "planned_shares maps each arm to its share, above 0.")
        return {}
    if document and abs(sum(document.values()) - 1) > 1e-6:
        total = f"{sum(document.values()):g}"
        check.fault("/planned_shares", "not_a_whole", f"planned_shares must sum to 1, not {total}.")
    return document
