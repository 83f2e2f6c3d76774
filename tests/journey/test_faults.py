"""What must hold when something dies: programs by kill -9, the database, the broker.

Everything runs in an installation of its own; signals go to pids the test has looked up.
"""

import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
import requests

from analysis.tasks import SETTLE_SECONDS
from tests.journey.farm import Farm
from tests.journey.homes import own_home
from tests.journey.mailbox import Mailbox
from tests.journey.site import PROJECT, Site
from tests.journey.waiting import until

BATCHES, BATCH, SENDERS = 50, 100, 4
KILLS_AFTER = (5, 15, 25, 35)
UNITS = [f"unit-{n}" for n in range(100)]
BOSS = "boss@elsewhere.example"

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def mailbox() -> Iterator[Mailbox]:
    box = Mailbox.open()
    yield box
    box.close()


@pytest.fixture(scope="module")
def installation(mailbox: Mailbox) -> Iterator[Farm]:
    with own_home() as home, Farm.found(home, mailbox) as farm:
        yield farm


@pytest.fixture
def farm(installation: Farm) -> Iterator[Farm]:
    """The installation, whole again after each test."""
    yield installation
    installation.bring_servers_back()
    if installation.process is None:
        installation.start()


def draft_experiment(site: Site, key: str) -> str:
    """Make a draft for the units of Germany that could be launched; return its id."""
    segment = f"germans-{key}"
    rule = {"attribute": "country", "op": "eq", "value": "DE"}
    if not any(a["key"] == "country" for a in site.api("GET", "attributes")["data"]):
        attribute = {"key": "country", "type": "string", "purpose": "tests"}
        site.api("POST", "attributes", attribute, status=201)
    made = site.api("POST", "segments", {"key": segment, "name": segment, "rule": rule}, status=201)
    metric = {"key": f"bought-{key}", "name": "Bought", "kind": "conversion", "event_name": "bought"}
    draft = {
        "name": f"Experiment {key}",
        "key": key,
        "hypothesis": "It holds.",
        "new_flag": {"key": key, "type": "boolean"},
        "variants": [{"key": "control", "value": False}, {"key": "new", "value": True}],
        "targets": [{"segment": made["id"]}],
        "metrics": [{"metric": site.api("POST", "metrics", metric, status=201)["id"], "role": "primary"}],
        "plan": {"mde": 0.1, "planned_n": 1_000},
    }
    experiment: str = site.api("POST", "experiments", draft, status=201)["id"]
    return experiment


def launch(site: Site, key: str) -> str:
    """Launch an experiment and wait until the web processes know."""
    experiment = draft_experiment(site, key)
    site.api("POST", f"experiments/{experiment}/start")
    until(lambda: set(variants(site, key)) == {"control", "new"}, "the launch to reach the web processes")
    return experiment


def variants(site: Site, flag: str) -> list[str | None]:
    """Ask for every unit; each request must be answered."""
    answers = [site.evaluate(flag, unit, country="DE") for unit in UNITS]
    assert {answer.status_code for answer in answers} == {200}
    return [answer.json().get("variant") for answer in answers]


def events(batch: int) -> dict[str, Any]:
    """The same batch of events every time, so that it may be sent again."""
    return {
        "events": [
            {
                "event_id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{batch}/{n}")),
                "unit_id": f"u{n}",
                "name": "seen",
            }
            for n in range(BATCH)
        ]
    }


def test_kill_9_of_the_worker_in_the_middle_of_an_analysis_leaves_one_run_and_one_mail(
    farm: Farm, mailbox: Mailbox
) -> None:
    site = farm.site
    experiment = draft_experiment(site, "killed")
    site.api("POST", f"experiments/{experiment}/recipients", {"email": BOSS}, status=201)
    with psycopg.connect(farm.servers.database_url) as blocker:
        # Results can be read but not stored: the worker stands still at its very last step.
        blocker.execute("LOCK TABLE analysis_run IN SHARE ROW EXCLUSIVE MODE")
        site.api("POST", f"experiments/{experiment}/start")
        expose_unevenly(site, experiment)
        site.api("POST", f"experiments/{experiment}/analyse", status=202)
        until(lambda: farm.sql(BLOCKED), "the worker to reach the end of the analysis")
        farm.kill("worker")
    until(lambda: mailbox.sent_to(BOSS), "the report of the repeated analysis", seconds=300)
    assert farm.sql(RUNS, experiment) == [(1, "invalid")]
    until(lambda: farm.sql(JOBS, experiment) == [("done", 2)], "the job to be done at its second attempt")
    until(lambda: farm.sql(MAILS, experiment) == [("sent", "final")], "the report to be noted as sent")
    assert len(mailbox.sent_to(BOSS)) == 1


BLOCKED = """SELECT 1 FROM pg_stat_activity
  WHERE wait_event_type = 'Lock' AND query LIKE 'INSERT INTO "analysis_run"%%'"""
RUNS = """SELECT count(*), min(r.verdict) FROM analysis_run r
  JOIN experiments_experiment e ON e.id = r.experiment_id WHERE e.public_id = %s"""
JOBS = """SELECT j.state, j.attempts FROM analysis_analysisjob j
  JOIN experiments_experiment e ON e.id = j.experiment_id WHERE e.public_id = %s"""
MAILS = """SELECT d.state, d.kind FROM analysis_reportdelivery d JOIN analysis_run r ON r.id = d.run_id
  JOIN experiments_experiment e ON e.id = r.experiment_id WHERE e.public_id = %s"""


def expose_unevenly(site: Site, experiment: str) -> None:
    """Report a split that nobody planned, so that the verdict (invalid) is mailed; wait until it counts."""
    shown = ["control"] * 200 + ["new"] * 50
    items = [
        {"experiment": experiment, "variant": variant, "unit_id": f"exposed-{n}"}
        for n, variant in enumerate(shown)
    ]
    assert site.app("exposures", {"exposures": items})["accepted"] == len(shown)
    sent = time.monotonic()
    until(lambda: time.monotonic() - sent > SETTLE_SECONDS + 1, "the watermark to pass the exposures")


def test_kill_9_of_web_processes_while_events_come_in_loses_and_doubles_nothing(farm: Farm) -> None:
    ingest = Ingest(farm.site)
    with ThreadPoolExecutor(SENDERS) as pool:
        sent = [pool.submit(ingest.send, batch) for batch in range(BATCHES)]
        killed = [ingest.wait_then(count, farm.kill_one_web_worker) for count in KILLS_AFTER]
        answers = [future.result() for future in sent]

    assert len(set(killed)) == len(KILLS_AFTER)
    assert {a["accepted"] + a["duplicates"] for a in answers} == {BATCH}
    (stored,) = farm.sql("SELECT count(*), count(DISTINCT event_id) FROM events_event WHERE name = 'seen'")
    assert stored == (BATCHES * BATCH, BATCHES * BATCH)


class Ingest:
    """An app that sends each batch until it is acknowledged, as an SDK does."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._acknowledged = 0
        self._changed = threading.Condition()

    def send(self, batch: int) -> dict[str, Any]:
        answer = until(lambda: self._try(batch), f"batch {batch} to be acknowledged")
        with self._changed:
            self._acknowledged += 1
            self._changed.notify_all()
        return answer

    def wait_then(self, acknowledged: int, act: Any) -> Any:
        """Do something once that many batches are acknowledged, while others are on their way."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._acknowledged >= acknowledged, timeout=120)
        return act()

    def _try(self, batch: int) -> dict[str, Any] | None:
        try:
            answer = self._site.send("events", events(batch))
        except requests.RequestException:
            return None
        assert answer.status_code in (202, 503), answer.text
        document: dict[str, Any] = answer.json()
        return document if answer.status_code == 202 else None


def test_without_its_database_the_site_still_assigns_and_refuses_events_until_it_is_back(farm: Farm) -> None:
    site = farm.site
    experiment = launch(site, "lonely")
    before = variants(site, "lonely")
    site.log_in()
    farm.stop_database()

    assert variants(site, "lonely") == before, "from memory"
    refused = site.send("events", events(1_000))
    assert (refused.status_code, refused.json()["code"]) == (503, "database_unavailable")
    page = site.browser.get(f"{site.url}/p/{PROJECT}/experiments/lonely/", timeout=60)
    assert "The database does not answer" in page.text
    document = site.api("GET", f"experiments/{experiment}", status=503)
    assert document["code"] == "database_unavailable"
    assert page.status_code == 503
    assert min(int(answer.headers["Retry-After"]) for answer in (refused, page)) > 0

    farm.stop()
    farm.start()
    assert variants(site, "lonely") == before, "from the snapshot on disk"
    assert site.send("events", events(1_000)).status_code == 503

    farm.bring_servers_back()
    until(lambda: site.send("events", events(1_000)).status_code == 202, "events to be taken again")
    again = site.send("events", events(1_000)).json()
    assert (again["accepted"], again["duplicates"]) == (0, BATCH)
    assert variants(site, "lonely") == before
    site.api("POST", f"experiments/{experiment}/pause", {"reason": "Does a change arrive?"})
    until(lambda: set(variants(site, "lonely")) == {"control"}, "the pause to reach the web processes")


def test_without_its_broker_the_site_answers_and_due_analyses_run_once_it_is_back(farm: Farm) -> None:
    site = farm.site
    experiment = launch(site, "quiet")
    site.log_in()
    farm.stop_broker()

    assert set(variants(site, "quiet")) == {"control", "new"}
    assert site.app("events", events(2_000))["accepted"] == BATCH
    assert "Experiment quiet" in site.page(f"/p/{PROJECT}/experiments/quiet/")
    job = site.api("POST", f"experiments/{experiment}/analyse", status=202)["id"]
    assert site.api("GET", f"jobs/{job}")["state"] == "due"

    farm.bring_servers_back()
    done = until(lambda: finished(site, job), "the due analysis to run", seconds=300)
    assert (done["state"], bool(done["run"])) == ("done", True)


def finished(site: Site, job: str) -> dict[str, Any] | None:
    found = site.api("GET", f"jobs/{job}")
    return found if found["state"] != "due" else None
