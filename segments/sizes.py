"""Sizes as people may see them: a handful of units is not counted out."""

SMALL_CELL = 10


def shown_size(size: int | None) -> int | None:
    """Return a size that may be shown: None when it is not known or from 1 to 9."""
    return None if size is None or 0 < size < SMALL_CELL else size


def is_suppressed(size: int | None) -> bool:
    """Whether a size is known and too small to be shown."""
    return size is not None and 0 < size < SMALL_CELL


def size_words(size: int | None) -> str:
    """Return a size in words: "12,345", "fewer than 10", "not counted yet"."""
    if size is None:
        return "not counted yet"
    return f"fewer than {SMALL_CELL}" if is_suppressed(size) else f"{size:,}"
