"""The embedded broker: a Valkey that keeps nothing, because the database says what is due."""

import signal
import socket
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from config.embedded import binaries
from config.embedded.account import Account
from config.embedded.errors import EmbeddedServerError
from config.embedded.processes import end, end_orphans, free_port, is_ours, read_pid
from config.logfiles import tail

PROGRAM = "valkey-server"
START_SECONDS = 20

# No snapshot and no append-only file: Celery messages only wake workers, leases in PostgreSQL are the truth.
# It is started inside its folder, so that names stay relative whatever the path looks like.
SETTINGS = """\
bind 127.0.0.1
port {port}
requirepass {password}
databases 64
dir .
pidfile valkey.pid
logfile server.log
daemonize yes
save ""
appendonly no
maxmemory-policy noeviction
"""


@dataclass(frozen=True)
class Valkey:
    """One Valkey in `folder`, run by `account`."""

    folder: Path
    account: Account

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    def url(self, *, port: int, password: str) -> str:
        return f"redis://:{password}@127.0.0.1:{port}/0"

    def start(self, *, password: str, port: int | None) -> int:
        """Adopt the running server or start one; return its port. `port` is used when it is free."""
        if port is not None and self._live_pid() is not None and _answers(port, password):
            return port
        end_orphans(program=PROGRAM, folder=self.folder)
        self.account.make_folder(self.folder)
        chosen = free_port(port)
        conf = self.folder / "valkey.conf"
        conf.touch(mode=0o600)
        conf.write_text(SETTINGS.format(port=chosen, password=password), encoding="utf-8")
        self.account.give(conf)
        command: list[str | Path] = [binaries.valkey_program(self.folder.parent), conf]
        self.account.run(command, folder=self.folder, log=self.folder / "commands.log")
        give_up = time.monotonic() + START_SECONDS
        while not _answers(chosen, password):
            if time.monotonic() > give_up:
                raise EmbeddedServerError(
                    f"The embedded broker does not answer. The end of {self.log}:\n{tail(self.log)}"
                )
            time.sleep(0.02)
        return chosen

    def stop(self) -> None:
        """Stop the server if it runs."""
        pid = self._live_pid()
        if pid is not None:
            end([psutil.Process(pid)], first=signal.SIGTERM)

    def _live_pid(self) -> int | None:
        pid = read_pid(self.folder / "valkey.pid")
        if pid is not None and is_ours(pid, program=PROGRAM, folder=self.folder):
            return pid
        return None


def _answers(port: int, password: str) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            answer = b""
            while chunk := connection.recv(256):
                answer += chunk
                if answer.count(b"\r\n") == 2:
                    break
            return answer == b"+OK\r\n+PONG\r\n"
    except OSError:
        return False
