"""Store imported exposures and outcomes with COPY, and note which segments held at exposure."""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any

from django.db import connection, transaction

from assignments.import_mapping import Outcome
from assignments.import_rows import UnitRow, UnitRows
from assignments.import_setup import UNIT_TYPE
from core.errors import Conflict
from events.items import EventRow
from experiments.models import Experiment
from segments.compiler import Scope, compile_members
from segments.models import SegmentVersion
from segments.queries.definitions import open_rule_book
from segments.rules import parse

OUTCOME_DELAY = timedelta(seconds=1)
_STAGE = """
CREATE TEMPORARY TABLE exposure_import
  (unit_id varchar(256), variant_index smallint, occurred_at timestamptz, event_id uuid) ON COMMIT DROP
"""
_COPY = "COPY exposure_import (unit_id, variant_index, occurred_at, event_id) FROM STDIN"
_EXPOSE = """
INSERT INTO assignments_exposure (environment_id, experiment_id, unit_id, variant_index, target_position,
  phase_number, hash_version, reason_code, segments, sdk, event_id, occurred_at, received_at)
SELECT %(environment)s, %(experiment)s, unit_id, variant_index, 0, 1, 0, 'imported', '{}', 'import', event_id,
       occurred_at, now()
FROM exposure_import
ON CONFLICT ON CONSTRAINT exposure_once_per_unit DO NOTHING
"""


def store_exposures(experiment: Experiment, rows: UnitRows) -> int:
    """Store the first exposure of each unit; return how many were new."""
    index = {variant.key: variant.index for variant in experiment.variants.all()}
    with connection.cursor() as cursor:
        cursor.execute(_STAGE)
        with cursor.copy(_COPY) as copy:
            for row in rows.rows:
                event_id = _event_id(experiment, row.unit_id, "exposure", 0)
                copy.write_row((row.unit_id, index[row.variant], row.exposed_at, event_id))
        cursor.execute(_EXPOSE, {"environment": experiment.environment_id, "experiment": experiment.pk})
        stored = cursor.rowcount
        cursor.execute("DROP TABLE exposure_import")
    return stored


def outcome_events(
    experiment: Experiment, outcomes: Sequence[Outcome], rows: Iterable[UnitRow]
) -> Iterator[EventRow]:
    """Yield the events behind every outcome, with ids that stay the same when the file comes again."""
    for row in rows:
        for outcome, number in zip(outcomes, row.outcomes, strict=True):
            for repeat in range(_repeats(outcome, number)):
                yield EventRow(
                    event_id=str(_event_id(experiment, row.unit_id, outcome.column, repeat)),
                    unit_type=UNIT_TYPE,
                    unit_id=row.unit_id,
                    name=outcome.event,
                    occurred_at=row.exposed_at + OUTCOME_DELAY,
                    value=number if outcome.kind == "value" else None,
                    properties={},
                )


def _repeats(outcome: Outcome, number: float) -> int:
    return int(number) if outcome.kind == "count" else int(number != 0)


def _event_id(experiment: Experiment, unit_id: str, column: str, repeat: int) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_OID, f"{experiment.public_id}\x00{column}\x00{unit_id}\x00{repeat}")


@transaction.atomic
def freeze_segments(experiment: Experiment) -> None:
    """Note on every exposure of an imported experiment which of its segments hold, by the imported attributes.

    Raises Conflict for a segment that needs events: its facts may be from after the exposure.
    """
    versions = list(
        SegmentVersion.objects.filter(breakdowns__experiment=experiment).select_related("segment")
    )
    with connection.cursor() as cursor:
        for version in versions:
            if version.needs_stored_facts:
                raise Conflict(
                    f"{version.segment.name} depends on events, which may have happened after the exposure. "
                    "Report an imported experiment by segments of attributes only.",
                    pointer="/segments",
                )
            sql, params = _freeze_statement(experiment, version)
            cursor.execute(sql, params)


def _freeze_statement(experiment: Experiment, version: SegmentVersion) -> tuple[str, dict[str, Any]]:
    rule = parse(version.rule)
    book = open_rule_book(experiment.project, rule)
    scope = Scope(experiment.environment_id, experiment.unit_type)
    query = compile_members(rule, scope, experiment.started_at or experiment.created_at, book.rule_of)
    # query.ctes is the compiler's own text; every value of a rule travels as a parameter.
    sql = f"""
    WITH {query.ctes}
    UPDATE assignments_exposure e SET segments = array_append(e.segments, %(version)s)
    FROM members m
    WHERE e.experiment_id = %(experiment)s AND e.unit_id = m.unit_id
      AND NOT e.segments @> ARRAY[%(version)s::bigint]
    """  # noqa: S608
    return sql, {**query.params, "version": version.pk, "experiment": experiment.pk}
