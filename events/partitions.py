"""Weekly partitions of the event table: made ahead of need, dropped when retention ends."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction

WEEKS_AHEAD = 5
_LOCK = 0x5E7E  # advisory lock: one maker or dropper of partitions at a time
# The parent table is locked for a moment: give up and come back rather than hold up ingestion.
_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '2s'"
_PARTITIONS = """
SELECT c.relname,
       substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \\(''([^'']+)''\\)')::timestamptz AS until
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'events_event'::regclass
ORDER BY until
"""


@dataclass(frozen=True, slots=True)
class Dropped:
    """What retention removed."""

    partitions: tuple[str, ...]
    keys: int
    dead_letters: int


def create_partitions(*, weeks: int = WEEKS_AHEAD) -> int:
    """Make the partitions of this week and the next ones; return how many were missing."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        cursor.execute("SELECT strata_create_event_partitions(now(), %s)", [weeks])
        return int(cursor.fetchone()[0])


def list_partitions() -> list[tuple[str, datetime]]:
    """Return the name of each partition and the moment (exclusive) up to which it holds events."""
    with connection.cursor() as cursor:
        cursor.execute(_PARTITIONS)
        return list(cursor.fetchall())


def drop_expired_partitions(*, now: datetime, keep_days: int) -> Dropped:
    """Drop every partition whose last event is older than `keep_days`, with its ids and dead letters.

    An event id may come again only after its event is gone.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_LOCK_TIMEOUT)
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        limit = now - timedelta(days=keep_days)
        expired = [(name, until) for name, until in list_partitions() if until <= limit]
        for name, _ in expired:
            cursor.execute(f"DROP TABLE {connection.ops.quote_name(name)}")
        keys = 0
        if expired:
            cursor.execute("DELETE FROM events_event_key WHERE received_at < %s", [expired[-1][1]])
            keys = cursor.rowcount
        cursor.execute("DELETE FROM events_deadletter WHERE received_at < %s", [limit])
        return Dropped(partitions=tuple(name for name, _ in expired), keys=keys, dead_letters=cursor.rowcount)
