"""Weekly partitions and retention."""

from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import Environment
from events import tasks
from events.models import DeadLetter, Event
from events.partitions import WEEKS_AHEAD, create_partitions, drop_expired_partitions, list_partitions
from tests.events.api_client import App, event

pytestmark = pytest.mark.django_db


def count_keys() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM events_event_key")
        return int(cursor.fetchone()[0])


def age(event_id: str, received_at: datetime) -> None:
    """Let an event be one that was received then."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT strata_create_event_partitions(%s, 1)", [received_at])
        for table in ("events_event", "events_event_key"):
            cursor.execute(
                f"UPDATE {table} SET received_at = %s WHERE event_id = %s", [received_at, event_id]
            )


def drop_all() -> None:
    with connection.cursor() as cursor:
        for name, _ in list_partitions():
            cursor.execute(f'DROP TABLE "{name}"')


def test_partitions_are_made_ahead_and_a_second_time_nothing_is_missing() -> None:
    drop_all()
    assert tasks.create_partitions() == WEEKS_AHEAD
    assert tasks.create_partitions() == 0
    ends = [until for _, until in list_partitions()]
    assert len(ends) == WEEKS_AHEAD
    assert ends[0] > timezone.now() > ends[0] - timedelta(days=7)
    assert {end.weekday() for end in ends} == {0}


def test_more_weeks_only_add_to_what_is_there() -> None:
    create_partitions()
    assert create_partitions(weeks=WEEKS_AHEAD + 2) == 2


def test_retention_drops_whole_weeks_that_are_over_with_their_ids_and_letters(app: App) -> None:
    drop_all()  # other tests may have committed older weeks
    create_partitions()
    old, edge, new = event(), event(), event()
    app.post_events(old, edge, new, {"name": "refused"})
    now = timezone.now()
    age(old["event_id"], now - timedelta(days=98))
    age(edge["event_id"], now - timedelta(days=89))
    DeadLetter.objects.update(received_at=now - timedelta(days=91))
    dropped = drop_expired_partitions(now=now, keep_days=90)
    assert len(dropped.partitions) == 1
    assert (dropped.keys, dropped.dead_letters) == (1, 1)
    assert {str(each.event_id) for each in Event.objects.all()} == {edge["event_id"], new["event_id"]}
    assert count_keys() == 2
    assert tasks.drop_expired_partitions() == []


def test_an_id_may_come_again_after_its_event_is_gone_and_not_before(
    app: App, environment: Environment
) -> None:
    sent = event()
    app.post_events(sent)
    age(sent["event_id"], timezone.now() - timedelta(days=85))
    tasks.drop_expired_partitions()
    assert app.post_events(sent)[0]["status"] == "duplicate"
    age(sent["event_id"], timezone.now() - timedelta(days=98))
    tasks.drop_expired_partitions()
    assert app.post_events(sent)[0]["status"] == "accepted"
