"""Telling a worker that a refresh is due, after commit. Nothing depends on it: the rows say what is due."""

import logging

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)


def wake_refresh(refresh_ids: list[int]) -> None:
    """Ask for these rows to be refreshed once the transaction is committed; without a broker, the beat does it."""
    transaction.on_commit(lambda: _send(refresh_ids))


def _send(refresh_ids: list[int]) -> None:
    try:
        for refresh_id in refresh_ids:
            current_app.send_task("segments.tasks.refresh_one", [refresh_id], retry=False)
    except OperationalError as error:
        logger.warning("the broker cannot be reached (%s); the next beat refreshes", error)
