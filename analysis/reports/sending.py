"""Handing a claimed report to the mail server: once when it is taken, again later when it is not."""

import logging
import smtplib
from datetime import datetime

from django.core.mail import get_connection

from analysis.models import ReportDelivery
from analysis.reports.message import build_message
from analysis.services import mark_failed, mark_sent

logger = logging.getLogger(__name__)


def deliver(delivery: ReportDelivery, *, now: datetime) -> bool:
    """Send a claimed delivery and note the outcome; whether a mail server took it.

    Temporary trouble (no connection, a time-out, a 4xx answer) is tried again for 24 hours; a 5xx answer is final.
    """
    try:
        message = build_message(delivery, connection=get_connection())
        raw = message.message().as_bytes()
    except (
        ValueError
    ) as error:  # a name or address that cannot be drawn or written: one mail, not the queue, fails
        logger.exception("report %s cannot be written", delivery.public_id)
        mark_failed(
            delivery=delivery, error=f"It cannot be written: {error}"[:2000], now=now, is_permanent=True
        )
        return False
    try:
        message.send()
    except (smtplib.SMTPException, OSError) as error:
        logger.warning("report %s was not sent: %s", delivery.public_id, error)
        mark_failed(delivery=delivery, error=str(error)[:2000], now=now, is_permanent=is_permanent(error))
        return False
    mark_sent(delivery=delivery, subject=message.subject[:200], message=raw, now=now)
    return True


def is_permanent(error: Exception) -> bool:
    """Tell whether a mail server will never take this message: all its answers were 5xx."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code >= 500 for code, _ in error.recipients.values())
    if isinstance(error, smtplib.SMTPResponseException):
        return error.smtp_code >= 500
    return False
