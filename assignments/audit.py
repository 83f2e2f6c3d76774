"""Assignments recomputed in SQL: every stored exposure against the draw and the allocation that explain it."""

from dataclasses import dataclass

from django.db import connection

from experiments.models import Experiment

# The draw of DESIGN.md §3 as one PostgreSQL expression: slot of (purpose, salt, unit id).
_SLOT = (
    r"('x000' || substr(encode(sha256(convert_to({purpose}, 'UTF8') || '\x00'::bytea"
    r" || convert_to({salt}, 'UTF8') || '\x00'::bytea || convert_to({unit_id}, 'UTF8')), 'hex'), 1, 13)"
    r")::bit(64)::bigint %% 10000"
)
_DRAW = _SLOT.replace(" %% 10000", "")


def draw_expression(purpose: str, salt: str, unit_id: str) -> str:
    """Return SQL for the 52-bit draw; the arguments are SQL expressions of our own, never input."""
    return _DRAW.format(purpose=purpose, salt=salt, unit_id=unit_id)


def slot_expression(purpose: str, salt: str, unit_id: str) -> str:
    """Return SQL for the slot (its `%` is doubled, for a statement with parameters)."""
    return _SLOT.format(purpose=purpose, salt=salt, unit_id=unit_id)


# A label never changes, so the present allocation explains every assignment of the past.
_AUDIT = f"""
WITH drawn AS (
  SELECT e.unit_id, e.variant_index, e.slot AS stored_slot, e.target_position,
         {slot_expression("'variant'", "x.salt", "e.unit_id")} AS slot,
         CASE WHEN l.id IS NOT NULL THEN {slot_expression("'layer'", "l.salt", "e.unit_id")} END AS layer_slot,
         x.layer_slots
  FROM assignments_exposure e
  JOIN experiments_experiment x ON x.id = e.experiment_id
  LEFT JOIN experiments_layer l ON l.id = x.layer_id
  WHERE e.experiment_id = %(experiment)s
), explained AS (
  SELECT drawn.*,
         (SELECT (part ->> 1)::int
          FROM experiments_target t, jsonb_array_elements(t.allocation) WITH ORDINALITY AS parts(part, n)
          WHERE t.experiment_id = %(experiment)s AND t.position = drawn.target_position
            AND (part ->> 0)::int > drawn.slot
          ORDER BY n LIMIT 1) AS label,
         layer_slot IS NULL OR EXISTS (
           SELECT FROM jsonb_array_elements(layer_slots) AS span
           WHERE layer_slot >= (span ->> 0)::int AND layer_slot < (span ->> 1)::int) AS in_layer
  FROM drawn
), judged AS (
  SELECT *, CASE WHEN stored_slot IS DISTINCT FROM slot THEN 'wrong_slot'
                 WHEN NOT in_layer THEN 'outside_layer'
                 WHEN label IS NULL THEN 'unknown_target'
                 WHEN label = -1 THEN 'slot_closed'
                 WHEN label <> variant_index THEN 'other_variant' END AS fault
  FROM explained
)
SELECT unit_id, fault, variant_index, label, stored_slot, slot, count(*) OVER () AS faults
FROM judged WHERE fault IS NOT NULL
ORDER BY unit_id LIMIT %(limit)s
"""  # noqa: S608 - composed of constants of this module


@dataclass(frozen=True, slots=True)
class Difference:
    """A stored assignment that the configuration does not explain."""

    unit_id: str
    fault: str
    stored_variant: int
    drawn_variant: int | None
    stored_slot: int | None
    drawn_slot: int


@dataclass(frozen=True, slots=True)
class Audit:
    """The outcome: exposures checked, how many differ, the first of them, and units seen with two variants."""

    checked: int
    different: int
    differences: tuple[Difference, ...]
    crossovers: int


def audit_assignments(experiment: Experiment, *, limit: int = 20) -> Audit:
    """Recompute every stored assignment of an experiment in the database."""
    with connection.cursor() as cursor:
        cursor.execute(_AUDIT, {"experiment": experiment.pk, "limit": limit})
        rows = cursor.fetchall()
    return Audit(
        checked=experiment.exposures.count(),
        different=rows[0][6] if rows else 0,
        differences=tuple(Difference(*row[:6]) for row in rows),
        crossovers=experiment.crossovers.values("unit_id").distinct().count(),
    )
