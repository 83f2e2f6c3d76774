"""Who gets an experiment's reports: any address, with or without an account."""

from datetime import datetime

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils.encoding import punycode

from accounts.audit import Actor, record
from analysis.models import ReportRecipient
from analysis.services.schedules import schedule_of
from core.errors import DomainError, NotFound
from experiments.models import Experiment
from segments.rules.values import is_clean_text


class InvalidAddress(DomainError):
    """Not an e-mail address."""

    code = "invalid_address"


@transaction.atomic
def add_recipient(*, experiment: Experiment, email: str, actor: Actor) -> ReportRecipient:
    """Send this experiment's reports to an address from now on; one that had unsubscribed gets them again."""
    address = email.strip().lower()
    try:
        validate_email(address)
        punycode(address.rpartition("@")[2])  # what no mail header can hold passes the check before
    except (ValidationError, UnicodeError) as error:
        message = f"“{email}” is not an e-mail address. Write one like name@example.com."
        raise InvalidAddress(message, pointer="/email") from error
    schedule_of(experiment)
    recipient, created = ReportRecipient.objects.get_or_create(experiment=experiment, email=address)
    if not created and recipient.unsubscribed_at is not None:
        recipient.unsubscribed_at = None
        recipient.save(update_fields=["unsubscribed_at"])
        created = True
    if created:
        _note(experiment, actor, "report.recipient_added", after={"email": address})
    return recipient


@transaction.atomic
def remove_recipient(*, experiment: Experiment, public_id: str, actor: Actor, now: datetime) -> None:
    """Stop sending to a recipient; what was sent stays in the archive. Raises NotFound."""
    rows = ReportRecipient.objects.filter(experiment=experiment)
    recipient = rows.filter(public_id=public_id).first() if is_clean_text(public_id) else None
    if recipient is None:
        raise NotFound("This experiment has no such recipient.")
    if recipient.unsubscribed_at is None:
        recipient.unsubscribed_at = now
        recipient.save(update_fields=["unsubscribed_at"])
        _note(experiment, actor, "report.recipient_removed", before={"email": recipient.email})


@transaction.atomic
def unsubscribe(*, recipient: ReportRecipient, now: datetime) -> None:
    """Carry out what the recipient asked for by the link in the mail; effective at once."""
    if recipient.unsubscribed_at is not None:
        return
    recipient.unsubscribed_at = now
    recipient.save(update_fields=["unsubscribed_at"])
    actor = Actor(label=f"{recipient.email} (by mail link)")
    _note(recipient.experiment, actor, "report.unsubscribed", before={"email": recipient.email})


def _note(
    experiment: Experiment,
    actor: Actor,
    action: str,
    before: dict[str, str] | None = None,
    after: dict[str, str] | None = None,
) -> None:
    record(
        project=experiment.project, actor=actor, action=action, target=experiment, before=before, after=after
    )
