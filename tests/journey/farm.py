"""A whole installation of its own that tests may break: embedded servers, `manage.py serve`, a mail server."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import psycopg

from config.embedded import Servers, hold
from config.embedded.processes import free_port
from tests.journey.mailbox import Mailbox
from tests.journey.site import Site, manage
from tests.journey.waiting import until
from tests.processes import bare_environment, drain, read_until, running

PROGRAMS = {"web": "granian", "worker": "worker", "beat": "beat"}


@dataclass
class Farm:
    """web, worker and beat on servers that can be taken away and brought back."""

    home: Path
    servers: Servers
    environment: dict[str, str]
    port: int
    serving: ExitStack = field(default_factory=ExitStack)
    process: "subprocess.Popen[str] | None" = None
    site: Site = field(init=False)

    @classmethod
    @contextmanager
    def found(cls, home: Path, mailbox: Mailbox) -> "Iterator[Farm]":
        """Start servers and programs, and make owner, project and keys; stop everything at the end."""
        servers, port = hold(home), free_port()
        # Named, the servers count as the operator's own: `serve` neither starts nor stops them.
        environment = bare_environment(
            STRATA_HOME=str(home),
            DATABASE_URL=servers.database_url,
            BROKER_URL=servers.broker_url,
            EMAIL_URL=mailbox.url,
            BASE_URL=f"http://127.0.0.1:{port}",
        )
        farm = cls(home, servers, environment, port)
        try:
            migrated = manage(environment, "migrate", "--verbosity", "0")
            assert migrated.returncode == 0, migrated.stderr
            farm.start()
            farm.site = Site.set_up(environment["BASE_URL"], environment)
            yield farm
        finally:
            if farm.process is not None:
                farm.stop()
            farm.serving.close()
            servers.release()

    def start(self) -> None:
        """Serve until `stop`."""
        arguments = ["manage.py", "serve", "--port", str(self.port), "--concurrency", "1"]
        process = self.serving.enter_context(running(arguments, self.environment))
        line = read_until(process, "Strata is running at")
        assert f":{self.port} " in line
        drain(process)
        self.process = process

    def stop(self) -> None:
        """Stop serving as Ctrl-C does."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(timeout=90) == 0
        self.serving.close()
        self.process = None

    def program(self, name: str) -> psutil.Process:
        """Return the main process of web, worker or beat, once it is there."""
        assert self.process is not None
        serving = psutil.Process(self.process.pid)
        return until(lambda: _child(serving, PROGRAMS[name]), f"the {name} process")

    def kill(self, name: str) -> None:
        """kill -9 a program with all its children, by their pids."""
        main = self.program(name)
        for victim in (main, *main.children(recursive=True)):
            os.kill(victim.pid, signal.SIGKILL)

    def kill_one_web_worker(self) -> int:
        """kill -9 one of the processes that answer requests; return its pid."""
        main = self.program("web")
        victim = until(lambda: next(iter(main.children()), None), "a web worker process")
        os.kill(victim.pid, signal.SIGKILL)
        return victim.pid

    def stop_database(self) -> None:
        self.servers.postgres.stop()

    def stop_broker(self) -> None:
        self.servers.valkey.stop()

    def bring_servers_back(self) -> None:
        """Start what is stopped, on the ports it had."""
        again = hold(self.home)
        assert (again.database_url, again.broker_url) == (
            self.servers.database_url,
            self.servers.broker_url,
        )
        again.release()

    def sql(self, query: str, *parameters: object) -> list[tuple[object, ...]]:
        with psycopg.connect(self.servers.database_url) as db:
            return db.execute(query.encode(), parameters).fetchall()


def _child(serving: psutil.Process, word: str) -> psutil.Process | None:
    for child in serving.children():
        if word in child.cmdline() and child.status() != psutil.STATUS_ZOMBIE:
            return child
    return None
