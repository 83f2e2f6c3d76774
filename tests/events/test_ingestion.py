"""What other apps store as events: exposures, imports."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from django.db import IntegrityError, transaction

from accounts.models import Environment
from events.ingestion import Imported, copy_events, store_events
from events.items import EventRow
from events.models import Event, Profile
from tests.factories import ProfileFactory

pytestmark = pytest.mark.django_db

LONG_AGO = datetime(1976, 5, 1, tzinfo=UTC)


def row(number: int, **changes: object) -> EventRow:
    fields = {
        "event_id": str(uuid.uuid5(uuid.NAMESPACE_OID, str(number))),
        "unit_type": "user",
        "unit_id": f"u{number}",
        "name": "$exposure",
        "occurred_at": LONG_AGO,
        "value": None,
        "properties": {"note": 'tab\t "quote" \\N ü'},
    }
    return EventRow(**{**fields, **changes})  # type: ignore[arg-type]


def test_store_events_returns_the_ids_that_were_new(environment: Environment) -> None:
    assert store_events(environment=environment, rows=[row(1), row(1), row(2)]) == {
        row(1).event_id,
        row(2).event_id,
    }
    assert store_events(environment=environment, rows=[row(2), row(3)]) == {row(3).event_id}
    assert store_events(environment=environment, rows=[]) == set()
    assert Event.objects.count() == 3


def test_store_events_leaves_consent_to_its_caller(environment: Environment) -> None:
    ProfileFactory(environment=environment, unit_id="u1", consent={"analytics": False})
    assert store_events(environment=environment, rows=[row(1)]) == {row(1).event_id}


def test_store_events_goes_with_its_callers_transaction(environment: Environment) -> None:
    with transaction.atomic():
        store_events(environment=environment, rows=[row(1)])
        transaction.set_rollback(True)
    assert not Event.objects.exists()
    assert store_events(environment=environment, rows=[row(1)]) == {row(1).event_id}


def test_an_import_of_old_events_stores_each_once_and_a_second_import_nothing(
    environment: Environment,
) -> None:
    rows = [row(n, value=n / 7) for n in range(3_000)]
    assert copy_events(environment=environment, rows=iter([*rows, rows[0]])) == Imported(3_000, 1)
    assert copy_events(environment=environment, rows=rows) == Imported(0, 3_000)
    stored = Event.objects.get(unit_id="u2999")
    assert (stored.occurred_at, stored.value) == (LONG_AGO, 2_999 / 7)
    assert stored.properties == row(1).properties


def test_an_import_that_fails_half_way_leaves_nothing(environment: Environment) -> None:
    def broken() -> Iterator[EventRow]:
        yield row(1)
        raise ValueError("line 2 is not an event")

    with pytest.raises(ValueError, match="line 2"):
        copy_events(environment=environment, rows=broken())
    assert not Event.objects.exists()
    with pytest.raises(IntegrityError):
        copy_events(environment=environment, rows=[row(1), row(2, unit_id=None)])
    assert copy_events(environment=environment, rows=[row(1)]) == Imported(1, 0)


def test_a_unit_met_for_the_first_time_gets_an_empty_profile_and_a_known_one_keeps_its_own(
    environment: Environment,
) -> None:
    ProfileFactory(environment=environment, unit_id="u1", attributes={"plan": "paid"})
    store_events(environment=environment, rows=[row(1), row(2), row(3, unit_id="u2")])
    found = Profile.objects.filter(environment=environment).values_list("unit_id", "attributes")
    assert dict(found) == {"u1": {"plan": "paid"}, "u2": {}}
