"""PostgreSQL and a broker for one test session, ready before Django reads its settings.

Sessions may run side by side in one checkout: they share the embedded servers of `.strata-test`, and each
claims a slot that names its database, broker number and STRATA_HOME.
"""

import atexit
import fcntl
import os
import shutil

import redis

from config.embedded import hold
from tests.paths import REPO

FOLDER = REPO / ".strata-test"
SLOTS = 64
# A developer's own environment must not change what the tests see.
FOREIGN = ("ALLOWED_HOSTS", "BASE_URL", "DEBUG", "EMAIL_URL", "LOG_LEVEL", "SECRET_KEY", "STRATA_ENV")


def prepare_environment() -> str:
    """Set DATABASE_URL, BROKER_URL and STRATA_HOME for this session; return the name of its test database.

    STRATA_TEST_DATABASE_URL and STRATA_TEST_BROKER_URL name servers to use instead of the embedded ones.
    """
    for name in FOREIGN:
        os.environ.pop(name, None)
    FOLDER.mkdir(exist_ok=True)
    slot = _claim_slot()
    database, broker = os.environ.get("STRATA_TEST_DATABASE_URL"), os.environ.get("STRATA_TEST_BROKER_URL")
    if not (database and broker):
        servers = hold(FOLDER, database=not database, broker=not broker, durable=False)
        atexit.register(servers.release)
        database = database or servers.database_url
        broker = broker or _own_broker(servers.broker_url, slot)
    home = FOLDER / f"home-{slot}"
    shutil.rmtree(home, ignore_errors=True)
    (home / "static").mkdir(parents=True)
    os.environ.update(DATABASE_URL=database, BROKER_URL=broker, STRATA_HOME=str(home), READ_DOT_ENV="False")
    return f"test_strata_{slot}"


def _claim_slot() -> int:
    for slot in range(SLOTS):
        # Stays open, and so locked, until the process ends.
        descriptor = os.open(FOLDER / f"slot-{slot}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
        else:
            return slot
    raise RuntimeError(f"{SLOTS} test sessions run in {FOLDER} already")


def _own_broker(url: str, slot: int) -> str:
    own = f"{url.rpartition('/')[0]}/{slot}"
    with redis.Redis.from_url(own) as client:
        client.flushdb()
    return own
