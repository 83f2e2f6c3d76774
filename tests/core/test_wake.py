"""Waking a worker after commit, and going on without a broker."""

import subprocess
import sys
from typing import Any

import pytest
import redis
from django.conf import settings

from core.wake import wake_worker
from tests.paths import REPO

BROKEN = """
import django
django.setup()
from core.wake import _send
_send("segments.tasks.refresh_one", [1, 2])
print("went on")
"""


@pytest.mark.django_db
def test_a_message_is_sent_only_after_the_commit(django_capture_on_commit_callbacks: Any) -> None:
    with redis.Redis.from_url(settings.CELERY_BROKER_URL) as broker:
        broker.delete("celery")
        with django_capture_on_commit_callbacks(execute=True):
            wake_worker("segments.tasks.refresh_one", [7])
            assert broker.llen("celery") == 0
        assert b"segments.tasks.refresh_one" in broker.lindex("celery", 0)
        broker.delete("celery")


@pytest.mark.django_db
def test_without_a_broker_the_request_goes_on(process_environment: dict[str, str]) -> None:
    environment = {**process_environment, "BROKER_URL": "redis://127.0.0.1:1/0"}
    environment["DJANGO_SETTINGS_MODULE"] = "config.settings"
    done = subprocess.run(
        [sys.executable, "-c", BROKEN], cwd=REPO, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "went on", done.stderr
    assert "the next beat runs segments.tasks.refresh_one" in done.stderr
