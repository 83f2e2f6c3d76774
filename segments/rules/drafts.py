"""A rule while it is being written in a form: rows of text, possibly incomplete or wrong.

Every row has a path ("r" is the outermost group, "r.0" its first row). A row that says "not" has a flag instead
of a node of its own.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

ROOT = "r"
GROUP, ATTRIBUTE, COUNT, SUM, RECENCY, SEGMENT = "group", "attribute", "count", "sum", "recency", "segment"
FIELDS: dict[str, tuple[str, ...]] = {
    GROUP: ("join",),
    ATTRIBUTE: ("attribute", "op", "value", "value2"),
    COUNT: ("event", "op", "value", "value2", "window_days"),
    SUM: ("event", "property", "op", "value", "value2", "window_days"),
    RECENCY: ("event", "op", "days"),
    SEGMENT: ("segment", "version"),
}
_STARTS: dict[str, dict[str, str]] = {
    GROUP: {"join": "any"},
    ATTRIBUTE: {"op": "eq"},
    COUNT: {"op": "gte", "value": "1", "window_days": "30"},
    SUM: {"op": "gte", "window_days": "30"},
    RECENCY: {"op": "within_days", "days": "30"},
    SEGMENT: {},
}
MAX_ROWS = 250
MAX_ROW_DEPTH = 22


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the form, or a group of them."""

    kind: str
    fields: Mapping[str, str] = field(default_factory=dict)
    negated: bool = False
    children: tuple["Row", ...] = ()


def new_row(kind: str) -> Row:
    """Return a row as it stands when it is added: the usual operator and window, no names yet."""
    children = (Row(ATTRIBUTE, _STARTS[ATTRIBUTE]),) if kind == GROUP else ()
    return Row(kind, _STARTS[kind], children=children)


def empty_draft() -> Row:
    """Return the form of a new segment: one condition in a group."""
    return Row(GROUP, {"join": "all"}, children=(new_row(ATTRIBUTE),))


# --- from and to form fields -------------------------------------------------------------------------------


def read_rows(data: Mapping[str, str]) -> Row:
    """Return the draft that posted fields describe; what is missing or foreign is left out."""
    budget = iter(range(MAX_ROWS))
    return _read_row(data, ROOT, 1, budget) or empty_draft()


def _read_row(data: Mapping[str, str], path: str, depth: int, budget: Iterator[int]) -> Row | None:
    kind = data.get(f"{path}.kind", "")
    if kind not in FIELDS or depth > MAX_ROW_DEPTH or next(budget, None) is None:
        return None
    fields = {name: data.get(f"{path}.{name}", "") for name in FIELDS[kind]}
    count = data.get(f"{path}.children", "0")
    size = min(int(count), MAX_ROWS) if kind == GROUP and count.isascii() and count.isdigit() else 0
    rows = [_read_row(data, f"{path}.{i}", depth + 1, budget) for i in range(size)]
    children = tuple(row for row in rows if row is not None)
    return Row(kind, fields, negated=f"{path}.negated" in data, children=children)


# --- changing the tree -------------------------------------------------------------------------------------


def _indices(path: str) -> list[int]:
    return [int(part) for part in path.split(".")[1:] if part.isascii() and part.isdigit()]


def _edit(row: Row, indices: list[int], change: Callable[[tuple[Row, ...], int], tuple[Row, ...]]) -> Row:
    """Return the tree with the list of siblings of the row at `indices` changed."""
    if not indices or indices[0] >= len(row.children):
        return row
    if len(indices) == 1:
        return replace(row, children=change(row.children, indices[0]))
    child = _edit(row.children[indices[0]], indices[1:], change)
    return replace(row, children=(*row.children[: indices[0]], child, *row.children[indices[0] + 1 :]))


def _at(row: Row, indices: list[int]) -> Row | None:
    for index in indices:
        if index >= len(row.children):
            return None
        row = row.children[index]
    return row


def add_row(draft: Row, group_path: str, kind: str) -> tuple[Row, str]:
    """Append a new row to the group at a path; return the draft and the path of the new row."""
    group = _at(draft, _indices(group_path))
    if group is None or group.kind != GROUP or kind not in FIELDS:
        return draft, ROOT
    path = f"{group_path}.{len(group.children)}"
    grown = replace(group, children=(*group.children, new_row(kind)))
    indices = _indices(group_path)
    if not indices:
        return grown, path
    return _edit(draft, indices, lambda rows, i: (*rows[:i], grown, *rows[i + 1 :])), path


def remove_row(draft: Row, path: str) -> Row:
    """Take out the row at a path, with everything in it."""
    return _edit(draft, _indices(path), lambda rows, i: (*rows[:i], *rows[i + 1 :]))


def move_row(draft: Row, path: str, step: int) -> tuple[Row, str]:
    """Move a row one place up (-1) or down (+1): into a neighbouring group, past a neighbour, or out of its group."""
    indices = _indices(path)
    moved = _at(draft, indices)
    if not indices or moved is None:
        return draft, path
    parent = _at(draft, indices[:-1])
    target = indices[-1] + step
    rest = remove_row(draft, path)
    if parent is None:
        return draft, path
    if not 0 <= target < len(parent.children):
        if len(indices) == 1:
            return draft, path
        place = [*indices[:-2], indices[-2] + (step > 0)]
    elif parent.children[target].kind == GROUP and moved.kind != GROUP:
        inside = len(parent.children[target].children) if step < 0 else 0
        place = [*indices[:-1], target if step < 0 else indices[-1], inside]
    else:
        place = [*indices[:-1], target]
    return _insert(rest, place, moved), ".".join([ROOT, *map(str, place)])


def _insert(row: Row, indices: list[int], new: Row) -> Row:
    if len(indices) == 1:
        return replace(row, children=(*row.children[: indices[0]], new, *row.children[indices[0] :]))
    child = _insert(row.children[indices[0]], indices[1:], new)
    return replace(row, children=(*row.children[: indices[0]], child, *row.children[indices[0] + 1 :]))
