"""Read an experiment that was randomised elsewhere: CSV or Parquet, one row per unit, checked row by row."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet

from assignments.import_mapping import AttributeColumn, ImportMapping, Outcome
from core.errors import DomainError, InvalidInput, Problem

MAX_UNIT_BYTES = 256
MAX_PROBLEMS = 20


class UnreadableFile(DomainError):
    """The file is not there, not CSV or Parquet, or has no rows."""

    code = "unreadable_file"


@dataclass(frozen=True, slots=True)
class UnitRow:
    """One unit of the file: what it was, what it met, what it did (outcome column -> number > 0)."""

    unit_id: str
    variant: str
    exposed_at: datetime
    attributes: dict[str, Any]
    outcomes: tuple[float, ...]


@dataclass(frozen=True)
class UnitRows:
    """A whole file after its checks; `variants` has the control first, the others by name."""

    rows: list[UnitRow]
    variants: tuple[str, ...]


@dataclass
class _Faults:
    problems: list[Problem] = field(default_factory=list)

    def add(self, line: int, column: str, detail: str) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(f"/rows/{line}/{column}", "bad_value", f"Line {line}: {detail}"))


def read_table(path: Path) -> pa.Table:
    """Return the file as a table. CSV columns that hold ids or arms stay as written when asked as text."""
    if not path.is_file():
        raise UnreadableFile(f"There is no file {path}. Give the path of a .csv or .parquet file.")
    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            return pa_parquet.read_table(path)
        return pa_csv.read_csv(path)
    except (pa.ArrowException, OSError) as error:
        raise UnreadableFile(f"{path} cannot be read as CSV or Parquet: {error}") from error


def check_rows(table: pa.Table, mapping: ImportMapping) -> UnitRows:
    """Turn a table into checked rows. Raises InvalidInput with the first 20 faults; then nothing is imported."""
    faults = _Faults()
    rows: list[UnitRow] = []
    seen: dict[str, int] = {}
    for line, record in _records(table, mapping):
        row = _unit_row(line, record, mapping, faults)
        if row is None:
            continue
        if row.unit_id in seen:
            faults.add(
                line, mapping.unit, f'unit "{row.unit_id}" stands already in line {seen[row.unit_id]}.'
            )
        seen[row.unit_id] = line
        rows.append(row)
    arms = {row.variant for row in rows}
    if not rows and not faults.problems:
        raise UnreadableFile("The file has no rows.")
    if not faults.problems and mapping.control not in arms:
        names = ", ".join(sorted(arms)[:10])
        faults.add(0, mapping.variant, f'the control "{mapping.control}" has no row; the arms are: {names}.')
    if not faults.problems and len(arms) < 2:
        faults.add(0, mapping.variant, "an experiment needs at least two arms; the file has one.")
    if faults.problems:
        raise InvalidInput(faults.problems)
    return UnitRows(rows=rows, variants=(mapping.control, *sorted(arms - {mapping.control})))


def _records(table: pa.Table, mapping: ImportMapping) -> Iterator[tuple[int, dict[str, Any]]]:
    wanted = {mapping.unit, mapping.variant, *(o.column for o in mapping.outcomes)}
    wanted |= {a.column for a in mapping.attributes}
    if mapping.exposed_at_column:
        wanted.add(mapping.exposed_at_column)
    line = 1
    for batch in table.select(sorted(wanted)).to_batches(max_chunksize=50_000):
        for record in batch.to_pylist():
            line += 1
            yield line, record


def _unit_row(line: int, record: dict[str, Any], mapping: ImportMapping, faults: _Faults) -> UnitRow | None:
    before = len(faults.problems)
    unit_id = _text(record[mapping.unit])
    variant = _text(record[mapping.variant])
    if not unit_id or len(unit_id.encode()) > MAX_UNIT_BYTES or "\x00" in unit_id:
        faults.add(line, mapping.unit, f"the unit id must have 1 to {MAX_UNIT_BYTES} bytes.")
    if not variant:
        faults.add(line, mapping.variant, "the variant is empty.")
    exposed_at = mapping.exposed_at or _moment(record[mapping.exposed_at_column or ""])
    if exposed_at is None:
        faults.add(line, mapping.exposed_at_column or "", "the time of exposure is not an RFC 3339 time.")
    attributes = _attributes(line, record, mapping.attributes, faults)
    outcomes = tuple(_outcome(line, record, outcome, faults) for outcome in mapping.outcomes)
    if len(faults.problems) > before or exposed_at is None:
        return None
    return UnitRow(unit_id, variant, exposed_at, attributes, outcomes)


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _moment(value: Any) -> datetime | None:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _attributes(
    line: int, record: dict[str, Any], columns: tuple[AttributeColumn, ...], faults: _Faults
) -> dict[str, Any]:
    found = {}
    for column in columns:
        value = record[column.column]
        if value is None or value == "":
            continue
        try:
            found[column.key] = _CONVERT[column.type](value)
        except (TypeError, ValueError):
            faults.add(line, column.column, f'{column.column} = "{value}" is not a {column.type}.')
    return found


def _boolean(value: Any) -> bool:
    words = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word not in words:
        raise ValueError(word)
    return words[word]


def _datetime(value: Any) -> str:
    moment = _moment(value)
    if moment is None:
        raise ValueError(value)
    return moment.isoformat()


_CONVERT = {
    "string": _text,
    "number": lambda v: _finite(float(v)),
    "boolean": _boolean,
    "datetime": _datetime,
}


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("not a finite number")
    return value


def _outcome(line: int, record: dict[str, Any], outcome: Outcome, faults: _Faults) -> float:
    value = record[outcome.column]
    if value is None or value == "":
        return 0.0
    try:
        number = float(_boolean(value)) if outcome.kind == "flag" else _finite(float(value))
    except (TypeError, ValueError):
        faults.add(line, outcome.column, f'{outcome.column} = "{value}" is not a {outcome.kind}.')
        return 0.0
    if outcome.kind == "count" and (number < 0 or number != int(number) or number > 10_000):
        faults.add(
            line, outcome.column, f"{outcome.column} = {value} is not a whole number from 0 to 10,000."
        )
    return number
