"""Stored facts: one unit's profile for the memory evaluator, and the event names an environment has seen."""

from collections.abc import Iterable

from django.db import connection

from accounts.models import Environment
from events.models import Event as StoredEvent
from events.models import Profile as StoredProfile
from segments.rules import Event, Profile, Rule, references

MAX_EVENT_NAMES = 200

# One index probe a name instead of a scan of all events (PostgreSQL has no skip scan before 18).
_NAMES = """
WITH RECURSIVE names(name) AS (
  SELECT (SELECT name FROM events_event WHERE environment_id = %(environment)s ORDER BY name LIMIT 1)
  UNION ALL
  SELECT (SELECT e.name FROM events_event e WHERE e.environment_id = %(environment)s AND e.name > names.name
          ORDER BY e.name LIMIT 1)
  FROM names WHERE names.name IS NOT NULL
)
SELECT name FROM names WHERE name IS NOT NULL LIMIT %(limit)s
"""


def event_names(environment: Environment) -> list[str]:
    """Return the names of events that have arrived, at most the first 200."""
    with connection.cursor() as cursor:
        cursor.execute(_NAMES, {"environment": environment.pk, "limit": MAX_EVENT_NAMES})
        return [row[0] for row in cursor.fetchall()]


def unseen_events(environment: Environment, rule: Rule) -> list[str]:
    """Return the event names of a rule of which no event has arrived in the environment."""
    names = references(rule).events
    if not names:
        return []
    sql = (
        "SELECT wanted FROM unnest(%s::text[]) AS wanted WHERE NOT EXISTS "
        "(SELECT 1 FROM events_event e WHERE e.environment_id = %s AND e.name = wanted) ORDER BY wanted"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [sorted(names), environment.pk])
        return [row[0] for row in cursor.fetchall()]


def stored_profile(
    environment: Environment, unit_type: str, unit_id: str, names: Iterable[str]
) -> Profile | None:
    """Return what is stored of one unit, with its events of the given names; None when it is not known."""
    stored = StoredProfile.objects.filter(
        environment=environment, unit_type=unit_type, unit_id=unit_id
    ).first()
    if stored is None:
        return None
    rows = StoredEvent.objects.filter(
        environment=environment, unit_type=unit_type, unit_id=unit_id, name__in=list(names)
    ).values_list("name", "occurred_at", "value", "properties")
    return Profile(attributes=stored.attributes, events=tuple(Event(*row) for row in rows))
