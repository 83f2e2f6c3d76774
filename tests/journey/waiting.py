"""Wait for what real processes bring about: a condition with a deadline, never a fixed sleep."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
POLL_SECONDS = 0.1


def until(find: Callable[[], T | None], what: str | Callable[[], str], *, seconds: float = 120) -> T:
    """Return the first thing found that is true; fail, saying what was awaited, when the deadline passes.

    The deadline only ends a hopeless wait: it is far above what any of these take, also on a busy machine.
    """
    pause = threading.Event()
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        found = find()
        if found:
            return found
        pause.wait(POLL_SECONDS)
    awaited = what if isinstance(what, str) else what()
    raise AssertionError(f"waited {seconds:.0f} s in vain for {awaited}")
