"""Near matches for misspelt names."""

import difflib
from collections.abc import Iterable

SUGGESTIONS = 3
CUTOFF = 0.6


def near_matches(name: str, known: Iterable[str]) -> list[str]:
    """Return up to three known names that look like `name`, best first; letter case does not count."""
    by_folded = {candidate.casefold(): candidate for candidate in sorted(known)}
    found = difflib.get_close_matches(name.casefold(), by_folded, n=SUGGESTIONS, cutoff=CUTOFF)
    return [by_folded[folded] for folded in found]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ` Did you mean "a" or "b"?` with a leading space, or nothing when no name is near."""
    near = near_matches(name, known)
    return f" Did you mean {' or '.join(quoted(match) for match in near)}?" if near else ""


def quoted(text: str, longest: int = 60) -> str:
    """Return the text in quotation marks, shortened where it is too long for a message."""
    return f'"{text if len(text) <= longest else text[: longest - 1] + "…"}"'
