"""Taking in events: what apps send, what Strata itself records, and what an import brings."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson
from django.db import transaction

from accounts.models import Environment
from events.bodies import Item, Unreadable
from events.items import RAW_EVENT_DAYS, EventRow, ReadEvent, Refusal, read_event
from events.registry import read_registry
from events.storage import NO_CONSENT, NO_CONSENT_DETAIL, Letter, Outcome, copy_batch, insert_batch

ACCEPTED, DUPLICATE, REJECTED = "accepted", "duplicate", "rejected"


@dataclass(frozen=True, slots=True)
class ItemResult:
    """What became of one item of a batch."""

    index: int
    status: str
    event_id: str | None = None
    id_made: bool = False
    refusal: Refusal | None = None
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of the events of an import."""

    stored: int
    duplicates: int


def ingest_events(*, environment: Environment, items: Sequence[Item], now: datetime) -> list[ItemResult]:
    """Store a batch in one statement and return the result of each item, in order.

    When this returns outside a transaction, the accepted events are committed.
    """
    types = read_registry(environment.project_id).event
    oldest = now - timedelta(days=RAW_EVENT_DAYS)
    readings = [read_event(item, types, now=now, oldest=oldest) for item in items]
    rows: dict[str, EventRow] = {}
    letters: list[Letter] = []
    for item, reading in zip(items, readings, strict=True):
        if isinstance(reading, Refusal):
            letters.append(letter_for("event", item, reading))
        else:
            rows.setdefault(reading.row.event_id, reading.row)
    outcome = insert_batch(
        environment_id=environment.pk,
        rows=list(rows.values()),
        letters=letters,
        check_consent=True,
        consent_required=environment.project.consent_required,
    )
    return _results(readings, outcome)


def _results(readings: Sequence[ReadEvent | Refusal], outcome: Outcome) -> list[ItemResult]:
    results: list[ItemResult] = []
    seen: set[str] = set()
    for index, reading in enumerate(readings):
        if isinstance(reading, Refusal):
            results.append(ItemResult(index, REJECTED, refusal=reading))
            continue
        event_id = reading.row.event_id
        if event_id in outcome.unconsented:
            refusal = Refusal(NO_CONSENT, NO_CONSENT_DETAIL)
            results.append(ItemResult(index, REJECTED, event_id, refusal=refusal))
        elif event_id in seen or event_id in outcome.duplicates:
            results.append(ItemResult(index, DUPLICATE, event_id))
        else:
            seen.add(event_id)
            results.append(ItemResult(index, ACCEPTED, event_id, reading.id_made, dropped=reading.dropped))
    return results


def letter_for(source: str, item: Item, refusal: Refusal) -> Letter:
    """Return the dead letter of a refused item: as it was sent when unreadable, else the same JSON."""
    payload = item.raw if isinstance(item, Unreadable) else orjson.dumps(item)
    return Letter(source=source, code=refusal.code, detail=refusal.detail, payload=payload)


def store_events(*, environment: Environment, rows: Iterable[EventRow]) -> set[str]:
    """Store events that are checked and consented already; return the ids that were new.

    One statement, inside the caller's transaction if there is one. Of two rows with one id the first counts.
    """
    unique: dict[str, EventRow] = {}
    for row in rows:
        unique.setdefault(row.event_id, row)
    if not unique:
        return set()
    outcome = insert_batch(environment_id=environment.pk, rows=list(unique.values()), check_consent=False)
    return set(unique) - outcome.duplicates


@transaction.atomic
def copy_events(*, environment: Environment, rows: Iterable[EventRow]) -> Imported:
    """Import any number of events of any age, all or none; an id that is known already is left alone.

    Give each row an id that follows from its content (uuid5), so that a second import stores nothing.
    """
    stored, count = copy_batch(environment_id=environment.pk, rows=rows)
    return Imported(stored=stored, duplicates=count - stored)
