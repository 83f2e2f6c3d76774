import os
import signal
import socket
from pathlib import Path

import psutil
import pytest

from config.embedded.processes import free_port
from config.supervisor import Child, Program
from tests.processes import bare_environment, read_until, running, wait_until_gone

SUPERVISE = """
import os, sys
from pathlib import Path
from config.supervisor import Program, Supervisor
logs, port = Path(sys.argv[1]), int(sys.argv[2])
web = Program("web", [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port)])
other = Program("worker", [sys.executable, "-c", sys.argv[3]])
address = ("127.0.0.1", port)
supervisor = Supervisor([web, other], logs=logs, address=address, environment=dict(os.environ), say=print)
sys.exit(supervisor.run(ready="all is up"))
"""
PATIENT = "import signal; signal.pause()"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: signal.pause()"
PARENT = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import signal; signal.pause()'])"


def supervise(logs: Path, port: int, other: str) -> list[str]:
    return ["-c", SUPERVISE, str(logs), str(port), other]


def family(pid: int) -> list[int]:
    return [child.pid for child in psutil.Process(pid).children(recursive=True)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_stops_every_child_and_exits_0(number: signal.Signals, tmp_path: Path) -> None:
    with running(supervise(tmp_path, free_port(), PARENT), bare_environment()) as process:
        read_until(process, "all is up")
        children = family(process.pid)
        assert len(children) >= 2
        process.send_signal(number)
        assert process.wait(timeout=60) == 0
    wait_until_gone(children)


def test_child_that_dies_is_started_again(tmp_path: Path) -> None:
    with running(supervise(tmp_path, free_port(), PATIENT), bare_environment()) as process:
        read_until(process, "all is up")
        for wait in ("in 1 s", "in 2 s"):
            victim = next(
                c for c in psutil.Process(process.pid).children() if PATIENT in " ".join(c.cmdline())
            )
            victim.kill()
            assert wait in read_until(process, "worker stopped (exit -9)")
            _wait_for_child(process.pid, unlike=victim.pid)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0


def _wait_for_child(pid: int, *, unlike: int) -> None:
    """Return once the supervisor runs a patient child again (bounded by the runner's own time limit)."""
    supervisor = psutil.Process(pid)
    while not any(c.pid != unlike and PATIENT in " ".join(c.cmdline()) for c in supervisor.children()):
        assert supervisor.is_running()


def test_first_program_that_cannot_start_ends_everything_with_the_end_of_its_log(tmp_path: Path) -> None:
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        port = squatter.getsockname()[1]
        with running(supervise(tmp_path, port, PATIENT), bare_environment()) as process:
            said, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "web did not start" in said
    assert "Address already in use" in said
    assert "all is up" not in said


@pytest.mark.skipif(
    not hasattr(os, "pidfd_open"), reason="the kernel ends children of a killed parent on Linux only"
)
def test_kill_9_of_the_supervisor_takes_its_children_along(tmp_path: Path) -> None:
    with running(supervise(tmp_path, free_port(), PATIENT), bare_environment()) as process:
        read_until(process, "all is up")
        children = family(process.pid)
        process.kill()
        process.wait()
        wait_until_gone(children)


def test_child_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    script = SUPERVISE.replace(
        "logs, port", "import config.supervisor; config.supervisor.GRACE_SECONDS = 1\nlogs, port"
    )
    with running(["-c", script, str(tmp_path), str(free_port()), STUBBORN], bare_environment()) as process:
        read_until(process, "all is up")
        children = family(process.pid)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
    wait_until_gone(children)


TOUR = SUPERVISE.replace('run(ready="all is up")', 'run(ready="all is up", tour=tour)')


@pytest.mark.parametrize(
    ("tour", "code", "words"),
    [
        ("def tour(): print('seen'); return False", 0, "seen"),
        ("def tour(): raise RuntimeError('lost the way')", 1, "RuntimeError: lost the way"),
        (
            "def tour():\n  from core.errors import DomainError\n  raise DomainError('closed today')",
            1,
            "closed today",
        ),
    ],
    ids=["that ends", "that fails", "that is refused"],
)
def test_tour_ends_the_programs_and_decides_the_exit_code(
    tour: str, code: int, words: str, tmp_path: Path
) -> None:
    script = ["-c", f"{tour}\n{TOUR}", str(tmp_path), str(free_port()), PATIENT]
    with running(script, bare_environment()) as process:
        read_until(process, "all is up")
        read_until(process, words)
        assert process.wait(timeout=60) == code


def test_ctrl_c_during_a_tour_exits_130(tmp_path: Path) -> None:
    tour = "import threading\ndef tour(): print('on the way'); threading.Event().wait()"
    script = ["-c", f"{tour}\n{TOUR}", str(tmp_path), str(free_port()), PATIENT]
    with running(script, bare_environment()) as process:
        read_until(process, "on the way")
        children = family(process.pid)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
    wait_until_gone(children)


def test_after_a_tour_that_says_stay_the_programs_run_on_until_a_signal(tmp_path: Path) -> None:
    tour = "def tour(): print('seen'); return True"
    script = ["-c", f"{tour}\n{TOUR}", str(tmp_path), str(free_port()), PATIENT]
    with running(script, bare_environment()) as process:
        read_until(process, "seen")
        next(c for c in psutil.Process(process.pid).children() if PATIENT in " ".join(c.cmdline())).kill()
        read_until(process, "worker stopped (exit -9)")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0


def test_waits_double_up_to_half_a_minute() -> None:
    child = Child(Program("x", []), Path("x.log"), {}, started_at=float("inf"))
    assert [child.wait_before_restart() for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    child.started_at = float("-inf")
    assert child.wait_before_restart() == 1
