"""Periodic care of the event table; every task is safe to run twice and at any time."""

import logging

from celery import shared_task
from django.utils import timezone

from events import partitions, retention
from events.items import RAW_EVENT_DAYS

log = logging.getLogger(__name__)


@shared_task
def create_partitions() -> int:
    """Make this week's and the next weeks' partitions; return how many were missing."""
    return partitions.create_partitions()


@shared_task
def drop_expired_partitions() -> list[str]:
    """Drop the partitions whose events are all older than the retention of raw events."""
    dropped = partitions.drop_expired_partitions(now=timezone.now(), keep_days=RAW_EVENT_DAYS)
    if dropped.partitions or dropped.dead_letters:
        log.info(
            "retention dropped %s, %d ids, %d dead letters",
            dropped.partitions,
            dropped.keys,
            dropped.dead_letters,
        )
    return list(dropped.partitions)


@shared_task
def expire_attributes() -> int:
    """Remove the values that are older than the retention of their attribute."""
    return retention.expire_attributes(now=timezone.now())
