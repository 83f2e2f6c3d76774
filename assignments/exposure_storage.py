"""SQL of exposures: the first one of a unit is kept by a constraint, other variants seen are crossovers."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import orjson
from django.db import connection

from assignments.exposure_items import ExposureRow
from assignments.exposure_segments import KnownSegments

_ITEMS = """
json_to_recordset(%(items)s::json) AS i(
  n int, experiment_id bigint, unit_type text, unit_id text, variant_index int, target_position int,
  phase_number int, slot int, hash_version int, snapshot_version bigint, reason_code text, sdk text,
  event_id uuid, occurred_at timestamptz, decided bigint[], held bigint[])
"""
# A segment is true at exposure when the profile says so, when it is the segment of the target that took the
# unit, or else when the unit was a member at that time.
# Rows are inserted in order: two requests with the same units then wait for each other and never deadlock.
_STORE = f"""
WITH item AS MATERIALIZED (
  SELECT i.*, CASE WHEN %(consent_required)s THEN COALESCE(p.consent ->> 'experiments' = 'true', false)
                   ELSE p.consent ->> 'experiments' IS DISTINCT FROM 'false' END AS allowed
  FROM {_ITEMS}
  LEFT JOIN events_profile p
    ON p.environment_id = %(environment)s AND p.unit_type = i.unit_type AND p.unit_id = i.unit_id
), first AS (
  SELECT DISTINCT ON (experiment_id, unit_id) * FROM item WHERE allowed
  ORDER BY experiment_id, unit_id, occurred_at, n
), stored AS (
  INSERT INTO assignments_exposure (
    environment_id, experiment_id, unit_id, variant_index, target_position, phase_number, slot, hash_version,
    snapshot_version, reason_code, segments, sdk, event_id, occurred_at, received_at)
  SELECT %(environment)s, experiment_id, unit_id, variant_index, target_position, phase_number, slot,
         hash_version, snapshot_version, reason_code,
         ARRAY(SELECT m.version_id FROM segments_segmentmember m
               WHERE m.environment_id = %(environment)s AND m.unit_id = first.unit_id
                 AND m.entered_at <= first.occurred_at
                 AND (m.left_at IS NULL OR m.left_at > first.occurred_at)
                 AND m.version_id <> ALL (first.decided)
                 AND m.version_id IN (
                   SELECT b.segment_version_id FROM experiments_breakdown b
                   WHERE b.experiment_id = first.experiment_id
                   UNION ALL
                   SELECT t.segment_version_id FROM experiments_target t
                   WHERE t.experiment_id = first.experiment_id)
               UNION
               SELECT unnest(first.held)
               UNION
               SELECT t.segment_version_id FROM experiments_target t
               WHERE t.experiment_id = first.experiment_id AND t.position = first.target_position
                 AND t.segment_version_id IS NOT NULL
               ORDER BY 1),
         sdk, event_id, occurred_at, now()
  FROM first
  ORDER BY experiment_id, unit_id
  ON CONFLICT (experiment_id, unit_id) DO NOTHING
  RETURNING experiment_id, unit_id
)
SELECT item.n, item.allowed, (first.n = item.n AND stored.unit_id IS NOT NULL) IS TRUE
FROM item LEFT JOIN stored USING (experiment_id, unit_id) LEFT JOIN first USING (experiment_id, unit_id)
"""  # noqa: S608 - composed of constants of this module
# A second statement, because it must also see a first exposure that another request committed meanwhile.
_CROSSOVERS = f"""
INSERT INTO assignments_crossover (experiment_id, unit_id, variant_index, first_seen_at)
SELECT experiment_id, unit_id, i.variant_index, min(i.occurred_at)
FROM {_ITEMS} JOIN assignments_exposure e USING (experiment_id, unit_id)
WHERE e.variant_index <> i.variant_index
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3
ON CONFLICT (experiment_id, unit_id, variant_index) DO NOTHING
"""  # noqa: S608 - composed of constants of this module


@dataclass(frozen=True, slots=True)
class Stored:
    """Positions of a batch: those that became a unit's first exposure, and those without consent."""

    first: frozenset[int]
    unconsented: frozenset[int]


def insert_exposures(
    *,
    environment_id: int,
    rows: Sequence[tuple[int, ExposureRow]],
    known: Mapping[int, KnownSegments],
    consent_required: bool,
) -> Stored:
    """Store numbered exposures with the segments true then; to be called in a transaction."""
    with connection.cursor() as cursor:
        parameters: dict[str, Any] = {
            "environment": environment_id,
            "items": _encode(rows, known),
            "consent_required": consent_required,
        }
        cursor.execute(_STORE, parameters)
        outcome = cursor.fetchall()
        first = frozenset(n for n, _, is_first in outcome if is_first)
        unconsented = frozenset(n for n, allowed, _ in outcome if not allowed)
        repeated = [(n, row) for n, row in rows if n not in first and n not in unconsented]
        if repeated:
            cursor.execute(_CROSSOVERS, {"items": _encode(repeated, known)})
    return Stored(first, unconsented)


def _encode(rows: Sequence[tuple[int, ExposureRow]], known: Mapping[int, KnownSegments]) -> str:
    """One JSON document: PostgreSQL reads it faster than many arrays."""
    nothing = KnownSegments()
    documents = [{"n": n, **asdict(row), **asdict(known.get(n, nothing))} for n, row in rows]
    return orjson.dumps(documents).decode()
