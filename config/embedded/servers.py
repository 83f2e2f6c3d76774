"""Hold the embedded servers for the life of a process."""

import atexit
import os
import signal
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import environ

from config.embedded import state as state_file
from config.embedded.account import server_home, service_account
from config.embedded.binaries import postgres_folder
from config.embedded.lease import Lease, exclusive
from config.embedded.postgres import Postgres
from config.embedded.valkey import Valkey
from config.logfiles import shorten

BASE_DIR = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Servers:
    """A lease on the servers of one home; `release` gives it back and, last one out, stops them."""

    home: Path
    postgres: Postgres
    valkey: Valkey
    lease: Lease
    owner_pid: int
    database_url: str = ""
    broker_url: str = ""

    def release(self) -> bool:
        """Give the lease back and stop the servers when nobody else uses them; True when they were stopped."""
        if os.getpid() != self.owner_pid:
            return False  # a forked child runs the exit handlers of its parent
        with exclusive(self.home / "servers.lock"):
            if not self.lease.release():
                return False
            self.valkey.stop()
            self.postgres.stop()
            return True


def hold(home: Path, *, database: bool = True, broker: bool = True, durable: bool = True) -> Servers:
    """Start or adopt the wanted servers of `home` and keep them until `release`.

    durable: False turns fsync off, for tests only.
    """
    home.mkdir(parents=True, exist_ok=True)
    place = server_home(home)
    place.mkdir(mode=0o755, parents=True, exist_ok=True)
    account = service_account()
    postgres = Postgres(place / "postgres", account, durable)
    valkey = Valkey(place / "valkey", account)
    database_url = broker_url = ""
    with exclusive(home / "servers.lock"):
        lease = Lease(home / "users.lock")
        try:
            state = state_file.load(place / "servers.json", is_first=not postgres.data.exists())
            if database:
                shorten(postgres.log)
                state.database_port = postgres.start(
                    admin_password=state.admin_password,
                    password=state.database_password,
                    port=state.database_port,
                )
                database_url = postgres.url(port=state.database_port, password=state.database_password)
            if broker:
                shorten(valkey.log)
                state.broker_port = valkey.start(password=state.broker_password, port=state.broker_port)
                broker_url = valkey.url(port=state.broker_port, password=state.broker_password)
            state_file.save(place / "servers.json", state)
        except BaseException:
            lease.release()
            raise
    return Servers(home, postgres, valkey, lease, os.getpid(), database_url, broker_url)


def default_home() -> Path:
    """Return STRATA_HOME, or `.strata` beside manage.py."""
    return Path(os.environ.get("STRATA_HOME") or BASE_DIR / ".strata")


def ensure() -> None:
    """Provide DATABASE_URL and BROKER_URL where they are unset, before Django reads its settings.

    In production nothing is started: there both are the operator's to set.
    """
    if environ.Env().bool("READ_DOT_ENV", default=True):
        environ.Env.read_env(BASE_DIR / ".env")
    database, broker = not os.environ.get("DATABASE_URL"), not os.environ.get("BROKER_URL")
    if os.environ.get("STRATA_ENV") == "production" or not (database or broker):
        return
    servers = hold(default_home(), database=database, broker=broker)
    if database:
        os.environ["DATABASE_URL"] = servers.database_url
        # So that `manage.py dbshell` and pg_dump work on a machine without PostgreSQL.
        programs = postgres_folder(servers.postgres.folder.parent)
        os.environ["PATH"] = f"{os.environ.get('PATH', '')}{os.pathsep}{programs}"
    if broker:
        os.environ["BROKER_URL"] = servers.broker_url
    atexit.register(servers.release)
    _exit_on_signals()


def _exit_on_signals() -> None:
    """Let SIGTERM and SIGHUP end the process through its exit handlers, which stop the servers."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _leave)


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)
