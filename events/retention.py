"""Retention of registered fields: values that were not sent again for too long are removed."""

from datetime import datetime, timedelta

from django.db import connection, transaction

from events.items import RAW_EVENT_DAYS
from events.models import Attribute, Subject

_EXPIRE_PROFILES = """
UPDATE events_profile SET attributes = attributes - %(key)s, updated_at = now()
WHERE attributes ? %(key)s AND last_seen_at < %(limit)s
  AND environment_id IN (SELECT id FROM accounts_environment WHERE project_id = %(project)s)
"""
_EXPIRE_EVENTS = """
UPDATE events_event SET properties = properties - %(key)s
WHERE properties ? %(key)s AND received_at < %(limit)s
  AND environment_id IN (SELECT id FROM accounts_environment WHERE project_id = %(project)s)
"""


def expire_attributes(*, now: datetime) -> int:
    """Remove every value that is older than its attribute allows; return from how many rows.

    A profile's values are as old as its last change request; an event's are as old as its receipt, and go with
    the event after RAW_EVENT_DAYS anyway. One transaction for each attribute: safe to stop and to run twice.
    """
    due = Attribute.objects.filter(subject=Subject.PROFILE) | Attribute.objects.filter(
        subject=Subject.EVENT, retention_days__lt=RAW_EVENT_DAYS
    )
    return sum(_expire(attribute, now) for attribute in due.order_by("pk"))


def _expire(attribute: Attribute, now: datetime) -> int:
    sql = _EXPIRE_PROFILES if attribute.subject == Subject.PROFILE else _EXPIRE_EVENTS
    limit = now - timedelta(days=attribute.retention_days)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, {"key": attribute.key, "limit": limit, "project": attribute.project_id})
        return cursor.rowcount
