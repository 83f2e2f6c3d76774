"""Celery: bring due memberships up to date. The rows say what is due, so a lost message costs one beat."""

import logging

from celery import shared_task
from django.db import DatabaseError
from django.utils import timezone

from core.errors import DomainError
from segments.models import SegmentRefresh
from segments.services import claim_due_refreshes, claim_refresh, record_refresh_failure, refresh_segment

logger = logging.getLogger(__name__)


@shared_task(name="segments.tasks.refresh_due_segments")
def refresh_due_segments() -> int:
    """Refresh everything that is due, one row a lease; returns how many were tried."""
    tried = 0
    while claimed := claim_due_refreshes(now=timezone.now(), limit=1):
        refresh_claimed(claimed[0])
        tried += 1
    return tried


@shared_task(name="segments.tasks.refresh_one")
def refresh_one(refresh_id: int) -> bool:
    """Refresh one row if it is due and free; whether it was taken."""
    claimed = claim_refresh(refresh_id=refresh_id, now=timezone.now())
    if claimed is not None:
        refresh_claimed(claimed)
    return claimed is not None


def refresh_claimed(row: SegmentRefresh) -> bool:
    """Refresh a claimed row, or note on it why that failed; whether it succeeded."""
    try:
        refresh_segment(version=row.version, environment=row.environment, now=timezone.now())
    except (DatabaseError, DomainError) as error:
        logger.warning("refresh of segment version %s failed: %s", row.version.public_id, error)
        record_refresh_failure(refresh=row, error=error, now=timezone.now())
        return False
    return True
