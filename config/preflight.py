"""Ask the database of DATABASE_URL whether it is there, before Django does and answers with a traceback."""

import os
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from core.errors import DomainError

OLDEST_POSTGRES = 15
CONNECT_SECONDS = 5
# These work on files only; `serve` decides for itself (it can answer from the disk snapshot).
OFFLINE_COMMANDS = frozenset(
    [
        "help",
        "version",
        "--help",
        "-h",
        "--version",
        "check",
        "collectstatic",
        "doctor",
        "serve",
        "spectacular",
    ]
)


class DatabaseUnavailable(DomainError):
    """The database of DATABASE_URL does not answer, or is too old."""

    code = "database_unavailable"
    status = 503


def check_database(*, command: str) -> None:
    """Raise DatabaseUnavailable when `command` needs the database of DATABASE_URL and cannot have it."""
    url = os.environ.get("DATABASE_URL", "")
    if url and command not in OFFLINE_COMMANDS:
        connect_once(url)


def connect_once(url: str) -> int:
    """Connect, check the version and hang up; return the server's version number (150004 is 15.4)."""
    try:
        with psycopg.connect(
            url.replace("postgres://", "postgresql://", 1), connect_timeout=CONNECT_SECONDS
        ) as db:
            version = db.info.server_version
    except psycopg.OperationalError as error:
        reason = str(error).strip().splitlines()[0]
        raise DatabaseUnavailable(
            f"the database of DATABASE_URL ({without_password(url)}) cannot be reached.\n"
            f"  Why: {reason}\n"
            "  What to do: start that server or correct DATABASE_URL (in the environment or in .env), then run the "
            "command again.\n  To use the embedded PostgreSQL instead, unset DATABASE_URL."
        ) from error
    except psycopg.ProgrammingError as error:
        raise DatabaseUnavailable(
            f"DATABASE_URL ({without_password(url)}) is not a PostgreSQL address.\n"
            "  What to do: write it as postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
        ) from error
    if version < OLDEST_POSTGRES * 10_000:
        raise DatabaseUnavailable(
            f"the database of DATABASE_URL ({without_password(url)}) is PostgreSQL {version // 10_000}; Strata needs "
            f"{OLDEST_POSTGRES} or newer.\n  What to do: upgrade it, or unset DATABASE_URL to use the embedded one."
        )
    return version


def without_password(url: str) -> str:
    """Return the address as it may be shown: without the password and the query."""
    parts = urlsplit(url)
    login, _, place = parts.netloc.rpartition("@")
    user = login.partition(":")[0]
    return f"{parts.scheme}://{user + '@' if user else ''}{place}{parts.path}"


def has_snapshot(home: Path) -> bool:
    """Say whether web workers could serve assignments from disk while the database is away."""
    return any((home / "snapshots").glob("*.json"))


def pending_migrations() -> int:
    """Return how many migrations the database of Django's settings still lacks."""
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
