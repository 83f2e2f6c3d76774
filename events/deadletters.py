"""Dead letters: refused items, kept until they are replayed or their retention ends."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from accounts.models import Environment
from core import strict_json
from core.strict_json import MalformedJson
from events.bodies import Item, Unreadable
from events.items import RAW_EVENT_DAYS, EventRow, ProfileChange, Refusal, read_event, read_profile
from events.models import DeadLetter
from events.profiles import merge_profiles
from events.registry import read_registry
from events.storage import NO_CONSENT, NO_CONSENT_DETAIL, insert_batch

BATCH = 500


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many letters were taken in now, and how many are refused still."""

    taken: int
    refused: int


Replayer = Callable[[Environment, Sequence[DeadLetter], datetime], dict[int, Refusal]]
"""Takes letters in again; returns the refusals by letter id. Higher apps add the sources they own."""


def replay_dead_letters(*, environment: Environment, now: datetime) -> Replayed:
    """Take in every waiting letter whose fault has gone; the others keep waiting with today's reason.

    A batch and its letters change in one transaction: two replays at once take each letter in once.
    """
    taken = refused = last_id = 0
    while True:
        with transaction.atomic():
            letters = list(
                DeadLetter.objects.select_for_update(skip_locked=True)
                .filter(environment=environment, replayed_at=None, pk__gt=last_id, source__in=REPLAYERS)
                .exclude(code=NO_CONSENT)
                .order_by("pk")[:BATCH]
            )
            if not letters:
                return Replayed(taken, refused)
            last_id = letters[-1].pk
            still = _replay(environment, letters, now)
        refused += len(still)
        taken += len(letters) - len(still)


def _replay(environment: Environment, letters: Sequence[DeadLetter], now: datetime) -> dict[int, Refusal]:
    refusals: dict[int, Refusal] = {}
    for source in {letter.source for letter in letters}:
        refusals |= REPLAYERS[source](environment, [each for each in letters if each.source == source], now)
    for letter in letters:
        refusal = refusals.get(letter.pk)
        if refusal is None:
            letter.replayed_at = now
        else:
            letter.code, letter.detail = refusal.code, refusal.detail
            if refusal.code == NO_CONSENT:
                letter.payload = b""
    DeadLetter.objects.bulk_update(letters, ["code", "detail", "payload", "replayed_at"])
    return refusals


def _item_of(letter: DeadLetter) -> Item:
    raw = bytes(letter.payload)
    try:
        return strict_json.loads(raw)
    except MalformedJson as error:
        return Unreadable(raw, error.message.replace("The body", "The item"))


def _replay_events(
    environment: Environment, letters: Sequence[DeadLetter], now: datetime
) -> dict[int, Refusal]:
    types = read_registry(environment.project_id).event
    refusals: dict[int, Refusal] = {}
    rows: dict[str, EventRow] = {}
    letter_of: dict[str, list[int]] = {}
    for letter in letters:
        # An event without a time happened when it came in first; only the future is judged by today.
        arrived = letter.received_at
        reading = read_event(
            _item_of(letter), types, now=now, oldest=arrived - timedelta(days=RAW_EVENT_DAYS), default=arrived
        )
        if isinstance(reading, Refusal):
            refusals[letter.pk] = reading
        else:
            rows.setdefault(reading.row.event_id, reading.row)
            letter_of.setdefault(reading.row.event_id, []).append(letter.pk)
    outcome = insert_batch(
        environment_id=environment.pk,
        rows=list(rows.values()),
        check_consent=True,
        consent_required=environment.project.consent_required,
        letter_unconsented=False,
    )
    for event_id in outcome.unconsented:
        refusals |= dict.fromkeys(letter_of[event_id], Refusal(NO_CONSENT, NO_CONSENT_DETAIL))
    return refusals


def _replay_profiles(
    environment: Environment, letters: Sequence[DeadLetter], now: datetime
) -> dict[int, Refusal]:
    types = read_registry(environment.project_id).profile
    readings = {letter.pk: read_profile(_item_of(letter), types) for letter in letters}
    changes = [reading for reading in readings.values() if isinstance(reading, ProfileChange)]
    merge_profiles(environment=environment, changes=changes)
    return {pk: reading for pk, reading in readings.items() if isinstance(reading, Refusal)}


REPLAYERS: dict[str, Replayer] = {"event": _replay_events, "profile": _replay_profiles}
