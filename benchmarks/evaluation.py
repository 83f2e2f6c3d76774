"""How many evaluations a second: 20 experiments of three conditions each, asked over HTTP with wrk beside it.

    .venv/bin/python -m benchmarks.evaluation [--seconds 30] [--connections 32] [--workers 2] [--threads 2]

Own PostgreSQL in .strata-bench; the web server is the product's own command line. Prints one JSON line.
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parent.parent
HOME = REPO / ".strata-bench"
FLAGS = 20


def main() -> None:
    options = _options()
    if not shutil.which("wrk"):
        sys.exit("wrk is missing. Install it (apt-get install wrk) and run this again.")
    from config.embedded import hold

    servers = hold(HOME, database=True, broker=False, durable=True)
    try:
        os.environ.update(
            DATABASE_URL=servers.database_url,
            STRATA_HOME=str(HOME),
            BROKER_URL="redis://127.0.0.1:1/0",
            LOG_LEVEL="ERROR",
        )
        print(json.dumps(_measure(_prepare(), options)))
    finally:
        servers.release()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2, help="blocking threads of each worker")
    return parser.parse_args()


def _prepare() -> str:
    """Make an environment with 20 running experiments; return a server key."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    from accounts.models import KeyKind
    from experiments.services import TargetInput
    from tests.factories import (
        FlagFactory,
        ProjectFactory,
        SegmentFactory,
        make_key,
        production_of,
        running_experiment,
    )

    stamp = f"{time.time_ns():x}"
    project = ProjectFactory(organisation__slug=f"bench-{stamp}", slug=f"bench-{stamp}")
    for number in range(FLAGS):
        rule = {
            "all": [
                {"attribute": "country", "op": "in", "value": ["DE", "FR", "US"]},
                {"attribute": "plan", "op": "ne", "value": "free"},
                {"attribute": "age", "op": "gte", "value": 20 + number},
            ]
        }
        segment = SegmentFactory(project=project, rule=rule)
        running_experiment(
            project=project,
            flag=FlagFactory(project=project, key=f"flag-{number}"),
            targets=(TargetInput(segment=segment),),
        )
    return make_key(production_of(project), kind=KeyKind.SDK_SERVER)


def _measure(key: str, options: argparse.Namespace) -> dict[str, Any]:
    port = _free_port()
    options_of_server = (
        f"--interface wsgi --host 127.0.0.1 --port {port} --http 1 --no-ws --log-level warning "
        f"--workers {options.workers} --blocking-threads {options.threads}"
    )
    server = subprocess.Popen(
        [sys.executable, "-m", "granian", *options_of_server.split(), "config.wsgi:application"], cwd=REPO
    )
    try:
        answer = _first_answer(port, key)
        _run_wrk(port, key, seconds=3, options=options)
        before, cpu_before = _memory_mb(server.pid), _cpu_seconds(server.pid)
        result = _run_wrk(port, key, seconds=options.seconds, options=options)
        after, cpu_after = _memory_mb(server.pid), _cpu_seconds(server.pid)
    finally:
        server.terminate()
        server.wait(timeout=30)
    return {
        "evaluations_per_s": round(result["requests"] / result["seconds"]),
        **result,
        "memory_mb": [round(before), round(after)],
        "server_cpu_us_per_request": round((cpu_after - cpu_before) / result["requests"] * 1e6),
        "cores": os.cpu_count(),
        "workers": options.workers,
        "threads": options.threads,
        "connections": options.connections,
        "sample": answer,
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _first_answer(port: int, key: str) -> dict[str, Any]:
    body = b'{"context":{"targetingKey":"user-1","country":"DE","plan":"pro","age":60}}'
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/ofrep/v1/evaluate/flags/flag-0",
        body,
        {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(request, timeout=5) as response:
                return json.load(response)
        except (urllib.error.URLError, ConnectionError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def _run_wrk(port: int, key: str, *, seconds: int, options: argparse.Namespace) -> dict[str, Any]:
    command = ["wrk", "-t", "1", "-c", str(options.connections), "-d", f"{seconds}s"]
    command += ["-s", str(REPO / "benchmarks" / "evaluation.lua"), f"http://127.0.0.1:{port}"]
    output = subprocess.run(
        command, env={**os.environ, "STRATA_KEY": key}, capture_output=True, text=True, check=True
    ).stdout
    return json.loads(output.strip().splitlines()[-1])


def _memory_mb(parent: int) -> float:
    """Return the resident memory of the server and its workers."""
    pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in _family(parent))
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _cpu_seconds(parent: int) -> float:
    """Return the processor time that the server and its workers have used."""
    ticks = 0
    for pid in _family(parent):
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(after_name[11]) + int(after_name[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _family(parent: int) -> list[str]:
    return [str(parent), *Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


if __name__ == "__main__":
    main()
