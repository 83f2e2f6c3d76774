"""Serve this installation: choose a port, check the database, run web, worker and beat."""

import os
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.db import connections

from config import supervisor
from config.embedded.processes import is_free
from config.preflight import DatabaseUnavailable, connect_once, has_snapshot, pending_migrations
from core.errors import DomainError

PORTS_TRIED = 50
ANYWHERE = ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound

Say = Callable[[str], None]


class CannotServe(DomainError):
    """This machine or its database is not ready to serve."""

    code = "cannot_serve"
    status = 503


def add_serving_arguments(parser: ArgumentParser) -> None:
    """Add the options that `serve` reads."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8000, help="a busy port is replaced by the next free one")
    parser.add_argument("--workers", type=int, default=2, help="web processes")
    parser.add_argument("--threads", type=int, default=4, help="threads in each web process")
    parser.add_argument("--concurrency", type=int, default=2, help="tasks that the worker runs at once")


def serve(options: Mapping[str, Any], *, say: Say, tour: Callable[[str], bool] | None = None) -> int:
    """Run web, worker and beat until Ctrl-C; return the exit code.

    tour: called with the site's address once it answers, beside the running programs; when it returns False
    everything is stopped and the code is 0 (1 when it raised, 130 when Ctrl-C came first).
    Raises CannotServe.
    """
    _check_database(say)
    host, home = options["host"], settings.STRATA_HOME
    # whitenoise warns at every start when it is missing
    settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)
    port = _choose_port(host, options["port"], say)
    reach = "127.0.0.1" if host in ANYWHERE else host
    url = f"http://{reach}:{port}"
    programs = [
        supervisor.web(host=host, port=port, workers=options["workers"], threads=options["threads"]),
        supervisor.worker(name=f"strata-{port}", concurrency=options["concurrency"]),
        supervisor.beat(schedule=home / f"beat-{port}"),
    ]
    return supervisor.Supervisor(
        programs,
        logs=home / "log",
        address=(reach, port),
        environment={"BASE_URL": url, **os.environ},
        say=say,
    ).run(
        ready=f"Strata is running at {url}  (logs in {home / 'log'}, Ctrl-C stops)",
        tour=_with_own_connections(tour, url) if tour else None,
    )


def _with_own_connections(tour: Callable[[str], bool], url: str) -> Callable[[], bool]:
    """Return the tour of this site; it runs in a thread, and must not leave its connections behind."""

    def run() -> bool:
        try:
            return tour(url)
        finally:
            connections.close_all()

    return run


def _check_database(say: Say) -> None:
    """Refuse to start without a usable database, unless assignments can be served from the disk snapshot."""
    try:
        connect_once(os.environ["DATABASE_URL"])
    except DatabaseUnavailable as error:
        if not has_snapshot(settings.STRATA_HOME):
            raise
        say(f"Warning: {error.message}\nStarting all the same: assignments come from the snapshot on disk.")
        return
    waiting = pending_migrations()
    if waiting:
        raise CannotServe(
            f"the database lacks {waiting} migration(s). Run `python manage.py migrate` first, then serve again."
        )
    connections.close_all()


def _choose_port(host: str, wanted: int, say: Say) -> int:
    for port in range(wanted, wanted + PORTS_TRIED):
        if is_free(port, host):
            if port != wanted:
                say(f"Port {wanted} is busy; using {port}.")
            return port
    raise CannotServe(f"no free port from {wanted} to {wanted + PORTS_TRIED - 1}; choose another with --port")
