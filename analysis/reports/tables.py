"""Aligned tables of plain text, readable in any mail program with a fixed-width font, and line by line aloud."""

from collections.abc import Sequence

GAP = "  "


def align_table(headers: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> str:
    """Return a table whose first `left` columns are left-aligned and all others right-aligned."""
    lines = [list(headers), *[list(row) for row in rows]]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headers))]
    ruled = [lines[0], ["-" * width for width in widths], *lines[1:]]
    return "\n".join(
        GAP.join(_cell(line, column, widths, left) for column in range(len(widths))).rstrip()
        for line in ruled
    )


def _cell(line: Sequence[str], column: int, widths: Sequence[int], left: int) -> str:
    text = line[column].replace("\u00a0", " ")
    return text.ljust(widths[column]) if column < left else text.rjust(widths[column])
