"""Log files that stay small: one old file is kept."""

from pathlib import Path

BYTES_KEPT = 10 * 1024 * 1024
LINES_SHOWN = 12


def shorten(path: Path) -> None:
    """Set a log aside when it has grown past BYTES_KEPT; the one set aside before is dropped."""
    if path.exists() and path.stat().st_size > BYTES_KEPT:
        path.replace(path.with_suffix(".old.log"))


def tail(path: Path) -> str:
    """Return the last lines of a log, indented, or a note that there is none."""
    if not path.exists():
        return "  (no log was written)"
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 16_384))
        lines = file.read().decode("utf-8", errors="replace").splitlines()[-LINES_SHOWN:]
    return "\n".join(f"  {line}" for line in lines) or "  (the log is empty)"
