import os
import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from config.embedded import Servers, ensure, hold
from config.embedded.account import server_home
from config.embedded.errors import EmbeddedServerError
from tests.processes import bare_environment, read_until, running, wait_until_gone
from tests.servers import FOLDER

HOLD = """
import sys
from pathlib import Path
from config.embedded import hold
servers = hold(Path(sys.argv[1]))
print("up", servers.database_url, flush=True)
sys.stdin.readline()
print("stopped", servers.release(), flush=True)
"""
ENSURE = """
import os, signal
from config import embedded
embedded.ensure()
print("up", os.environ["DATABASE_URL"], os.environ["BROKER_URL"], flush=True)
signal.pause()
"""


@pytest.fixture
def home() -> Iterator[Path]:
    FOLDER.mkdir(exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="launcher ", dir=FOLDER))  # a space: paths of people have them
    home.chmod(0o755)
    place = server_home(home)
    yield home
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if Path(process.cwd()) in (place / "postgres/data", place / "valkey"):
                process.kill()  # only a failed test leaves one
    for folder in {home, place}:
        shutil.rmtree(folder)


def postmaster_pid(home: Path) -> int:
    return int((server_home(home) / "postgres/data/postmaster.pid").read_text().split()[0])


def broker_pid(home: Path) -> int:
    return int((server_home(home) / "valkey/valkey.pid").read_text())


def remember(servers: Servers, word: str) -> None:
    with psycopg.connect(servers.database_url) as db:
        db.execute("CREATE TABLE IF NOT EXISTS words (word text)")
        db.execute("INSERT INTO words VALUES (%s)", [word])


def remembered(servers: Servers) -> list[str]:
    with psycopg.connect(servers.database_url) as db:
        return [row[0] for row in db.execute("SELECT word FROM words ORDER BY word")]


def test_first_start_gives_a_database_and_a_broker_that_ask_for_passwords(home: Path) -> None:
    servers = hold(home)

    with psycopg.connect(servers.database_url) as db:
        row = db.execute(
            "SELECT current_user, usesuper, usecreatedb FROM pg_user WHERE usename = current_user"
        ).fetchone()
        settings = dict(
            db.execute("SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'server_encoding')")
        )
    assert row == ("strata", False, True)
    assert settings == {"fsync": "on", "server_encoding": "UTF8"}
    assert redis.Redis.from_url(servers.broker_url).ping()

    address = servers.database_url.rpartition("@")[2]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(f"postgresql://strata:guess@{address}")
    port = int(servers.broker_url.rpartition(":")[2].partition("/")[0])
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=port).ping()

    assert (server_home(home) / "servers.json").stat().st_mode & 0o777 == 0o600
    assert servers.release()


def test_data_and_ports_survive_a_restart(home: Path) -> None:
    first = hold(home, durable=False)
    remember(first, "kept")
    assert first.release()

    second = hold(home, durable=False)
    assert remembered(second) == ["kept"]
    assert (second.database_url, second.broker_url) == (first.database_url, first.broker_url)
    assert second.release()


def test_live_servers_are_adopted_and_the_last_one_out_stops_them(home: Path) -> None:
    first = hold(home, durable=False)
    pids = [postmaster_pid(home), broker_pid(home)]
    with running(["-c", HOLD, str(home)], bare_environment()) as other:
        assert first.database_url in read_until(other, "up")
        assert [postmaster_pid(home), broker_pid(home)] == pids

        assert not first.release()
        remember(first, "still there")

        assert other.stdin is not None
        other.stdin.write("go\n")
        other.stdin.flush()
        assert "True" in read_until(other, "stopped")
    wait_until_gone(pids)


def test_processes_that_start_together_share_one_server(home: Path) -> None:
    environment = bare_environment()
    script = ["-c", HOLD, str(home)]
    with (
        running(script, environment) as a,
        running(script, environment) as b,
        running(script, environment) as c,
    ):
        said = {read_until(process, "up") for process in (a, b, c)}
        assert len(said) == 1
        pids = [postmaster_pid(home), broker_pid(home)]
        stops = []
        for process in (a, b, c):
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
            stops.append(read_until(process, "stopped").split()[1])
    assert stops == ["False", "False", "True"]
    wait_until_gone(pids)


def test_kill_9_of_the_postmaster_with_a_busy_backend_loses_nothing_committed(home: Path) -> None:
    servers = hold(home)
    remember(servers, "committed")
    busy = psycopg.connect(servers.database_url)
    backend = busy.info.backend_pid
    # A backend that computes does not notice that its postmaster is gone; it must be ended before a new start.
    query = threading.Thread(
        target=_ignore_loss, args=(busy, "SELECT count(*) FROM generate_series(1, 10000000000)")
    )
    query.start()
    os.kill(postmaster_pid(home), signal.SIGKILL)

    again = hold(home)
    query.join(timeout=30)
    assert not query.is_alive()
    assert not psutil.pid_exists(backend) or psutil.Process(backend).status() == psutil.STATUS_ZOMBIE
    assert remembered(again) == ["committed"]
    assert not servers.release()
    assert again.release()


def _ignore_loss(connection: psycopg.Connection, query: str) -> None:
    with pytest.raises(psycopg.OperationalError):
        connection.execute(query.encode())


def test_kill_9_of_the_broker_is_repaired_by_the_next_start(home: Path) -> None:
    servers = hold(home, durable=False)
    os.kill(broker_pid(home), signal.SIGKILL)
    again = hold(home, durable=False)
    assert redis.Redis.from_url(again.broker_url).ping()
    assert not servers.release()
    assert again.release()


def test_pid_file_whose_pid_belongs_to_a_stranger_is_stale(home: Path) -> None:
    hold(home, durable=False).release()
    place = server_home(home)
    stranger = os.getpid()
    (place / "postgres/data/postmaster.pid").write_text(
        f"{stranger}\n{place}/postgres/data\n1\n5432\n\n127.0.0.1\n1 1\nready\n"
    )
    (place / "valkey/valkey.pid").write_text(f"{stranger}\n")

    servers = hold(home, durable=False)
    remember(servers, "started")
    assert postmaster_pid(home) != stranger
    assert servers.release()
    assert psutil.pid_exists(stranger)


def test_interrupted_first_start_leaves_nothing_that_a_second_trips_over(home: Path) -> None:
    draft = server_home(home) / "postgres/data.new"
    draft.mkdir(parents=True)
    (draft / "PG_VERSION").write_text("18\n")
    servers = hold(home, durable=False)
    remember(servers, "started")
    assert not draft.exists()
    assert servers.release()


def test_busy_port_of_last_time_is_replaced(home: Path) -> None:
    first = hold(home, broker=False, durable=False)
    assert first.release()
    port = int(first.database_url.rpartition(":")[2].partition("/")[0])
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", port))
        squatter.listen()
        second = hold(home, broker=False, durable=False)
        assert second.database_url != first.database_url
        remember(second, "elsewhere")
        assert second.release()


def test_unreadable_state_says_what_to_do_and_starts_nothing(home: Path) -> None:
    server_home(home).mkdir(exist_ok=True)
    (server_home(home) / "servers.json").write_text("{")
    with pytest.raises(EmbeddedServerError, match="restore it from a backup, or remove the whole folder"):
        hold(home, durable=False)
    assert not (server_home(home) / "postgres").exists()


def test_lost_passwords_are_not_replaced_by_new_ones_that_the_data_do_not_know(home: Path) -> None:
    hold(home, broker=False, durable=False).release()
    (server_home(home) / "servers.json").unlink()
    with pytest.raises(EmbeddedServerError, match="holds the passwords"):
        hold(home, broker=False, durable=False)
    assert not (server_home(home) / "servers.json").exists()


def test_data_of_another_major_version_are_left_alone(home: Path) -> None:
    hold(home, broker=False, durable=False).release()
    version = server_home(home) / "postgres/data/PG_VERSION"
    version.write_text("17\n")
    with pytest.raises(EmbeddedServerError, match="made by PostgreSQL 17, the installed wheel is 18"):
        hold(home, broker=False, durable=False)


def test_sigterm_stops_the_process_and_its_servers(home: Path) -> None:
    with running(["-c", ENSURE], bare_environment(STRATA_HOME=str(home))) as process:
        read_until(process, "up")
        pids = [postmaster_pid(home), broker_pid(home)]
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 128 + signal.SIGTERM
    wait_until_gone(pids)


def test_kill_9_of_the_only_user_leaves_servers_that_the_next_one_adopts_and_stops(home: Path) -> None:
    with running(["-c", ENSURE], bare_environment(STRATA_HOME=str(home))) as process:
        read_until(process, "up")
        pids = [postmaster_pid(home), broker_pid(home)]
        process.kill()
        process.wait()
    servers = hold(home, durable=False)
    assert [postmaster_pid(home), broker_pid(home)] == pids
    assert servers.release()
    wait_until_gone(pids)


@pytest.mark.parametrize(
    "environment",
    [
        {"STRATA_ENV": "production"},
        {"DATABASE_URL": "postgresql://a@127.0.0.1:1/a", "BROKER_URL": "redis://127.0.0.1:1/0"},
    ],
    ids=["in production", "with both URLs set"],
)
def test_nothing_is_started(environment: dict[str, str], home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "BROKER_URL"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("STRATA_HOME", str(home))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    ensure()
    assert dict(os.environ) == before
    assert list(home.iterdir()) == []
