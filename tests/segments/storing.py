"""Putting memory profiles into PostgreSQL, so that both evaluators see the same facts."""

import json
import uuid
from collections.abc import Mapping

from django.db import connection
from django.utils import timezone

from accounts.models import Environment
from segments.rules import Profile

PROFILES = """
INSERT INTO events_profile
  (environment_id, unit_type, unit_id, attributes, consent, first_seen_at, last_seen_at, updated_at)
SELECT %s, %s, unit_id, attributes::jsonb, '{}', now(), now(), now()
FROM unnest(%s::text[], %s::text[]) AS t(unit_id, attributes)
"""
EVENTS = """
INSERT INTO events_event
  (event_id, environment_id, unit_type, unit_id, name, occurred_at, received_at, value, properties)
SELECT event_id, %s, %s, unit_id, name, occurred_at, %s, value, properties::jsonb
FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::timestamptz[], %s::float8[], %s::text[])
  AS t(event_id, unit_id, name, occurred_at, value, properties)
"""


def store(profiles: Mapping[str, Profile], environment: Environment, unit_type: str = "user") -> None:
    """Insert profiles, by unit id, with their events; no row for a unit of which only events are known."""
    known = {unit: profile for unit, profile in profiles.items() if profile.attributes or not profile.events}
    attributes = [json.dumps(dict(profile.attributes)) for profile in known.values()]
    events = [(unit, event) for unit, profile in profiles.items() for event in profile.events]
    with connection.cursor() as cursor:
        cursor.execute(PROFILES, [environment.pk, unit_type, list(known), attributes])
        cursor.execute(
            EVENTS,
            [
                environment.pk,
                unit_type,
                timezone.now(),
                [uuid.uuid4() for _ in events],
                [unit for unit, _ in events],
                [event.name for _, event in events],
                [event.at for _, event in events],
                [event.value for _, event in events],
                [json.dumps(dict(event.properties)) for _, event in events],
            ],
        )
