"""What is stored of one unit, in one indexed read."""

import orjson
from django.db import connection

from assignments.evaluation import Facts, FirstExposure

_FACTS = """
SELECT profile.attributes, profile.consent,
       ARRAY(SELECT version_id FROM segments_segmentmember
             WHERE environment_id = asked.environment_id AND unit_id = asked.unit_id AND left_at IS NULL),
       ARRAY(SELECT ARRAY[experiment_id, variant_index, target_position, phase_number]
             FROM assignments_exposure
             WHERE environment_id = asked.environment_id AND unit_id = asked.unit_id)
FROM (SELECT %s::bigint AS environment_id, %s::varchar AS unit_type, %s::varchar AS unit_id) AS asked
LEFT JOIN events_profile AS profile USING (environment_id, unit_type, unit_id)
"""


def read_facts(*, environment_id: int, unit_type: str, unit_id: str) -> Facts:
    """Return what is stored of a unit; a unit never heard of has empty facts."""
    with connection.cursor() as cursor:
        cursor.execute(_FACTS, [environment_id, unit_type, unit_id])
        attributes, consent, memberships, exposures = cursor.fetchone()
    return Facts(
        attributes=orjson.loads(attributes) if attributes else {},
        consent=orjson.loads(consent) if consent else {},
        memberships=frozenset(memberships),
        exposures={row[0]: FirstExposure(*row[1:]) for row in exposures},
    )
