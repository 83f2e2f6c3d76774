"""Pure: one item of a batch becomes an event or a profile change, or a refusal with its reason.

Refusals name fields and what was expected, never the values: they end up on pages and in answers.
"""

import difflib
import math
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from core.strict_json import JsonValue
from events.bodies import Item, Unreadable
from events.values import BadValue, check_unit_id, check_unit_type, conform, parse_moment

RAW_EVENT_DAYS = 90
MAX_CLOCK_AHEAD = timedelta(hours=24)
MAX_NAME_CHARS = 100
MAX_PROPERTIES = 100
CONSENT_PURPOSES = ("analytics", "experiments", "messages")
EVENT_FIELDS = frozenset({"event_id", "unit_id", "unit_type", "name", "occurred_at", "value", "properties"})
PROFILE_FIELDS = frozenset({"unit_id", "unit_type", "attributes", "consent"})
_UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")

Types = Mapping[str, str]
"""Registered keys and their attribute type."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an item was not taken: a stable code and words for people."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event ready to be stored. event_id: a UUID in its canonical lower-case form."""

    event_id: str
    unit_type: str
    unit_id: str
    name: str
    occurred_at: datetime
    value: float | None
    properties: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class ReadEvent:
    """An event, the properties that were left out of it, and whether its id had to be made."""

    row: EventRow
    dropped: tuple[str, ...] = ()
    id_made: bool = False


@dataclass(frozen=True, slots=True)
class ProfileChange:
    """What to merge into a profile; an attribute of None is removed."""

    unit_type: str
    unit_id: str
    attributes: Mapping[str, JsonValue]
    consent: Mapping[str, bool]


class Refused(Exception):
    """Carries a Refusal out of the checks below."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.refusal = Refusal(code, detail)


def nearest(word: str, known: Mapping[str, object] | frozenset[str]) -> str:
    """Return ` Did you mean …?` with the closest known words, or ""."""
    close = difflib.get_close_matches(word, list(known), n=3)
    return f" Did you mean {' or '.join(close)}?" if close else ""


def read_event(
    item: Item, types: Types, *, now: datetime, oldest: datetime, default: datetime | None = None
) -> ReadEvent | Refusal:
    """Check one event. `types`: registered properties; unregistered ones are left out and named.

    occurred_at must not be more than a day after `now`, nor before `oldest`; without one it is `default`
    (`now` when that is not given either).
    """
    try:
        fields = _fields(item, EVENT_FIELDS)
        event_id = fields.get("event_id")
        id_made = event_id is None
        properties, dropped = _properties(fields.get("properties"), types)
        row = EventRow(
            event_id=str(uuid.uuid4()) if id_made else _event_id(event_id),
            unit_type=check_unit_type(fields.get("unit_type", "user")),
            unit_id=check_unit_id(fields.get("unit_id")),
            name=_name(fields.get("name")),
            occurred_at=(
                (default or now)
                if fields.get("occurred_at") is None
                else _occurred_at(fields["occurred_at"], now, oldest)
            ),
            value=_value(fields.get("value")),
            properties=properties,
        )
    except Refused as refused:
        return refused.refusal
    except BadValue as error:
        return Refusal("bad_unit", f"{error}.")
    return ReadEvent(row, dropped, id_made)


def read_profile(item: Item, types: Types) -> ProfileChange | Refusal:
    """Check one profile change against the registered attributes; one bad attribute refuses the item."""
    try:
        fields = _fields(item, PROFILE_FIELDS)
        return ProfileChange(
            unit_type=check_unit_type(fields.get("unit_type", "user")),
            unit_id=check_unit_id(fields.get("unit_id")),
            attributes=_attributes(fields.get("attributes"), types),
            consent=_consent(fields.get("consent")),
        )
    except Refused as refused:
        return refused.refusal
    except BadValue as error:
        return Refusal("bad_unit", f"{error}.")


def _fields(item: Item, known: frozenset[str]) -> dict[str, JsonValue]:
    if isinstance(item, Unreadable):
        raise Refused("malformed_json", item.reason)
    if not isinstance(item, dict):
        raise Refused("bad_item", "An item must be a JSON object.")
    if not known.issuperset(item):
        unknown = next(key for key in item if key not in known)
        raise Refused(
            "unknown_field",
            f"{unknown[:100]!r} is not a field of an item.{nearest(unknown, known)} "
            f"Known are: {', '.join(sorted(known))}.",
        )
    return item


def _event_id(value: JsonValue) -> str:
    if not isinstance(value, str) or not _UUID.fullmatch(value):
        raise Refused("bad_event_id", "event_id must be a UUID like 0f8fad5b-d9cb-469f-a165-70867728950e.")
    return value.lower()


def _name(value: JsonValue) -> str:
    if not isinstance(value, str) or not value.strip():
        raise Refused("bad_name", "name is missing: send what happened, such as order_completed.")
    if len(value) > MAX_NAME_CHARS or not value.isprintable():
        raise Refused("bad_name", f"name must be at most {MAX_NAME_CHARS} printable characters.")
    if value.startswith("$"):
        raise Refused(
            "reserved_name", "Names with $ in front are Strata's own; exposures go to /api/v1/exposures."
        )
    return value


def _occurred_at(value: JsonValue, now: datetime, oldest: datetime) -> datetime:
    if not isinstance(value, str):
        raise Refused("bad_occurred_at", "occurred_at must be text like 2026-11-24T09:30:00Z.")
    try:
        moment = parse_moment(value)
    except BadValue as error:
        raise Refused("bad_occurred_at", f"occurred_at: {error}.") from error
    if moment > now + MAX_CLOCK_AHEAD:
        raise Refused(
            "clock_skew", "occurred_at is more than 24 hours in the future. Check the sender's clock."
        )
    if moment < oldest:
        raise Refused(
            "too_old",
            f"occurred_at is more than {RAW_EVENT_DAYS} days ago. Use an import for events of the past.",
        )
    return moment


def _value(value: JsonValue) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Refused("bad_value", "value must be a finite number.")
    return float(value)


def _properties(value: JsonValue, types: Types) -> tuple[dict[str, JsonValue], tuple[str, ...]]:
    """Keep what is registered and fits its type; an event outlives a property that does not."""
    if value is None:
        return {}, ()
    if not isinstance(value, dict):
        raise Refused("bad_properties", "properties must be a JSON object.")
    if len(value) > MAX_PROPERTIES:
        raise Refused("bad_properties", f"An event has at most {MAX_PROPERTIES} properties.")
    kept: dict[str, JsonValue] = {}
    dropped: list[str] = []
    for key, content in value.items():
        if key not in types:
            dropped.append(key)
        elif content is not None:
            try:
                kept[key] = conform(content, types[key])
            except BadValue:
                dropped.append(key)
    return kept, tuple(dropped)


def _attributes(value: JsonValue, types: Types) -> dict[str, JsonValue]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Refused("bad_attributes", "attributes must be a JSON object.")
    if len(value) > MAX_PROPERTIES:
        raise Refused("bad_attributes", f"One item has at most {MAX_PROPERTIES} attributes.")
    kept: dict[str, JsonValue] = {}
    for key, content in value.items():
        if key not in types:
            raise Refused(
                "unknown_attribute",
                f"The attribute {key[:100]!r} is not registered in this project.{nearest(key, types)} "
                "Register it under Attributes, then send it again.",
            )
        try:
            kept[key] = None if content is None else conform(content, types[key])
        except BadValue as error:
            raise Refused("wrong_type", f"The attribute {key!r} is a {types[key]}: {error}.") from error
    return kept


def _consent(value: JsonValue) -> dict[str, bool]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Refused("bad_consent", "consent must be a JSON object.")
    given: dict[str, bool] = {}
    for purpose, answer in value.items():
        if purpose not in CONSENT_PURPOSES:
            known = ", ".join(CONSENT_PURPOSES)
            raise Refused("unknown_purpose", f"Consent is kept for: {known}; not for {purpose[:100]!r}.")
        if not isinstance(answer, bool):
            raise Refused("bad_consent", f"consent for {purpose} must be true or false.")
        given[purpose] = answer
    return given
