"""Start a process of ours, read what it says, and see what it leaves."""

import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

from tests.paths import REPO


@contextmanager
def running(arguments: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Run Python with these arguments from the repository; its output is one text stream. Killed at the end."""
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=REPO,
        env={**environment, "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(REPO)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def read_until(process: subprocess.Popen[str], words: str) -> str:
    """Return the first line that contains `words`; fail with everything said when the process ends without it."""
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if words in line:
            return line
    raise AssertionError(f"{words!r} was never said, but:\n{''.join(said)}")


def drain(process: subprocess.Popen[str]) -> None:
    """Read on in the background, so that a talkative process never waits for a reader."""
    assert process.stdout is not None
    threading.Thread(target=deque, args=(process.stdout, 0), daemon=True).start()


def bare_environment(**extra: str) -> dict[str, str]:
    """The environment of a fresh login, plus `extra`."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, "READ_DOT_ENV": "False", **extra}


def wait_until_gone(pids: list[int], timeout: float = 30) -> None:
    """Wait for processes to end (a zombie has ended); fail when one lives on."""
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            if process.status() != psutil.STATUS_ZOMBIE:
                with suppress(psutil.TimeoutExpired):
                    process.wait(timeout)
            assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE, (
                f"{process} still runs"
            )
