"""Ask a worker to look at a row now; the row itself says that it is due, so a lost message costs one beat."""

import logging

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)

RUN_JOB = "analysis.tasks.run_job"
SEND_REPORT = "analysis.tasks.send_report"


def wake_worker(task: str, public_id: str) -> None:
    """Send a task by name once the transaction is committed; without a broker the next beat does it."""

    def send() -> None:
        try:
            current_app.send_task(task, [public_id], retry=False)
        except (OperationalError, OSError) as error:
            logger.warning("no broker to wake a worker for %s: %s", public_id, error)

    transaction.on_commit(send)
