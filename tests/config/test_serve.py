import signal
import socket
from http.client import HTTPConnection

import psutil
import pytest

from config.celery import app
from config.embedded.processes import free_port
from tests.processes import read_until, running, wait_until_gone

PINGS = 60


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
            assert any(name in str(app.control.ping(timeout=1)) for _ in range(PINGS))

            children = [child.pid for child in psutil.Process(process.pid).children(recursive=True)]
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=60) == 0
    wait_until_gone(children)
