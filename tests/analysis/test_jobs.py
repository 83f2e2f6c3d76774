"""Due analyses: planned, claimed, finished exactly once."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone

from accounts.audit import SYSTEM
from analysis.codec import hash_of
from analysis.models import AnalysisJob, JobState, ReportDelivery, Run
from analysis.reports.content import result_of
from analysis.services import (
    add_recipient,
    claim_job,
    complete_job,
    create_run,
    fail_job,
    plan_due_jobs,
    request_analysis,
)
from analysis.services.jobs import LEASE_SECONDS, MAX_ATTEMPTS
from analysis.services.runs import compute_result
from analysis.tasks import run_due_analyses, run_job
from core.errors import DomainError
from experiments.models import Experiment, Status
from experiments.services import complete_experiment
from tests.analysis.world import NOW, make_experiment, populate
from tests.factories import ExperimentFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def experiment() -> Experiment:
    experiment = make_experiment()
    populate(experiment, (0.2, 0.3))
    return experiment


def _finish(job: AnalysisJob) -> Run | None:
    result = compute_result(experiment=job.experiment, watermark=NOW)
    return complete_job(job=job, result=result, duration_ms=1, now=NOW)


def test_the_same_inputs_give_the_same_hash_and_the_same_bytes(experiment: Experiment) -> None:
    first, second = (create_run(experiment=experiment, watermark=NOW) for _ in range(2))
    assert first.result_hash == second.result_hash
    assert first.result == second.result


def test_a_run_read_back_from_the_database_still_has_its_hash(experiment: Experiment) -> None:
    stored = Run.objects.get(pk=create_run(experiment=experiment, watermark=NOW).pk)
    assert hash_of(result_of(stored)) == stored.result_hash


def test_a_stored_run_cannot_be_changed(experiment: Experiment) -> None:
    run = create_run(experiment=experiment, watermark=NOW)
    with pytest.raises(DatabaseError), transaction.atomic():
        Run.objects.filter(pk=run.pk).update(verdict="ship")


def test_a_draft_cannot_be_analysed() -> None:
    with pytest.raises(DomainError, match="has not started"):
        create_run(experiment=ExperimentFactory(), watermark=NOW)


def test_a_running_experiment_gets_a_job_every_six_hours(experiment: Experiment) -> None:
    assert plan_due_jobs(now=NOW) == 1
    assert plan_due_jobs(now=NOW) == 0
    _finish(claim_job(now=NOW))
    assert plan_due_jobs(now=NOW + timedelta(hours=5)) == 0
    assert plan_due_jobs(now=NOW + timedelta(hours=7)) == 1


def test_an_experiment_that_ended_gets_one_last_job(experiment: Experiment) -> None:
    create_run(experiment=experiment, watermark=NOW)
    complete_experiment(
        experiment=experiment, decision="stop", reason="Over.", actor=SYSTEM, now=NOW + timedelta(hours=1)
    )
    later = NOW + timedelta(hours=2)
    assert plan_due_jobs(now=later) == 1
    job = claim_job(now=later)
    assert job.reason == "ended"
    result = compute_result(experiment=job.experiment, watermark=later)
    complete_job(job=job, result=result, duration_ms=1, now=later)
    assert plan_due_jobs(now=later + timedelta(days=30)) == 0


def test_asking_twice_gives_one_job(experiment: Experiment) -> None:
    first, second = (request_analysis(experiment=experiment, actor=SYSTEM, now=NOW) for _ in range(2))
    assert first == second


def test_two_due_jobs_of_one_experiment_cannot_exist(experiment: Experiment) -> None:
    request_analysis(experiment=experiment, actor=SYSTEM, now=NOW)
    with pytest.raises(IntegrityError, match="one_due_job_per_experiment"), transaction.atomic():
        AnalysisJob.objects.create(experiment=experiment, reason="scheduled", due_at=NOW)


def test_a_claimed_job_is_not_claimed_again_until_its_lease_is_over(experiment: Experiment) -> None:
    request_analysis(experiment=experiment, actor=SYSTEM, now=NOW)
    assert claim_job(now=NOW) is not None
    assert claim_job(now=NOW + timedelta(seconds=LEASE_SECONDS - 1)) is None
    again = claim_job(now=NOW + timedelta(seconds=LEASE_SECONDS))
    assert again is not None
    assert again.attempts == 2


def test_two_workers_on_one_job_make_one_run_and_one_mail(experiment: Experiment) -> None:
    add_recipient(experiment=experiment, email="pm@example.com", actor=SYSTEM)
    request_analysis(experiment=experiment, actor=SYSTEM, now=NOW)
    slow = claim_job(now=NOW)
    quick = claim_job(now=NOW + timedelta(seconds=LEASE_SECONDS))
    assert _finish(quick) is not None
    assert _finish(slow) is None
    assert Run.objects.count() == 1
    assert ReportDelivery.objects.count() == 1


def test_a_job_that_fails_waits_longer_each_time_and_gives_up(experiment: Experiment) -> None:
    request_analysis(experiment=experiment, actor=SYSTEM, now=NOW)
    now = NOW
    for attempt in range(1, MAX_ATTEMPTS + 1):
        job = claim_job(now=now)
        fail_job(job=job, error="the database went away", now=now, is_permanent=False)
        job.refresh_from_db()
        assert job.attempts == attempt
        if attempt < MAX_ATTEMPTS:
            assert job.due_at == now + timedelta(minutes=2**attempt)
            now = job.due_at
    assert job.state == JobState.FAILED


def test_a_task_runs_the_job_it_is_told(experiment: Experiment) -> None:
    job = request_analysis(experiment=experiment, actor=SYSTEM, now=timezone.now())
    assert run_job(job.public_id)
    job.refresh_from_db()
    assert job.state == JobState.DONE
    assert job.run is not None
    assert not run_job(job.public_id)


def test_a_job_that_cannot_work_says_why(experiment: Experiment) -> None:
    job = request_analysis(experiment=experiment, actor=SYSTEM, now=timezone.now())
    experiment.metrics.all().delete()
    run_job(job.public_id)
    job.refresh_from_db()
    assert job.state == JobState.FAILED
    assert "primary metric" in job.error


def _breaching(auto_pause: bool) -> Experiment:
    experiment = make_experiment(
        metrics=[
            {"key": "purchase", "event_name": "purchase"},
            {"key": "complaint", "event_name": "complaint", "direction": "decrease", "margin": 0.1},
        ],
        plan={"auto_pause": auto_pause, "max_days": 60, "planned_n": 50_000},
    )
    populate(experiment, (0.1, 0.5), events=("purchase", "complaint"))
    return experiment


@pytest.mark.parametrize(("auto_pause", "status"), [(True, Status.PAUSED), (False, Status.RUNNING)])
def test_a_breached_guardrail_pauses_only_where_the_plan_says_so(auto_pause: bool, status: str) -> None:
    experiment = _breaching(auto_pause)
    assert run_due_analyses() == 1
    experiment.refresh_from_db()
    assert Run.objects.get().verdict == "stop"
    assert experiment.status == status
    assert ("Paused by the plan" in experiment.pause_reason) == auto_pause


@pytest.mark.django_db(transaction=True)
def test_a_job_that_another_worker_holds_is_skipped_and_not_waited_for(experiment: Experiment) -> None:
    request_analysis(experiment=experiment, actor=SYSTEM, now=NOW)
    with connection.copy().cursor() as other:
        other.connection.autocommit = False
        other.execute("SELECT 1 FROM analysis_analysisjob FOR UPDATE")
        assert claim_job(now=NOW) is None
        other.connection.rollback()
        other.connection.close()
    assert claim_job(now=NOW) is not None


def test_every_run_keeps_the_experiments_revision(experiment: Experiment) -> None:
    run = create_run(experiment=experiment, watermark=NOW)
    assert (run.revision, run.code_version) == (experiment.revision, "0.1.0")
