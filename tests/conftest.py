"""The test harness: servers first, then Django, then the marks that .ci/run selects by."""

import os
import subprocess
from collections.abc import Iterator
from urllib.parse import quote

import django
import pytest
from hypothesis import settings as hypothesis_settings

from tests.processes import drain, read_until, running
from tests.servers import prepare_environment

TEST_DATABASE = prepare_environment()
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
django.setup()

from django.conf import settings  # noqa: E402
from django.db import connection  # noqa: E402
from django.db.backends.base.introspection import BaseDatabaseIntrospection  # noqa: E402

settings.DATABASES["default"].setdefault("TEST", {})["NAME"] = TEST_DATABASE
# The cheapest hasher: tests log in often, and none of them is about the cost of a password hash.
settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# No deadline: a slow machine is no bug. On CI the examples are the same on every run.
hypothesis_settings.register_profile("strata", deadline=None, derandomize=bool(os.environ.get("CI")))
hypothesis_settings.load_profile("strata")

# A test that commits is followed by a flush, which knows the tables of managed models only.
_flushed = BaseDatabaseIntrospection.django_table_names
BaseDatabaseIntrospection.django_table_names = lambda self, **options: [  # type: ignore[method-assign]
    *_flushed(self, **options),
    "events_event",
    "events_event_key",
]

DATABASE_FIXTURES = {"db", "transactional_db", "live_server", "database_url", "broker_url", "django_db_setup"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that touches the database or the broker, so that `-m database` selects them."""
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if item.get_closest_marker("django_db") or fixtures & DATABASE_FIXTURES:
            item.add_marker(pytest.mark.database)


@pytest.fixture
def database_url(transactional_db: None) -> str:
    """The address of the test database, for a process that the test starts."""
    at = connection.settings_dict
    user = f"{at['USER']}:{quote(at['PASSWORD'])}" if at["PASSWORD"] else at["USER"]
    return f"postgresql://{user}@{at['HOST']}:{at['PORT']}/{at['NAME']}"


@pytest.fixture(scope="session")
def broker_url() -> str:
    """The address of this session's broker."""
    return os.environ["BROKER_URL"]


@pytest.fixture
def process_environment(database_url: str, broker_url: str) -> dict[str, str]:
    """The environment for a real worker or server process that shares the test database and broker."""
    return {**os.environ, "DATABASE_URL": database_url, "BROKER_URL": broker_url}


@pytest.fixture
def celery_worker(process_environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A real Celery worker on the test database and broker, ready for tasks; stopped at the end."""
    arguments = ["-m", "celery", "-A", "config", "worker", "--concurrency", "1", "--loglevel", "INFO"]
    with running([*arguments, "--without-gossip", "--without-mingle"], process_environment) as worker:
        read_until(worker, " ready.")
        drain(worker)
        yield worker
        worker.terminate()
        worker.wait(timeout=60)
