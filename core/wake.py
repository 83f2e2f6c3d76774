"""Ask a worker to look at rows now. The rows themselves say that they are due, so a lost message costs one beat."""

import logging
from collections.abc import Sequence

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)


def wake_worker(task: str, ids: Sequence[int | str]) -> None:
    """Send a task by name for each id, once the transaction is committed; without a broker, the beat does it."""
    transaction.on_commit(lambda: _send(task, ids))


def _send(task: str, ids: Sequence[int | str]) -> None:
    try:
        for one in ids:
            current_app.send_task(task, [one], retry=False)
    except (OperationalError, OSError) as error:
        logger.warning("the broker cannot be reached (%s); the next beat runs %s", error, task)
