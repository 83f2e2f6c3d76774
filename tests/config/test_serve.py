import signal
import socket
import subprocess
import sys
from http.client import HTTPConnection

import psutil
import pytest

from config.embedded.processes import free_port
from tests.paths import REPO
from tests.processes import read_until, running, wait_until_gone

PINGS = 20


def status_of(port: int, path: str) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path)
    return connection.getresponse().status


@pytest.mark.slow
def test_serve_answers_runs_tasks_and_leaves_nothing_behind(process_environment: dict[str, str]) -> None:
    port = free_port()
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", port))
        squatter.listen()
        arguments = ["manage.py", "serve", "--port", str(port), "--workers", "1", "--concurrency", "1"]
        with running(arguments, process_environment) as process:
            assert f"Port {port} is busy" in read_until(process, "busy")
            taken = int(read_until(process, "Strata is running at").split()[4].rpartition(":")[2])
            assert status_of(taken, "/livez") == 200

            name = f"strata-{taken}@"
            ping = [sys.executable, "-m", "celery", "-A", "config", "inspect", "ping", "--timeout", "5"]
            answers = (
                subprocess.run(
                    ping, cwd=REPO, env=process_environment, capture_output=True, text=True, check=False
                )
                for _ in range(PINGS)
            )
            assert any(name in answer.stdout for answer in answers)

            children = [child.pid for child in psutil.Process(process.pid).children(recursive=True)]
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=60) == 0
    wait_until_gone(children)
