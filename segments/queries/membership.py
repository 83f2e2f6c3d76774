"""Who is in a segment: sizes, a preview under a time limit, and which versions are kept fresh."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from django.db import OperationalError, connection, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery
from psycopg.errors import QueryCanceled

from accounts.models import Environment
from segments.compiler import Scope, compile_members
from segments.models import SegmentRefresh, SegmentStatus, SegmentVersion
from segments.queries.definitions import open_rule_book
from segments.rules import Rule

PREVIEW_LIMIT_MS = 2_000


@dataclass(frozen=True, slots=True)
class SizePreview:
    """How many units a rule is true of; `units` is None when that could not be counted, for `reason`."""

    units: int | None
    profiles: int | None
    as_of: datetime
    reason: str = ""


def preview_size(
    *,
    rule: Rule,
    environment: Environment,
    unit_type: str,
    now: datetime,
    limit_ms: int = PREVIEW_LIMIT_MS,
) -> SizePreview:
    """Count the units of an environment that a rule is true of, giving up after `limit_ms`.

    The versions of the segments it names must be pinned.
    """
    book = open_rule_book(environment.project, rule)
    query = compile_members(rule, Scope(environment.pk, unit_type), now, book.rule_of)
    all_profiles = (
        "SELECT count(*) FROM events_profile WHERE environment_id = %(env)s AND unit_type = %(kind)s"
    )
    sql = f"WITH {query.ctes} SELECT (SELECT count(*) FROM members), ({all_profiles})"  # noqa: S608  # placeholders only
    try:
        with time_limit(limit_ms), connection.cursor() as cursor:
            cursor.execute(sql, {**query.params, "env": environment.pk, "kind": unit_type})
            units, profiles = cursor.fetchone()
    except OperationalError as error:
        if not isinstance(error.__cause__, QueryCanceled):
            raise
        reason = (
            f"Counting takes longer than {limit_ms / 1_000:g} s. Save the segment: its refresh counts it."
        )
        return SizePreview(units=None, profiles=None, as_of=now, reason=reason)
    return SizePreview(units=units, profiles=profiles, as_of=now)


@contextmanager
def time_limit(limit_ms: int) -> Iterator[None]:
    """Cancel statements inside after `limit_ms`; the limit from outside is put back."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('statement_timeout')")
        before = cursor.fetchone()[0]
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(limit_ms)])
        yield
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [before])


def is_member(version: SegmentVersion, environment: Environment, unit_id: str) -> bool:
    """Whether the materialised membership holds the unit now."""
    return version.members.filter(environment=environment, unit_id=unit_id, left_at__isnull=True).exists()


def refreshes_of(version: SegmentVersion) -> QuerySet[SegmentRefresh]:
    """Return the freshness of a version in each environment."""
    return version.refreshes.select_related("environment").order_by("environment__name")


def kept_fresh() -> QuerySet[SegmentVersion]:
    """Return the versions whose membership is kept up to date.

    These are the latest version of every active segment, and any version that another app points at (an
    experiment's target, a breakdown); an old version that nothing uses costs nothing.
    """
    newest = (
        SegmentVersion.objects.filter(segment=OuterRef("segment")).order_by("-number").values("number")[:1]
    )
    wanted = Q(segment__status=SegmentStatus.ACTIVE, number=F("newest"))
    for relation in SegmentVersion._meta.related_objects:
        if relation.related_model._meta.app_label != "segments":
            wanted |= Q(
                Exists(relation.related_model._base_manager.filter(**{relation.field.name: OuterRef("pk")}))
            )
    return SegmentVersion.objects.annotate(newest=Subquery(newest)).filter(wanted)
