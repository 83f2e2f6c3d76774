"""The meaning of values, shared by both evaluators: types, exact numbers, points in time."""

import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Context, Decimal

from segments.rules.operators import ValueType

# Every text that fits is a real date for Python and for PostgreSQL alike, so neither evaluator can fail on
# a cast: RFC 3339 with an offset, or a date alone (midnight UTC). Years 1000 to 9999, leap days checked.
DATETIME_PATTERN = (
    r"^(?:[1-9][0-9]{3}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    r"|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    r"|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    r"|(?:[1-9][0-9](?:0[48]|[2468][048]|[13579][26])|(?:[2468][048]|[13579][26])00)-02-29)"
    r"(?:T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?(?:Z|[+-](?:0[0-9]|1[0-4]):[0-5][0-9]))?$"
)
DATE_LENGTH = len("2026-01-31")
_DATETIME = re.compile(DATETIME_PATTERN)
# Below it, a double and the shortest decimal that names it are the same for Python and PostgreSQL; above, two
# shortest decimals can name one double (1e23 is 9.999999999999999e+22 to PostgreSQL).
EXACT_FLOATS = 2**53
_SUM = Context(prec=1_000)


def value_type(value: object) -> ValueType | None:
    """Return the type of a JSON value; null and objects have none, a date in text counts as a string."""
    if isinstance(value, bool):
        return ValueType.BOOLEAN
    if isinstance(value, int):
        return ValueType.NUMBER
    if isinstance(value, float):
        return ValueType.NUMBER if math.isfinite(value) else None
    if isinstance(value, str):
        return ValueType.STRING
    if isinstance(value, list | tuple):
        return ValueType.LIST
    return None


def exact_number(value: object) -> int | float | None:
    """Return a number that compares as the decimal written in JSON, or None when it is not a number.

    Python compares int with float exactly, and the decimals that floats print as keep their order; only
    from 2**53 on can the written decimal and the float differ, and there every float is a whole number.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, int):
        return value
    if not math.isfinite(value):
        return None
    return value if abs(value) < EXACT_FLOATS else int(Decimal(repr(value)))


def exact_decimal(value: float) -> Decimal:
    """Return the decimal that JSON writes for a number."""
    return Decimal(value) if isinstance(value, int) else Decimal(repr(value))


def exact_sum(numbers: Iterable[int | float]) -> Decimal:
    """Return the exact sum of the written decimals, whatever their order (as PostgreSQL numeric does)."""
    total = Decimal(0)
    for number in numbers:
        total = _SUM.add(total, exact_decimal(number))
    return total


def parse_datetime(text: object) -> datetime | None:
    """Return the point in time that a text names, or None when it names none unambiguously.

    Accepted: RFC 3339 with `T`, up to microseconds and `Z` or an offset of at most 14:59; or a date alone,
    which means its midnight in UTC.
    """
    # `$` of Python also fits before a final line feed, PostgreSQL's does not.
    if not isinstance(text, str) or text.endswith("\n") or not _DATETIME.match(text):
        return None
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if len(text) == DATE_LENGTH else moment


def is_clean_text(text: str) -> bool:
    """Whether PostgreSQL can hold the text: no NUL, no lone surrogate."""
    return "\x00" not in text and not any("\ud800" <= character <= "\udfff" for character in text)
