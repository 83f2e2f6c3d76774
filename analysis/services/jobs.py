"""Analyses that are due: planned or asked for, claimed by a lease, finished exactly once.

The database says what is due. Two workers may compute the same job when a lease runs out under one of them;
the first to finish stores the run, the other finds the job done and drops its result.
"""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q

from accounts.audit import SYSTEM, Actor, record
from analysis.models import AnalysisJob, JobReason, JobState, Run
from analysis.result import Result
from analysis.services.deliveries import order_final_reports
from analysis.services.runs import store_run
from core.errors import DomainError
from experiments.models import Experiment, Origin, Plan, Status
from experiments.services import pause_experiment

RUN_JOB = "analysis.tasks.run_job"
"""The task that runs one job now, by its name: services are below tasks."""
ANALYSE_EVERY_HOURS = 6
LEASE_SECONDS = 20
"""Short, so that the job of a killed worker is taken up within a minute; a living one renews it."""
RENEW_SECONDS = 7
MAX_ATTEMPTS = 5
NEVER_CAME_BACK = (
    f"The worker stopped {MAX_ATTEMPTS} times while it computed this analysis. Look for the reason in its log "
    "(often too little memory), then ask for the analysis again."
)


@transaction.atomic
def request_analysis(
    *, experiment: Experiment, actor: Actor, now: datetime, reason: str = JobReason.REQUESTED
) -> AnalysisJob:
    """Return the job that will analyse the experiment now; a job that is due already serves.

    Raises DomainError when the experiment has not started.
    """
    if experiment.started_at is None:
        raise DomainError(
            f"{experiment.name} has not started, so there is nothing to analyse. Launch it first.",
            code="not_started",
        )
    job, created = AnalysisJob.objects.get_or_create(
        experiment=experiment,
        state=JobState.DUE,
        defaults={"reason": reason, "requested_by": actor.user, "due_at": now},
    )
    if not created and job.due_at > now:
        job.due_at = now
        job.save(update_fields=["due_at"])
    if created and actor is not SYSTEM:
        record(project=experiment.project, actor=actor, action="analysis.requested", target=experiment)
    return job


def plan_due_jobs(*, now: datetime) -> int:
    """Make a job for every experiment whose last run is too old, or that ended since; return how many."""
    due_jobs = AnalysisJob.objects.filter(experiment=OuterRef("pk"), state=JobState.DUE)
    fresh_runs = Run.objects.filter(
        experiment=OuterRef("pk"), watermark__gt=now - timedelta(hours=ANALYSE_EVERY_HOURS)
    )
    runs_after_end = Run.objects.filter(experiment=OuterRef("pk"), watermark__gte=OuterRef("ended_at"))
    failed = AnalysisJob.objects.filter(
        experiment=OuterRef("pk"),
        state=JobState.FAILED,
        due_at__gt=now - timedelta(hours=ANALYSE_EVERY_HOURS),
    )
    planned = Experiment.objects.filter(
        Exists(Plan.objects.filter(experiment=OuterRef("pk"))), started_at__isnull=False
    ).filter(~Exists(due_jobs), ~Exists(failed))
    running = planned.filter(~Exists(fresh_runs), status=Status.RUNNING, ended_at__isnull=True)
    ended = planned.filter(~Exists(runs_after_end), ended_at__isnull=False).exclude(status=Status.ARCHIVED)
    jobs = [
        AnalysisJob(experiment=experiment, reason=reason, due_at=now)
        for reason, experiments in ((JobReason.SCHEDULED, running), (JobReason.ENDED, ended))
        for experiment in experiments
    ]
    AnalysisJob.objects.bulk_create(jobs, ignore_conflicts=True)
    return len(jobs)


@transaction.atomic
def claim_job(*, now: datetime, public_id: str | None = None) -> AnalysisJob | None:
    """Take one due job (or the one named) under a lease; None when there is none to take.

    A job that was taken MAX_ATTEMPTS times and never came back is given up: it kills its workers.
    """
    AnalysisJob.objects.filter(state=JobState.DUE, attempts__gte=MAX_ATTEMPTS, lease_until__lte=now).update(
        state=JobState.FAILED, lease_until=None, error=NEVER_CAME_BACK
    )
    jobs = AnalysisJob.objects.select_for_update(skip_locked=True, of=("self",)).filter(
        Q(lease_until__isnull=True) | Q(lease_until__lte=now), state=JobState.DUE, due_at__lte=now
    )
    if public_id is not None:
        jobs = jobs.filter(public_id=public_id)
    job = jobs.select_related("experiment__project").order_by("due_at", "id").first()
    if job is None:
        return None
    job.lease_until = now + timedelta(seconds=LEASE_SECONDS)
    job.attempts = F("attempts") + 1
    job.save(update_fields=["lease_until", "attempts"])
    job.refresh_from_db(fields=["attempts"])
    return job


def renew_lease(*, job: AnalysisJob, now: datetime) -> None:
    """Say that the worker of a job is still at it."""
    AnalysisJob.objects.filter(pk=job.pk, state=JobState.DUE).update(
        lease_until=now + timedelta(seconds=LEASE_SECONDS)
    )


@transaction.atomic
def complete_job(*, job: AnalysisJob, result: Result, duration_ms: int, now: datetime) -> Run | None:
    """Store the run of a job with all that follows from it; None when another worker was first.

    What follows: a breached guardrail pauses the experiment where the plan says so; a decision orders reports.
    """
    locked = AnalysisJob.objects.select_for_update().filter(pk=job.pk, state=JobState.DUE).first()
    if locked is None:
        return None
    experiment = Experiment.objects.select_related("project").get(pk=job.experiment_id)
    run = store_run(experiment=experiment, result=result, duration_ms=duration_ms)
    locked.state, locked.run, locked.lease_until, locked.error = JobState.DONE, run, None, ""
    locked.save(update_fields=["state", "run", "lease_until", "error"])
    _pause_when_breached(experiment, result)
    order_final_reports(run=run, now=now)
    return run


@transaction.atomic
def fail_job(*, job: AnalysisJob, error: str, now: datetime, is_permanent: bool) -> None:
    """Note why a job did not work; try again later, at most MAX_ATTEMPTS times."""
    locked = AnalysisJob.objects.select_for_update().filter(pk=job.pk, state=JobState.DUE).first()
    if locked is None:
        return
    locked.error, locked.lease_until = error, None
    if is_permanent or locked.attempts >= MAX_ATTEMPTS:
        locked.state = JobState.FAILED
    else:
        locked.due_at = now + timedelta(minutes=2**locked.attempts)
    locked.save(update_fields=["error", "lease_until", "state", "due_at"])


def _pause_when_breached(experiment: Experiment, result: Result) -> None:
    breached = result.verdict.rule == "guardrail.breached"
    if not (breached and result.plan.auto_pause and experiment.status == Status.RUNNING):
        return
    if experiment.origin == Origin.IMPORTED:
        return
    pause_experiment(
        experiment=experiment, reason=f"Paused by the plan. {result.verdict.sentence}", actor=SYSTEM
    )
