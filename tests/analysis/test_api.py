"""/api/v1: runs, jobs, recipients and schedules, the way a client calls."""

from typing import Any

import pytest
from django.test import Client

from accounts.models import Role
from analysis.models import Run
from analysis.tasks import run_job
from tests.analysis.world import make_run
from tests.factories import ProjectFactory, make_key, production_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def run() -> Run:
    return make_run()


def _headers(run: Run, role: str = Role.ADMIN) -> dict[str, Any]:
    return {"Authorization": f"Bearer {make_key(run.experiment.environment, role=role)}"}


def _url(run: Run, tail: str) -> str:
    return f"/api/v1/experiments/{run.experiment.public_id}/{tail}"


def test_runs_are_listed_without_and_read_with_their_numbers(run: Run, client: Client) -> None:
    headers = _headers(run)
    page = client.get(_url(run, "runs"), headers=headers).json()
    assert (page["has_more"], [line["id"] for line in page["data"]]) == (False, [run.public_id])
    assert "result" not in page["data"][0]
    document = client.get(f"/api/v1/runs/{run.public_id}", headers=headers).json()
    assert document["result"]["verdict"]["kind"] == run.verdict
    assert document["experiment"] == run.experiment.public_id


def test_an_analysis_is_ordered_with_202_and_its_job_tells_how_far_it_is(run: Run, client: Client) -> None:
    headers = _headers(run)
    answer = client.post(_url(run, "analyse"), headers=headers)
    assert answer.status_code == 202
    job = answer.json()
    assert (job["state"], job["run"]) == ("due", None)
    run_job(job["id"])
    done = client.get(f"/api/v1/jobs/{job['id']}", headers=headers).json()
    assert done["state"] == "done"
    assert done["run"] == Run.objects.latest().public_id


def test_a_viewers_key_may_read_but_not_order(run: Run, client: Client) -> None:
    headers = _headers(run, Role.VIEWER)
    assert client.get(_url(run, "runs"), headers=headers).status_code == 200
    assert client.post(_url(run, "analyse"), headers=headers).status_code == 403


def test_another_environments_runs_and_jobs_do_not_exist(run: Run, client: Client) -> None:
    key = make_key(production_of(ProjectFactory()))
    headers: Any = {"Authorization": f"Bearer {key}"}
    for url in (_url(run, "runs"), _url(run, "recipients"), f"/api/v1/runs/{run.public_id}"):
        assert client.get(url, headers=headers).status_code == 404


def test_recipients_come_and_go(run: Run, client: Client) -> None:
    headers = _headers(run)
    made = client.post(
        _url(run, "recipients"), {"email": "pm@example.com"}, content_type="application/json", headers=headers
    )
    assert made.status_code == 201
    listed = client.get(_url(run, "recipients"), headers=headers).json()["data"]
    assert [line["email"] for line in listed] == ["pm@example.com"]
    assert client.delete(_url(run, f"recipients/{made.json()['id']}"), headers=headers).status_code == 204
    assert client.get(_url(run, "recipients"), headers=headers).json()["data"] == []


def test_an_address_that_is_none_is_a_problem_with_a_pointer(run: Run, client: Client) -> None:
    answer = client.post(
        _url(run, "recipients"), {"email": "pm"}, content_type="application/json", headers=_headers(run)
    )
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/email"


def test_the_schedule_is_read_and_changed(run: Run, client: Client) -> None:
    headers = _headers(run)
    assert client.get(_url(run, "report_schedule"), headers=headers).json()["frequency"] == "weekly"
    answer = client.put(
        _url(run, "report_schedule"),
        {"frequency": "daily", "hour": 7},
        content_type="application/json",
        headers=headers,
    )
    assert answer.status_code == 200
    assert (answer.json()["frequency"], answer.json()["hour"]) == ("daily", 7)
