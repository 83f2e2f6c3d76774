import os
from pathlib import Path

import pytest

from config.embedded.processes import free_port
from config.preflight import DatabaseUnavailable, check_database, connect_once, has_snapshot, without_password
from tests.processes import bare_environment, running


def test_database_that_is_down_is_reported_without_a_traceback(tmp_path: Path) -> None:
    url = f"postgresql://strata:hush@127.0.0.1:{free_port()}/strata"
    environment = bare_environment(
        DATABASE_URL=url, BROKER_URL="redis://127.0.0.1:1/0", STRATA_HOME=str(tmp_path)
    )
    with running(["manage.py", "migrate"], environment) as process:
        said, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "Traceback" not in said
    assert "Connection refused" in said
    assert "What to do: start that server or correct DATABASE_URL" in said
    assert "hush" not in said


def test_serve_without_database_and_snapshot_does_not_start(tmp_path: Path) -> None:
    url = f"postgresql://strata:hush@127.0.0.1:{free_port()}/strata"
    environment = bare_environment(
        DATABASE_URL=url, BROKER_URL="redis://127.0.0.1:1/0", STRATA_HOME=str(tmp_path)
    )
    with running(["manage.py", "serve"], environment) as process:
        said, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "Traceback" not in said
    assert "What to do: start that server or correct DATABASE_URL" in said
    assert not (tmp_path / "log").exists()


def test_address_of_another_kind_of_database_is_refused_without_its_password() -> None:
    with pytest.raises(DatabaseUnavailable, match="is not a PostgreSQL address") as caught:
        connect_once("mysql://strata:hush@127.0.0.1/strata")
    assert "hush" not in caught.value.message


def test_commands_that_need_no_database_are_not_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://strata@127.0.0.1:{free_port()}/strata")
    check_database(command="help")
    with pytest.raises(DatabaseUnavailable):
        check_database(command="migrate")


@pytest.mark.django_db
def test_live_database_passes_and_tells_its_version() -> None:
    assert connect_once(os.environ["DATABASE_URL"]) >= 150_000


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://a:b@h:5432/d?sslmode=require", "postgresql://a@h:5432/d"),
        ("redis://:secret@127.0.0.1:6379/0", "redis://127.0.0.1:6379/0"),
        ("postgresql://a:p%40ss@h/d", "postgresql://a@h/d"),
    ],
)
def test_shown_address_has_no_password(url: str, shown: str) -> None:
    assert without_password(url) == shown


def test_snapshot_on_disk_is_seen(tmp_path: Path) -> None:
    assert not has_snapshot(tmp_path)
    (tmp_path / "snapshots").mkdir()
    (tmp_path / "snapshots" / "env_1.json").write_text("{}")
    assert has_snapshot(tmp_path)
