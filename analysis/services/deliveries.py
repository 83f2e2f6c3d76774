"""Reports that are due: ordered once per run, recipient and kind, claimed by a lease, retried for 24 hours."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q

from accounts.audit import Actor, record
from analysis.models import DeliveryState, ReportDelivery, ReportKind, ReportRecipient, Run

LEASE_SECONDS = 120
"""Longer than the mail timeout, so that a slow server is not asked twice at once."""
SEND_REPORT = "analysis.tasks.send_report"
"""The task that sends one report now, by its name: services are below tasks."""
GIVE_UP_HOURS = 24
LONGEST_WAIT_MINUTES = 60

DECIDED = ("ship", "stop", "inconclusive", "invalid")


def order_reports(*, run: Run, kind: str, now: datetime) -> int:
    """Order one report of a run to every recipient who has not unsubscribed; return how many there are."""
    recipients = ReportRecipient.objects.filter(experiment_id=run.experiment_id, unsubscribed_at__isnull=True)
    deliveries = [_delivery(run, recipient, kind, now) for recipient in recipients]
    ReportDelivery.objects.bulk_create(deliveries, ignore_conflicts=True)
    return len(deliveries)


def order_final_reports(*, run: Run, now: datetime) -> int:
    """Order the report of a decision, unless the last reported decision of the experiment was the same."""
    if run.verdict not in DECIDED:
        return 0
    reported = ReportDelivery.objects.filter(run__experiment_id=run.experiment_id, kind=ReportKind.FINAL)
    last = reported.order_by("-run_id").values_list("run__verdict", flat=True).first()
    return 0 if last == run.verdict else order_reports(run=run, kind=ReportKind.FINAL, now=now)


@transaction.atomic
def order_test_report(*, run: Run, email: str, actor: Actor, now: datetime) -> ReportDelivery:
    """Order a test report to the person who asks; it neither subscribes them nor counts as the report."""
    recipient, _ = ReportRecipient.objects.get_or_create(
        experiment_id=run.experiment_id, email=email.lower(), defaults={"unsubscribed_at": now}
    )
    delivery = _delivery(run, recipient, ReportKind.TEST, now)
    delivery.save()
    record(
        project=run.experiment.project,
        actor=actor,
        action="report.test_sent",
        target=run.experiment,
        after={"email": recipient.email},
    )
    return delivery


@transaction.atomic
def claim_delivery(*, now: datetime, public_id: str | None = None) -> ReportDelivery | None:
    """Take one due delivery (or the one named) under a lease; None when there is none to take.

    On the way, reports to people who have unsubscribed since are skipped, and those too old are given up.
    """
    _skip_unsubscribed()
    _give_up_old(now)
    due = ReportDelivery.objects.select_for_update(skip_locked=True, of=("self",)).filter(
        Q(lease_until__isnull=True) | Q(lease_until__lte=now), state=DeliveryState.DUE, due_at__lte=now
    )
    if public_id is not None:
        due = due.filter(public_id=public_id)
    delivery = due.select_related("recipient", "run__experiment__project").order_by("due_at", "id").first()
    if delivery is None:
        return None
    delivery.lease_until = now + timedelta(seconds=LEASE_SECONDS)
    delivery.attempts = F("attempts") + 1
    delivery.save(update_fields=["lease_until", "attempts"])
    delivery.refresh_from_db(fields=["attempts"])
    return delivery


def mark_sent(*, delivery: ReportDelivery, subject: str, message: bytes, now: datetime) -> None:
    """Note that a mail server took the message, and keep it as sent."""
    ReportDelivery.objects.filter(pk=delivery.pk).update(
        state=DeliveryState.SENT,
        sent_at=now,
        lease_until=None,
        error="",
        subject=subject,
        message=message,
    )


def mark_failed(*, delivery: ReportDelivery, error: str, now: datetime, is_permanent: bool) -> None:
    """Note why a message was not taken; wait 1, 2, 4 … 60 minutes, and give up after 24 hours."""
    gives_up = is_permanent or now >= delivery.give_up_at
    wait = min(2 ** min(delivery.attempts - 1, 10), LONGEST_WAIT_MINUTES)
    ReportDelivery.objects.filter(pk=delivery.pk, state=DeliveryState.DUE).update(
        state=DeliveryState.FAILED if gives_up else DeliveryState.DUE,
        due_at=now + timedelta(minutes=wait),
        lease_until=None,
        error=error,
    )


def _skip_unsubscribed() -> None:
    ReportDelivery.objects.filter(
        state=DeliveryState.DUE, recipient__unsubscribed_at__isnull=False
    ).exclude(kind=ReportKind.TEST).update(state=DeliveryState.SKIPPED)  # fmt: skip


def _give_up_old(now: datetime) -> None:
    tired = ReportDelivery.objects.filter(state=DeliveryState.DUE, give_up_at__lt=now)
    tired.filter(Q(lease_until__isnull=True) | Q(lease_until__lte=now)).update(state=DeliveryState.FAILED)


def _delivery(run: Run, recipient: ReportRecipient, kind: str, now: datetime) -> ReportDelivery:
    return ReportDelivery(
        run=run,
        recipient=recipient,
        kind=kind,
        due_at=now,
        give_up_at=now + timedelta(hours=GIVE_UP_HOURS),
    )
