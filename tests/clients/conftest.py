"""The product's own web server, as a process, with flags of every type."""

import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from accounts.models import KeyKind, Project
from experiments.models import Experiment, FlagType
from experiments.services import TargetInput, VariantInput
from tests.factories import (
    FlagFactory,
    ProjectFactory,
    SegmentFactory,
    make_key,
    production_of,
    running_experiment,
)
from tests.paths import REPO

START_SECONDS = 60


@dataclass(frozen=True)
class Shop:
    """A project with one experiment for each flag type, and two keys."""

    project: Project
    key: str
    ingest_key: str
    experiments: dict[str, Experiment]


@pytest.fixture
def shop(transactional_db: None) -> Shop:
    project = ProjectFactory()
    environment = production_of(project)
    values: dict[str, tuple[object, object]] = {
        FlagType.BOOLEAN: (False, True),
        FlagType.STRING: ("grün", "blue"),
        FlagType.INTEGER: (1, 2),
        FlagType.FLOAT: (1, 2.5),
        FlagType.OBJECT: ({"layout": ["a"]}, {"layout": ["b"]}),
    }
    experiments = {}
    for flag_type, (control, treatment) in values.items():
        flag = FlagFactory(project=project, key=f"{flag_type}.flag", type=flag_type, default_value=control)
        experiments[str(flag_type)] = running_experiment(
            project=project,
            flag=flag,
            variants=(VariantInput("control", control), VariantInput("treatment", treatment)),
        )
    german = SegmentFactory(project=project, rule={"attribute": "country", "op": "eq", "value": "DE"})
    experiments["targeted"] = running_experiment(
        project=project,
        flag=FlagFactory(project=project, key="targeted"),
        targets=(TargetInput(segment=german, weights_bp=(0, 10_000)),),
    )
    FlagFactory(project=project, key="plain", default_value=True)
    FlagFactory(project=project, key="off", enabled=False, default_value=True)
    key, ingest_key = (make_key(environment, kind=kind) for kind in (KeyKind.SDK_SERVER, KeyKind.INGEST))
    return Shop(project, key, ingest_key, experiments)


@pytest.fixture
def server(shop: Shop, process_environment: dict[str, str], tmp_path: Path) -> Iterator[str]:
    """Run the web server as `manage.py serve` runs it; return its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = f"--interface wsgi --host 127.0.0.1 --port {port} --no-ws --workers 1 --log-level warning"
    process = subprocess.Popen(
        [sys.executable, "-m", "granian", *options.split(), "config.wsgi:application"],
        cwd=REPO,
        env={**process_environment, "STRATA_HOME": str(tmp_path)},
    )
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_for(address, process)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait_for(address: str, process: "subprocess.Popen[bytes]") -> None:
    pause = threading.Event()
    for _ in range(START_SECONDS * 10):
        assert process.poll() is None, "the web server ended while it started"
        try:
            urllib.request.urlopen(f"{address}/ofrep/v1/evaluate/flags", timeout=5)
        except urllib.error.HTTPError:
            return
        except OSError:
            pause.wait(0.1)
    raise AssertionError(f"the web server did not answer within {START_SECONDS} s")
