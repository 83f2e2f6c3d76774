"""The demo's way through Strata while web, worker and beat run: analyse, let an app ask, analyse again, report."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes
from email.policy import default as mail_policy
from pathlib import Path
from typing import TypeVar

from django.conf import settings
from django.utils import timezone

from accounts.audit import Actor
from analysis.models import AnalysisJob, DeliveryState, JobState, ReportDelivery, ReportKind, Run
from analysis.services.deliveries import order_reports
from analysis.services.jobs import request_analysis
from analysis.services.recipients import add_recipient
from analysis.tasks import SETTLE_SECONDS, run_job, send_report
from assignments.models import Exposure
from config.demo.app import DemoApp, Truth
from config.demo.workspace import Workspace, app_key
from core.errors import DomainError
from experiments.models import Experiment

T = TypeVar("T")
PATIENCE_SECONDS = 180
POLL_SECONDS = 0.1

Progress = Callable[[str, int, int], None]
"""Told what is being done, how many steps are done, and how many there are."""


class WorkerSilent(DomainError):
    """The Celery worker did not finish in time."""

    code = "worker_silent"


@dataclass(frozen=True)
class Told:
    """What the demo prints at its end about one experiment."""

    experiment: Experiment
    run: Run
    mail: Path | None


def walk(workspace: Workspace, url: str, progress: Progress) -> list[Told]:
    """Bring both experiments to a result and a report; what is there already is not done again."""
    actor = Actor(label=f"demo ({workspace.owner.email})", user=workspace.owner)
    imported = _analysed(workspace.imported, actor, progress)
    _use_the_app(workspace, url, progress)
    assigned = _analysed(workspace.assigned, actor, progress)
    return [_reported(run, workspace, actor, progress) for run in (imported, assigned)]


def _analysed(experiment: Experiment, actor: Actor, progress: Progress) -> Run:
    title = f"Analyse “{experiment.name}” in the worker"
    progress(title, 0, 1)
    run = experiment.runs.order_by("id").last()
    last_data = Exposure.objects.filter(experiment=experiment).order_by("-received_at").first()
    if run is None or (last_data and run.watermark < last_data.received_at):
        _settle(last_data.received_at if last_data else None)
        job = request_analysis(experiment=experiment, actor=actor, now=timezone.now())
        run_job.delay(job.public_id)
        run = _wait_for(lambda: _finished_run(job), "the analysis")
    progress(title, 1, 1)
    return run


def _settle(received_at: datetime | None) -> None:
    """Wait until an analysis takes in what was received last: its watermark lies a little behind the clock."""
    while received_at and (timezone.now() - received_at).total_seconds() <= SETTLE_SECONDS + 1:
        time.sleep(POLL_SECONDS)


def _finished_run(job: AnalysisJob) -> Run | None:
    job.refresh_from_db()
    if job.state == JobState.FAILED:
        raise DomainError(f"The analysis failed: {job.error}")
    return job.run


def _use_the_app(workspace: Workspace, url: str, progress: Progress) -> None:
    title = "An app asks for variants over OpenFeature and sends what people did"
    people = workspace.people
    progress(title, 0, len(people))
    if Exposure.objects.filter(experiment=workspace.assigned).count() < len(people):
        app = DemoApp(url, app_key(workspace.environment))
        app.serve(people, Truth(), lambda done: progress(title, done, len(people)))
    progress(title, len(people), len(people))


def _reported(run: Run, workspace: Workspace, actor: Actor, progress: Progress) -> Told:
    title = f"Mail the report of “{run.experiment.name}”"
    progress(title, 0, 1)
    add_recipient(experiment=run.experiment, email=workspace.owner.email, actor=actor)
    sent = _delivery(run)
    if sent is None:
        order_reports(run=run, kind=ReportKind.PROGRESS, now=timezone.now())
        due = ReportDelivery.objects.filter(run=run, state=DeliveryState.DUE)
        for public_id in due.values_list("public_id", flat=True):
            send_report.delay(public_id)
        sent = _wait_for(lambda: _delivery(run), "the report mail")
    progress(title, 1, 1)
    return Told(run.experiment, run, mail_file(sent))


def _delivery(run: Run) -> ReportDelivery | None:
    sent = ReportDelivery.objects.filter(run=run, state=DeliveryState.SENT).exclude(kind=ReportKind.TEST)
    return sent.order_by("id").first()


def mail_file(delivery: ReportDelivery) -> Path | None:
    """Return the .eml file of a sent report, or None when mail goes to a real server."""
    wanted = message_from_bytes(bytes(delivery.message or b""), policy=mail_policy)["Message-ID"]
    for path in sorted(Path(settings.MAIL_DIR).glob("*.eml"), reverse=True):
        if message_from_bytes(path.read_bytes(), policy=mail_policy)["Message-ID"] == wanted:
            return path
    return None


def _wait_for(find: Callable[[], T | None], what: str) -> T:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < give_up:
        found = find()
        if found is not None:
            return found
        time.sleep(POLL_SECONDS)
    raise WorkerSilent(
        f"The worker did not finish {what} within {PATIENCE_SECONDS} s. Its log is "
        f"{settings.STRATA_HOME / 'log' / 'worker.log'}; `manage.py doctor` checks what it leans on."
    )
