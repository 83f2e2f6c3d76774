"""Keeping membership fresh. The rows of SegmentRefresh say what is due; a lease says who is at it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, OuterRef

from accounts.audit import Actor, record
from accounts.models import Environment
from segments.compiler import Scope, compile_members
from segments.models import SegmentRefresh, SegmentStatus, SegmentVersion
from segments.queries.definitions import open_rule_book
from segments.queries.membership import kept_fresh, time_limit
from segments.rules import parse

REFRESH_ONE = "segments.tasks.refresh_one"  # by name: services are below tasks
REFRESH_LIMIT_MS = 600_000
LEASE = timedelta(minutes=15)  # longer than a refresh may take, so a lease never ends under a live worker
FIRST_RETRY = timedelta(minutes=1)
LONGEST_RETRY = timedelta(hours=1)
MAX_ERROR = 500

# Only units that enter or leave are written; who stays is not touched.
_APPLY = """
WITH {ctes},
gone AS (
  UPDATE segments_segmentmember m SET left_at = %(now)s::timestamptz
  WHERE m.version_id = %(version)s AND m.environment_id = %(environment)s AND m.left_at IS NULL
    AND NOT EXISTS (SELECT 1 FROM members c WHERE c.unit_id = m.unit_id)
  RETURNING 1
),
come AS (
  INSERT INTO segments_segmentmember (version_id, environment_id, unit_id, entered_at)
  SELECT %(version)s, %(environment)s, c.unit_id, %(now)s::timestamptz FROM members c
  WHERE NOT EXISTS (
    SELECT 1 FROM segments_segmentmember m WHERE m.version_id = %(version)s
      AND m.environment_id = %(environment)s AND m.unit_id = c.unit_id AND m.left_at IS NULL)
  RETURNING 1
)
SELECT (SELECT count(*) FROM members), (SELECT count(*) FROM come), (SELECT count(*) FROM gone)
"""


@dataclass(frozen=True, slots=True)
class RefreshResult:
    """What a refresh found: the size now, and how many units entered and left since the one before."""

    size: int
    entered: int
    left: int
    refreshed_at: datetime


@transaction.atomic
def refresh_segment(*, version: SegmentVersion, environment: Environment, now: datetime) -> RefreshResult:
    """Bring the membership of a version in an environment up to `now`; one refresh at a time.

    Run again with a `now` that is not later, it changes nothing and returns the last result.
    """
    SegmentRefresh.objects.get_or_create(version=version, environment=environment, defaults={"due_at": now})
    row = SegmentRefresh.objects.select_for_update().get(version=version, environment=environment)
    if row.refreshed_at is None or row.refreshed_at < now:
        row.size, row.entered, row.left = _apply(version, environment, now)
        row.refreshed_at, row.error, row.failures, row.lease_until = now, "", 0, None
        row.due_at = now + timedelta(minutes=version.segment.refresh_minutes)
        row.save()
    assert row.refreshed_at is not None
    return RefreshResult(row.size or 0, row.entered, row.left, row.refreshed_at)


def _apply(version: SegmentVersion, environment: Environment, now: datetime) -> tuple[int, int, int]:
    segment = version.segment
    rule = parse(version.rule)
    book = open_rule_book(segment.project, rule)
    query = compile_members(rule, Scope(environment.pk, segment.unit_type), now, book.rule_of)
    own: dict[str, Any] = {"version": version.pk, "environment": environment.pk, "now": now}
    with time_limit(REFRESH_LIMIT_MS), connection.cursor() as cursor:
        cursor.execute(_APPLY.format(ctes=query.ctes), query.params | own)
        size, entered, left = cursor.fetchone()
    return size, entered, left


@transaction.atomic
def claim_due_refreshes(*, now: datetime, limit: int) -> list[SegmentRefresh]:
    """Take up to `limit` due rows, longest due first; nobody else gets them until the lease ends."""
    _add_missing_rows(now)
    due = (
        SegmentRefresh.objects.select_for_update(skip_locked=True, of=("self",))
        .select_related("version__segment__project", "environment__project")
        .filter(due_at__lte=now, version__in=kept_fresh())
        .exclude(lease_until__gt=now)
        .order_by("due_at", "id")[:limit]
    )
    return _lease(list(due), now)


@transaction.atomic
def claim_refresh(*, refresh_id: int, now: datetime) -> SegmentRefresh | None:
    """Take one row if it is due and free."""
    due = (
        SegmentRefresh.objects.select_for_update(skip_locked=True, of=("self",))
        .select_related("version__segment__project", "environment__project")
        .filter(pk=refresh_id, due_at__lte=now)
        .exclude(lease_until__gt=now)
    )
    return next(iter(_lease(list(due), now)), None)


def _lease(rows: list[SegmentRefresh], now: datetime) -> list[SegmentRefresh]:
    SegmentRefresh.objects.filter(pk__in=[row.pk for row in rows]).update(lease_until=now + LEASE)
    return rows


def _add_missing_rows(now: datetime) -> None:
    """Give the latest version of every active segment a row in environments made after it."""
    environment = "segment__project__environments"
    existing = SegmentRefresh.objects.filter(version=OuterRef("pk"), environment=OuterRef(environment))
    missing = (
        kept_fresh()
        .filter(
            ~Exists(existing),
            segment__status=SegmentStatus.ACTIVE,
            segment__project__environments__isnull=False,
        )
        .values_list("pk", environment)
    )
    SegmentRefresh.objects.bulk_create(
        [SegmentRefresh(version_id=version, environment_id=env, due_at=now) for version, env in missing],
        ignore_conflicts=True,
    )


@transaction.atomic
def record_refresh_failure(*, refresh: SegmentRefresh, error: Exception, now: datetime) -> None:
    """Note why a refresh failed and when to try again; the last good membership stays."""
    row = SegmentRefresh.objects.select_for_update().get(pk=refresh.pk)
    wait = min(FIRST_RETRY * 2 ** min(row.failures, 10), LONGEST_RETRY)
    row.error = str(error)[:MAX_ERROR] or type(error).__name__
    row.failures += 1
    row.lease_until, row.due_at = None, now + wait
    row.save(update_fields=["error", "failures", "lease_until", "due_at"])


@transaction.atomic
def request_refresh(
    *, version: SegmentVersion, environment: Environment, actor: Actor, now: datetime
) -> SegmentRefresh:
    """Make a refresh due at once; the next worker takes it."""
    row, _ = SegmentRefresh.objects.get_or_create(
        version=version, environment=environment, defaults={"due_at": now}
    )
    if row.due_at > now:
        row.due_at = now
        row.save(update_fields=["due_at"])
    record(
        project=version.segment.project,
        actor=actor,
        action="segment.refresh_requested",
        target=version.segment,
        after={"version": version.number, "environment": environment.slug},
    )
    return row
