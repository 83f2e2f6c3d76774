"""Pure: what a registered attribute may hold, and the form in which it is kept."""

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime

from core.strict_json import JsonValue

MAX_TEXT_CHARS = 1_000
MAX_LIST_ITEMS = 100
MAX_UNIT_ID_BYTES = 256
OLDEST_YEAR = 1000  # from here on every date is four digits long, for Python and PostgreSQL alike

_RFC3339 = re.compile(
    r"\d{4}-\d{2}-\d{2}(?:[Tt ]\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:[Zz]|[+-]\d{2}:\d{2}))?", re.ASCII
)
_DATE_CHARS = len("2026-01-31")


class BadValue(ValueError):
    """A value that its attribute cannot hold; the message is for people and never repeats the value."""


def parse_moment(text: str) -> datetime:
    """Return the point in time that an RFC 3339 text names; a date alone means its midnight in UTC.

    Raises BadValue for anything else: no zone, a day that does not exist, a year before 1000.
    """
    if not _RFC3339.fullmatch(text):
        raise BadValue("expected a time like 2026-11-24T09:30:00Z (with a zone) or a date")
    try:
        moment = datetime.fromisoformat(text.upper())
        moment = moment.replace(tzinfo=UTC) if len(text) == _DATE_CHARS else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadValue("this date does not exist") from error
    if moment.year < OLDEST_YEAR:
        raise BadValue(f"the year is before {OLDEST_YEAR}")
    return moment


def _string(value: JsonValue) -> JsonValue:
    if not isinstance(value, str):
        raise BadValue("expected text")
    if len(value) > MAX_TEXT_CHARS:
        raise BadValue(f"the text is longer than {MAX_TEXT_CHARS:,} characters")
    return value


def _number(value: JsonValue) -> JsonValue:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadValue("expected a number")
    if not math.isfinite(value):
        raise BadValue("expected a finite number")
    return value


def _boolean(value: JsonValue) -> JsonValue:
    if not isinstance(value, bool):
        raise BadValue("expected true or false")
    return value


def _datetime(value: JsonValue) -> JsonValue:
    if not isinstance(value, str):
        raise BadValue("expected a time as text")
    return parse_moment(value).isoformat().replace("+00:00", "Z")


def _list(value: JsonValue) -> JsonValue:
    if not isinstance(value, list):
        raise BadValue("expected a list")
    if len(value) > MAX_LIST_ITEMS:
        raise BadValue(f"the list is longer than {MAX_LIST_ITEMS} items")
    if not all(isinstance(item, str | int | float) for item in value):
        raise BadValue("a list may hold texts, numbers and booleans only")
    return [_string(item) if isinstance(item, str) else item for item in value]


CONFORMERS: dict[str, Callable[[JsonValue], JsonValue]] = {
    "string": _string,
    "number": _number,
    "boolean": _boolean,
    "datetime": _datetime,
    "list": _list,
}


def conform(value: JsonValue, attribute_type: str) -> JsonValue:
    """Return a value as an attribute of this type keeps it (times in UTC); raises BadValue."""
    return CONFORMERS[attribute_type](value)


def check_unit_id(unit_id: object) -> str:
    """Return an id that can be kept: text, not empty, at most 256 bytes, no NUL; raises BadValue."""
    if not isinstance(unit_id, str) or not unit_id:
        raise BadValue("unit_id is missing: send a text of 1 to 256 bytes")
    if len(unit_id) > MAX_UNIT_ID_BYTES or (
        not unit_id.isascii() and len(unit_id.encode("utf-8", "replace")) > MAX_UNIT_ID_BYTES
    ):
        raise BadValue(f"unit_id is longer than {MAX_UNIT_ID_BYTES} bytes")
    if "\x00" in unit_id:
        raise BadValue("unit_id holds the NUL character")
    return unit_id


_UNIT_TYPE = re.compile(r"[a-z][a-z0-9_]{0,29}")


def check_unit_type(unit_type: object) -> str:
    """Return a unit type that can be kept: `user`, `device`, `account`, …; raises BadValue."""
    if not isinstance(unit_type, str) or not _UNIT_TYPE.fullmatch(unit_type):
        raise BadValue("unit_type must be a lower-case word such as user, device or account (30 characters)")
    return unit_type
