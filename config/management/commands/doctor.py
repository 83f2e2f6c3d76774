"""Look at everything Strata leans on and say what is well and what to do about the rest."""

import os
import platform
import shutil
import time
from collections.abc import Callable
from typing import Any

import redis
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from config.preflight import connect_once, pending_migrations, without_password
from core.errors import DomainError

LOW_DISK_BYTES = 1024**3


class Command(BaseCommand):
    help = __doc__
    requires_system_checks = []  # it must speak up when something is broken

    def handle(self, **options: Any) -> None:
        checks: list[tuple[str, Callable[[], str]]] = [
            ("python", platform.python_version),
            ("folder", _folder),
            ("database", _database),
            ("migrations", _migrations),
            ("broker", _broker),
            ("mail", _mail),
        ]
        failed = 0
        for name, check in checks:
            try:
                verdict, mark = check(), "ok "
            except (DomainError, redis.RedisError, OSError, ValueError) as error:
                verdict, mark = str(error), "BAD"
                failed += 1
            self.stdout.write(f"{mark} {name:11} {verdict}")
        if failed:
            raise CommandError(f"{failed} of {len(checks)} checks failed.")


def _folder() -> str:
    free = shutil.disk_usage(settings.STRATA_HOME).free
    if free < LOW_DISK_BYTES:
        raise ValueError(f"{settings.STRATA_HOME} has {free // 1024**2} MB left: make room there")
    return f"{settings.STRATA_HOME}, {free // 1024**3} GB free"


def _database() -> str:
    url = os.environ["DATABASE_URL"]
    start = time.perf_counter()
    version = connect_once(url)
    took_ms = (time.perf_counter() - start) * 1000
    return f"PostgreSQL {version // 10_000}.{version % 10_000} at {without_password(url)}, connects in {took_ms:.0f} ms"


def _migrations() -> str:
    connect_once(os.environ["DATABASE_URL"])
    waiting = pending_migrations()
    if waiting:
        raise ValueError(f"{waiting} to apply: run `python manage.py migrate`")
    return "all applied"


def _broker() -> str:
    url = settings.CELERY_BROKER_URL
    if not url.startswith(("redis://", "rediss://", "unix://")):
        return f"{without_password(url)} (not a Redis address: not asked)"
    with redis.Redis.from_url(url, socket_connect_timeout=5) as client:
        client.ping()
        return f"answers at {without_password(url)}, {client.llen('celery')} tasks waiting"


def _mail() -> str:
    if settings.EMAIL_BACKEND.endswith("EmlFileBackend"):
        return f"EMAIL_URL is unset: mails are written to {settings.MAIL_DIR}"
    return f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}"
