"""Everything real: web process, worker, database, broker, mail server; the tests only speak HTTP and SMTP."""

import secrets
import subprocess
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from config import supervisor
from config.embedded.processes import free_port
from tests.journey.mailbox import Mailbox
from tests.journey.site import Site
from tests.journey.waiting import until
from tests.processes import running


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """A mail server that keeps what it is given."""
    box = Mailbox.open()
    yield box
    box.close()


@pytest.fixture
def web_port() -> int:
    return free_port()


@pytest.fixture
def process_environment(
    process_environment: dict[str, str], mailbox: Mailbox, web_port: int, tmp_path: Path
) -> dict[str, str]:
    """As everywhere, plus the mail server, the site's own address and a home and secret of its own."""
    return {
        **process_environment,
        "EMAIL_URL": mailbox.url,
        "BASE_URL": f"http://127.0.0.1:{web_port}",
        "STRATA_HOME": str(tmp_path),
        "SECRET_KEY": secrets.token_urlsafe(48),
        "LOG_LEVEL": "WARNING",
    }


@pytest.fixture
def web(process_environment: dict[str, str], web_port: int) -> Iterator[str]:
    """The web server as `manage.py serve` starts it; yields its address."""
    command = supervisor.web(host="127.0.0.1", port=web_port, workers=1, threads=4).command
    with running(command[1:], process_environment) as process:
        said = _remember_output(process)
        address = f"http://127.0.0.1:{web_port}"
        try:
            until(lambda: _answers(address, process), lambda: f"the web server, which said:\n{''.join(said)}")
            yield address
        finally:  # killed outright it would leave its own children behind
            process.terminate()
            process.wait(timeout=60)


@pytest.fixture
def site(web: str, process_environment: dict[str, str]) -> Site:
    return Site.set_up(web, process_environment)


def _remember_output(process: "subprocess.Popen[str]") -> deque[str]:
    """Read on in the background and keep the last lines, for the day it does not start."""
    lines: deque[str] = deque(maxlen=60)
    threading.Thread(target=lambda: lines.extend(process.stdout or ()), daemon=True).start()
    return lines


def _answers(address: str, process: "subprocess.Popen[str]") -> bool:
    assert process.poll() is None, "the web server ended while it started"
    try:
        return requests.get(f"{address}/livez", timeout=5).ok
    except requests.RequestException:
        return False
