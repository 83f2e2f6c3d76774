"""Profiles: merging attributes and consent, many units in one statement."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson
from django.db import connection, transaction

from accounts.models import Environment
from core.errors import DomainError, NotFound
from events.bodies import Item
from events.ingestion import letter_for
from events.items import ProfileChange, Refusal, read_profile
from events.models import DeadLetter, Profile
from events.registry import read_registry

CREATED, UPDATED, UNCHANGED, REJECTED = "created", "updated", "unchanged", "rejected"
IMPORT_CHUNK = 5_000
# `updated_at` moves only when something changed: segment refreshes look at it. Units come in order, so that
# two requests with the same units wait for each other and never deadlock.
_MERGE = """
WITH item AS MATERIALIZED (
  SELECT * FROM json_to_recordset(%(changes)s::json)
    AS i(unit_type text, unit_id text, attributes jsonb, consent jsonb)
  ORDER BY unit_type, unit_id
), written AS (
  INSERT INTO events_profile AS p
    (environment_id, unit_type, unit_id, attributes, consent, first_seen_at, last_seen_at, updated_at)
  SELECT %(environment)s, unit_type, unit_id, attributes, consent, COALESCE(%(first_seen)s, now()), now(),
         now()
  FROM item
  ON CONFLICT (environment_id, unit_type, unit_id) DO UPDATE SET
    attributes = p.attributes || EXCLUDED.attributes,
    consent = p.consent || EXCLUDED.consent,
    first_seen_at = LEAST(p.first_seen_at, EXCLUDED.first_seen_at),
    last_seen_at = now(),
    updated_at = CASE WHEN p.attributes || EXCLUDED.attributes IS DISTINCT FROM p.attributes
                        OR p.consent || EXCLUDED.consent IS DISTINCT FROM p.consent
                        OR EXCLUDED.first_seen_at < p.first_seen_at
                      THEN now() ELSE p.updated_at END
  RETURNING unit_type, unit_id, xmax = 0 AS made, updated_at = now() AS changed
)
SELECT unit_type, unit_id, made, changed FROM written
"""
# `||` keeps a null; only batches that remove something pay for this second statement.
_STRIP = """
UPDATE events_profile p SET attributes = jsonb_strip_nulls(p.attributes)
FROM json_to_recordset(%(changes)s::json) AS i(unit_type text, unit_id text)
WHERE p.environment_id = %(environment)s AND p.unit_type = i.unit_type AND p.unit_id = i.unit_id
"""


class ProfileRefused(DomainError):
    """A single profile change that was not taken."""


@dataclass(frozen=True, slots=True)
class ProfileResult:
    """What became of one profile change of a batch."""

    index: int
    status: str
    unit_id: str | None = None
    refusal: Refusal | None = None


@transaction.atomic
def change_profiles(*, environment: Environment, items: Sequence[Item], now: datetime) -> list[ProfileResult]:
    """Merge a batch into the profiles and return the result of each item, in order; null removes.

    An item with one bad attribute changes nothing and becomes a dead letter.
    """
    types = read_registry(environment.project_id).profile
    readings = [read_profile(item, types) for item in items]
    changes = [reading for reading in readings if isinstance(reading, ProfileChange)]
    statuses = merge_profiles(environment=environment, changes=changes)
    DeadLetter.objects.bulk_create(
        DeadLetter(
            environment=environment,
            source=letter.source,
            code=letter.code,
            detail=letter.detail,
            payload=letter.payload,
            received_at=now,
        )
        for letter in (
            letter_for("profile", item, reading)
            for item, reading in zip(items, readings, strict=True)
            if isinstance(reading, Refusal)
        )
    )
    return [
        ProfileResult(index, REJECTED, refusal=reading)
        if isinstance(reading, Refusal)
        else ProfileResult(index, statuses[reading.unit_type, reading.unit_id], reading.unit_id)
        for index, reading in enumerate(readings)
    ]


def change_profile(*, environment: Environment, item: Item, now: datetime) -> str:
    """Merge one profile change and return its status; raises ProfileRefused (after keeping a dead letter)."""
    [result] = change_profiles(environment=environment, items=[item], now=now)
    if result.refusal:
        raise ProfileRefused(result.refusal.detail, code=result.refusal.code)
    return result.status


@transaction.atomic
def merge_profiles(
    *, environment: Environment, changes: Sequence[ProfileChange], first_seen_at: datetime | None = None
) -> dict[tuple[str, str], str]:
    """Merge checked changes; return created, updated or unchanged for each (unit_type, unit_id).

    Several changes of one unit are merged in order. first_seen_at: for imports, when these units were
    first met; it can only move a profile's first_seen_at back.
    """
    merged: dict[tuple[str, str], ProfileChange] = {}
    for change in changes:
        unit = (change.unit_type, change.unit_id)
        earlier = merged.get(unit)
        merged[unit] = change if earlier is None else _join(earlier, change)
    units = list(merged.values())
    statuses: dict[tuple[str, str], str] = {}
    for start in range(0, len(units), IMPORT_CHUNK):
        statuses |= _merge_chunk(environment.pk, units[start : start + IMPORT_CHUNK], first_seen_at)
    return statuses


def _join(earlier: ProfileChange, later: ProfileChange) -> ProfileChange:
    return replace(
        later,
        attributes={**earlier.attributes, **later.attributes},
        consent={**earlier.consent, **later.consent},
    )


def _merge_chunk(
    environment_id: int, changes: Sequence[ProfileChange], first_seen_at: datetime | None
) -> dict[tuple[str, str], str]:
    parameters: dict[str, str | int | datetime | None] = {
        "changes": orjson.dumps(changes).decode(),
        "environment": environment_id,
        "first_seen": first_seen_at,
    }
    with connection.cursor() as cursor:
        cursor.execute(_MERGE, parameters)
        statuses = {
            (unit_type, unit_id): CREATED if made else UPDATED if changed else UNCHANGED
            for unit_type, unit_id, made, changed in cursor.fetchall()
        }
        if any(None in change.attributes.values() for change in changes):
            cursor.execute(_STRIP, parameters)
    return statuses


def read_one(*, environment: Environment, unit_type: str, unit_id: str) -> dict[str, Any]:
    """Return what is known of a unit; raises NotFound."""
    profile = Profile.objects.filter(environment=environment, unit_type=unit_type, unit_id=unit_id).first()
    if profile is None:
        raise NotFound("No profile of this unit is known in this environment.", code="unknown_unit")
    return {
        "unit_type": profile.unit_type,
        "unit_id": profile.unit_id,
        "attributes": profile.attributes,
        "consent": profile.consent,
        "first_seen_at": profile.first_seen_at,
        "last_seen_at": profile.last_seen_at,
        "updated_at": profile.updated_at,
    }
