"""How many events a second: batches over HTTP from a load generator beside the server, then counted in the database.

    .venv/bin/python -m benchmarks.ingest [--seconds 30] [--batch 500] [--connections 4] [--workers 2] [--threads 2]

Own PostgreSQL in .strata-bench, durable; 100,000 profiles are looked up for consent. One request in fifty is sent
twice, as a client does that missed an answer. Prints one JSON line; exit code 1 when an acknowledged event is lost or
one is stored twice.
"""

import argparse
import http.client
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parent.parent
HOME = REPO / ".strata-bench"
UNITS = 100_000
NAMES = ("page_viewed", "product_viewed", "cart_filled", "order_completed")
RESEND_ONE_IN = 50


@dataclass
class Tally:
    """What the load generator saw."""

    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    errors: int = 0
    latencies_ms: list[float] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


def main() -> None:
    options = _options()
    from config.embedded import hold

    servers = hold(HOME, database=True, broker=False, durable=True)
    try:
        os.environ.update(
            DATABASE_URL=servers.database_url,
            STRATA_HOME=str(HOME),
            BROKER_URL="redis://127.0.0.1:1/0",
            LOG_LEVEL="ERROR",
        )
        environment_id, key = _prepare()
        result = _measure(environment_id, key, options)
    finally:
        servers.release()
    print(json.dumps(result))
    sys.exit(1 if result["lost"] or result["doubled"] or result["errors"] else 0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2, help="blocking threads of each worker")
    return parser.parse_args()


def _prepare() -> tuple[int, str]:
    """Make an environment with profiles and two registered properties; return its id and an ingest key."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    from accounts.models import KeyKind
    from tests.factories import AttributeFactory, ProjectFactory, make_key, production_of

    stamp = f"{time.time_ns():x}"
    project = ProjectFactory(organisation__slug=f"bench-{stamp}", slug=f"bench-{stamp}")
    AttributeFactory(project=project, subject="event", key="plan")
    AttributeFactory(project=project, subject="event", key="items", type="number")
    environment = production_of(project)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO events_profile (environment_id, unit_type, unit_id, attributes, consent, first_seen_at, "
            "last_seen_at, updated_at) SELECT %s, 'user', 'unit-' || n, '{}', '{\"analytics\": true}', now(), now(), "
            "now() FROM generate_series(1, %s) n",
            [environment.pk, UNITS],
        )
        cursor.execute("ANALYZE events_profile")
    return environment.pk, make_key(environment, kind=KeyKind.INGEST)


def _measure(environment_id: int, key: str, options: argparse.Namespace) -> dict[str, Any]:
    port = _free_port()
    server = subprocess.Popen(
        [
            *(
                sys.executable,
                "-m",
                "granian",
                "--interface",
                "wsgi",
                "--host",
                "127.0.0.1",
                "--port",
                str(port),
            ),
            *("--http", "1", "--no-ws", "--log-level", "warning"),
            *("--workers", str(options.workers), "--blocking-threads", str(options.threads)),
            "config.wsgi:application",
        ],
        cwd=REPO,
    )
    try:
        _wait_until_live(port)
        started = time.monotonic()
        tally = _load(port, key, options)
        seconds = time.monotonic() - started
    finally:
        server.terminate()
        server.wait(timeout=30)
    stored, distinct, keys = _count(environment_id)
    latencies = sorted(tally.latencies_ms)
    return {
        "events_per_s": round(tally.accepted / seconds),
        "accepted": tally.accepted,
        "duplicates": tally.duplicates,
        "rejected": tally.rejected,
        "errors": tally.errors,
        "lost": max(0, tally.accepted - stored),
        "doubled": stored - distinct + abs(stored - keys),
        "batch_ms": {"p50": _at(latencies, 0.5), "p99": _at(latencies, 0.99), "max": round(latencies[-1], 1)},
        "seconds": round(seconds, 1),
        "batch": options.batch,
        "connections": options.connections,
        "workers": options.workers,
        "threads": options.threads,
        "cores": os.cpu_count(),
    }


def _load(port: int, key: str, options: argparse.Namespace) -> Tally:
    tally = Tally()
    until = time.monotonic() + options.seconds
    threads = [
        threading.Thread(target=_send_until, args=(until, port, key, options.batch, tally))
        for _ in range(options.connections)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return tally


def _send_until(until: float, port: int, key: str, batch: int, tally: Tally) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    while time.monotonic() < until:
        body = _body(batch)
        for _ in range(2 if random.randrange(RESEND_ONE_IN) == 0 else 1):
            begun = time.perf_counter()
            connection.request("POST", "/api/v1/events", body, headers)
            response = connection.getresponse()
            answer = response.read()
            elapsed = (time.perf_counter() - begun) * 1_000
            _note(tally, response.status, answer, elapsed)


def _note(tally: Tally, status: int, answer: bytes, elapsed_ms: float) -> None:
    with tally.lock:
        tally.latencies_ms.append(elapsed_ms)
        if status != 202:
            tally.errors += 1
            return
        counts = json.loads(answer[: answer.index(b',"results"')] + b"}")
        tally.accepted += counts["accepted"]
        tally.duplicates += counts["duplicates"]
        tally.rejected += counts["rejected"]


def _body(batch: int) -> bytes:
    now = datetime.now(UTC).isoformat()
    entropy = os.urandom(16 * batch)
    events = [
        f'{{"event_id":"{uuid.UUID(bytes=entropy[16 * n : 16 * n + 16])}",'
        f'"unit_id":"unit-{random.randrange(UNITS)}","name":"{NAMES[n % 4]}","occurred_at":"{now}",'
        f'"value":{n / 7},"properties":{{"plan":"pro","items":{n}}}}}'
        for n in range(batch)
    ]
    return f'{{"events":[{",".join(events)}]}}'.encode()


def _count(environment_id: int) -> tuple[int, int, int]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), count(DISTINCT event_id), "
            "(SELECT count(*) FROM events_event_key WHERE environment_id = %s) "
            "FROM events_event WHERE environment_id = %s",
            [environment_id, environment_id],
        )
        return tuple(cursor.fetchone())


def _at(values: list[float], share: float) -> float:
    return round(values[min(len(values) - 1, int(share * len(values)))], 1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_live(port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/livez")
            if connection.getresponse().status < 500:
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.2)


if __name__ == "__main__":
    main()
