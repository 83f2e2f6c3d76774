"""The draw: a unit's place in a hash range, the same in Python, JavaScript and SQL (DESIGN.md §3)."""

from hashlib import sha256
from typing import Literal

from experiments.allocation import SLOTS

HASH_VERSION = 1

Purpose = Literal["variant", "layer", "holdout"]


def draw(purpose: Purpose, salt: str, unit_id: str) -> int:
    """Return the 52-bit hash of (purpose, salt, unit): the first 13 hex digits of a SHA-256.

    Raises UnicodeEncodeError on a lone surrogate. Ids are not normalised: "1" and "１" differ.
    """
    digest = sha256(f"{purpose}\0{salt}\0{unit_id}".encode()).digest()
    return int.from_bytes(digest[:7]) >> 4


def slot_of(purpose: Purpose, salt: str, unit_id: str) -> int:
    """Return the unit's slot, 0..9,999."""
    return draw(purpose, salt, unit_id) % SLOTS
