"""Run web, worker and beat as children: restart what dies, stop everything together."""

import http.client
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from config.logfiles import shorten, tail
from core.errors import DomainError

TICK_SECONDS = 0.2
READY_SECONDS = 60
ANSWER_SECONDS = 10
GRACE_SECONDS = 15
LONGEST_WAIT_SECONDS = 30
STABLE_SECONDS = 60
INTERRUPTED = 130
BASE_DIR = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Program:
    """One child: its name (also of its log) and its command line."""

    name: str
    command: list[str]


def web(*, host: str, port: int, workers: int, threads: int) -> Program:
    """Return the web server: granian in WSGI mode."""
    options = ["--interface", "wsgi", "--host", host, "--port", str(port), "--http", "1", "--no-ws"]
    options += ["--workers", str(workers), "--blocking-threads", str(threads), "--respawn-failed-workers"]
    options += ["--workers-kill-timeout", "10"]
    return Program("web", [sys.executable, "-m", "granian", *options, "config.wsgi:application"])


def worker(*, name: str, concurrency: int) -> Program:
    """Return the Celery worker."""
    options = ["--concurrency", str(concurrency), "--hostname", f"{name}@%h", "--loglevel", "INFO"]
    options += ["--without-gossip", "--without-mingle"]
    return Program("worker", [sys.executable, "-m", "celery", "-A", "config", "worker", *options])


def beat(*, schedule: Path) -> Program:
    """Return the clock that wakes the worker; it remembers its last ticks in `schedule`."""
    options = ["--schedule", str(schedule), "--pidfile=", "--loglevel", "INFO"]
    return Program("beat", [sys.executable, "-m", "celery", "-A", "config", "beat", *options])


@dataclass
class Child:
    """A program, its process if it runs, and how it has fared."""

    program: Program
    log: Path
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    failures: int = 0
    start_again_at: float = field(default=0.0)

    def start(self) -> None:
        """Start the program in a session of its own, so that Ctrl-C reaches the supervisor alone."""
        shorten(self.log)
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                [*_tether(), *self.program.command],
                cwd=BASE_DIR,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=self.environment,
                start_new_session=True,
            )
        self.started_at = time.monotonic()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the program's main process."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def sweep(self) -> None:
        """Kill what the program's main process left behind in its session."""
        if self.process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def wait_before_restart(self) -> float:
        """Count a death and return the seconds to wait: 1, 2, 4 … 30, from the start again after a stable minute."""
        lived = time.monotonic() - self.started_at
        self.failures = 1 if lived > STABLE_SECONDS else self.failures + 1
        return float(min(2 ** (self.failures - 1), LONGEST_WAIT_SECONDS))


class Supervisor:
    """Keeps the programs running until SIGINT, SIGTERM or SIGHUP.

    address: where the first program must answer before the start counts as done; say: prints a line for people.
    """

    def __init__(
        self,
        programs: list[Program],
        *,
        logs: Path,
        address: tuple[str, int],
        environment: dict[str, str],
        say: Callable[[str], None],
    ) -> None:
        logs.mkdir(parents=True, exist_ok=True)
        self.children = [Child(p, logs / f"{p.name}.log", environment) for p in programs]
        self.address = address
        self.say = say
        self._stop = threading.Event()
        self._code = 0

    def run(self, *, ready: str, tour: Callable[[], bool] | None = None) -> int:
        """Start everything, say `ready` once the address answers, and stay; return the exit code.

        tour: runs beside the programs once they are ready; True when they are to stay afterwards.
        """
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._ask_to_stop)
        try:
            for child in self.children:
                child.start()
            if not self._wait_until_ready():
                return 0 if self._stop.is_set() else 1
            self.say(ready)
            if tour is not None:
                self._code = INTERRUPTED  # until the tour is over
                threading.Thread(target=self._guide, args=(tour,), daemon=True).start()
            while not self._stop.wait(TICK_SECONDS):
                for child in self.children:
                    self._watch(child)
            self.say("Stopping …")
            return self._code
        finally:
            self._stop_all()

    def _guide(self, tour: Callable[[], bool]) -> None:
        """Carry out the tour in a thread of its own; the main one goes on watching the programs."""
        code, stay = 0, False
        try:
            stay = tour()
        except DomainError as error:
            code = self._fail(error.message)
        except Exception:
            code = self._fail(traceback.format_exc())
        if not self._stop.is_set():
            self._code = code
            if not stay:
                self._stop.set()

    def _fail(self, words: str) -> int:
        if not self._stop.is_set():  # else Ctrl-C took the servers away under the tour
            self.say(words)
        return 1

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        self._stop.set()

    def _wait_until_ready(self) -> bool:
        first = self.children[0]
        give_up = time.monotonic() + READY_SECONDS
        while not self._stop.is_set() and time.monotonic() < give_up:
            if first.process is None or first.process.poll() is not None:
                break
            if _answers(self.address):
                return True
            self._stop.wait(TICK_SECONDS / 4)
        if not self._stop.is_set():
            self.say(f"{first.program.name} did not start. The end of {first.log}:\n{tail(first.log)}")
        return False

    def _watch(self, child: Child) -> None:
        """Notice a death, and start again once its wait is over."""
        if child.process is not None:
            code = child.process.poll()
            if code is None:
                return
            child.sweep()
            wait = child.wait_before_restart()
            child.process, child.start_again_at = None, time.monotonic() + wait
            self.say(
                f"{child.program.name} stopped (exit {code}); starting it again in {wait:.0f} s. See {child.log}"
            )
        elif time.monotonic() >= child.start_again_at:
            child.start()

    def _stop_all(self) -> None:
        """Ask every child to finish, wait, then kill those that did not."""
        for child in reversed(self.children):
            child.send(signal.SIGTERM)
        give_up = time.monotonic() + GRACE_SECONDS
        for child in self.children:
            if child.process is not None:
                with suppress(subprocess.TimeoutExpired):
                    child.process.wait(timeout=max(0.1, give_up - time.monotonic()))
            child.sweep()
            if child.process is not None:
                child.process.wait()


def _tether() -> list[str]:
    """Return what goes before a command so that it ends with its supervisor, where the kernel can do that."""
    if sys.platform != "linux":
        return []
    return [sys.executable, "-m", "config.tether", str(os.getpid())]


def _answers(address: tuple[str, int]) -> bool:
    """Say whether an HTTP server answers there at all: its port is open before its application is loaded."""
    connection = http.client.HTTPConnection(*address, timeout=ANSWER_SECONDS)
    try:
        connection.request("HEAD", "/livez")
        connection.getresponse()
    except (OSError, http.client.HTTPException):
        return False
    else:
        return True
    finally:
        connection.close()
