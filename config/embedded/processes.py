"""Tell a live server from a stale pid file, and end what a dead one left behind."""

import signal
import socket
import time
from contextlib import suppress
from pathlib import Path

import psutil

GRACE_SECONDS = 10


def is_ours(pid: int, *, program: str, folder: Path) -> bool:
    """Say whether `pid` is a live process of `program` working in `folder`.

    A pid alone proves nothing: after a crash or a reboot another process may carry it. Both servers
    change into their data folder, which no stranger does. A zombie is dead.
    """
    try:
        process = psutil.Process(pid)
        return (
            _is_alive(process)
            and process.name().startswith(program)
            and Path(process.cwd()).resolve() == folder.resolve()
        )
    except (psutil.NoSuchProcess, psutil.AccessDenied, OSError):
        return False


def read_pid(path: Path) -> int | None:
    """Return the pid on the first line of a pid file, or None when there is none to be read."""
    try:
        return int(path.read_text(encoding="utf-8").split(maxsplit=1)[0])
    except (OSError, ValueError, IndexError):
        return None


def end_orphans(*, program: str, folder: Path) -> None:
    """End every process of `program` that still works in `folder` and wait until all are gone.

    Call it only once the parent is proven dead: PostgreSQL must not start beside backends of its former life.
    """
    orphans = [p for p in psutil.process_iter() if is_ours(p.pid, program=program, folder=folder)]
    end(orphans, first=signal.SIGQUIT)


def end(processes: list[psutil.Process], *, first: signal.Signals) -> None:
    """Send `first`, then SIGKILL to those that are still there after a grace period."""
    for sent in (first, signal.SIGKILL):
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(sent)
        give_up = time.monotonic() + GRACE_SECONDS
        while (processes := [p for p in processes if _is_alive(p)]) and time.monotonic() < give_up:
            time.sleep(0.02)


def _is_alive(process: psutil.Process) -> bool:
    """Say whether a process still runs; one that only waits for its parent to collect it does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Say whether a server could listen on this port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def free_port(preferred: int | None = None) -> int:
    """Return a free loopback port: the preferred one when it is still free."""
    if preferred is not None and is_free(preferred):
        return preferred
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
