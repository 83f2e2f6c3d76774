"""Celery: run the analyses and send the reports whose rows say they are due. Safe to run twice, at any time."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from celery import shared_task
from django.db import DatabaseError, connection
from django.utils import timezone

from analysis.models import AnalysisJob, ReportDelivery, Run
from analysis.reports.sending import deliver
from analysis.services import (
    claim_delivery,
    claim_job,
    complete_job,
    fail_job,
    plan_due_jobs,
    plan_due_reports,
)
from analysis.services.jobs import RENEW_SECONDS, renew_lease
from analysis.services.runs import compute_result
from core.errors import DomainError

logger = logging.getLogger(__name__)

SETTLE_SECONDS = 5
"""How far a watermark lies behind the clock: longer than any request that is still writing may take."""


@shared_task(name="analysis.tasks.run_due_analyses")
def run_due_analyses() -> int:
    """Plan what has become due, then run every due job; returns how many were run."""
    plan_due_jobs(now=timezone.now())
    tried = 0
    while job := claim_job(now=timezone.now()):
        run_claimed(job)
        tried += 1
    plan_due_reports(now=timezone.now())
    return tried


@shared_task(name="analysis.tasks.run_job")
def run_job(public_id: str) -> bool:
    """Run one job now if it is due and free; whether it was taken."""
    job = claim_job(now=timezone.now(), public_id=public_id)
    if job is not None:
        run_claimed(job)
    return job is not None


@shared_task(name="analysis.tasks.send_due_reports")
def send_due_reports() -> int:
    """Send every due report; returns how many were tried."""
    tried = 0
    while delivery := claim_delivery(now=timezone.now()):
        send_claimed(delivery)
        tried += 1
    return tried


@shared_task(name="analysis.tasks.send_report")
def send_report(public_id: str) -> bool:
    """Send one report now if it is due and free; whether it was taken."""
    delivery = claim_delivery(now=timezone.now(), public_id=public_id)
    if delivery is not None:
        send_claimed(delivery)
    return delivery is not None


def run_claimed(job: AnalysisJob) -> Run | None:
    """Run a claimed job, or note on it why that failed; the run when this worker was the first to finish."""
    started = time.monotonic()
    watermark = timezone.now() - timedelta(seconds=SETTLE_SECONDS)
    try:
        with _lease_renewed(job):
            result = compute_result(experiment=job.experiment, watermark=watermark)
    except (DatabaseError, DomainError) as error:
        logger.warning("analysis job %s failed: %s", job.public_id, error)
        is_permanent = isinstance(error, DomainError)
        fail_job(job=job, error=str(error), now=timezone.now(), is_permanent=is_permanent)
        return None
    duration_ms = round(1000 * (time.monotonic() - started))
    return complete_job(job=job, result=result, duration_ms=duration_ms, now=timezone.now())


@contextmanager
def _lease_renewed(job: AnalysisJob) -> Iterator[None]:
    """Renew the lease in the background, so that a long analysis is not taken by a second worker."""
    finished = threading.Event()

    def renew() -> None:
        while not finished.wait(RENEW_SECONDS):
            with suppress(DatabaseError):
                renew_lease(job=job, now=timezone.now())
        connection.close()

    thread = threading.Thread(target=renew, name=f"lease of {job.public_id}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        finished.set()
        thread.join()


def send_claimed(delivery: ReportDelivery) -> bool:
    """Send a claimed report; whether a mail server took it."""
    return deliver(delivery, now=timezone.now())
