"""Dataclasses to JSON and back: one canonical text, so that equal results have equal hashes."""

import hashlib
import math
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import orjson

from analysis.stats.estimable import NotEstimable

Json = Any
"""What orjson reads and writes."""

REASON = "not_estimable"
_NUMBERS = {"Infinity": math.inf, "-Infinity": -math.inf}


def encode(value: Any) -> Json:
    """Turn dataclasses into JSON values. NotEstimable becomes {"not_estimable": reason}; infinity is a word.

    Raises ValueError for NaN, which no result may hold, and TypeError for other types.
    """
    if isinstance(value, NotEstimable):
        return {REASON: value.reason}
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: encode(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, float):
        return _encode_float(float(value))
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if value is None or isinstance(value, str | bool | int):
        return value
    raise TypeError(f"a result cannot hold a {type(value).__name__}")


def decode(expected: Any, value: Json) -> Any:
    """Build the dataclass `expected` from what `encode` made.

    A field that was added since takes its default; one that is gone is ignored. Raises ValueError when a field
    without a default is missing.
    """
    if is_dataclass(expected) and isinstance(expected, type):
        return _decode_dataclass(expected, value)
    origin = get_origin(expected)
    if origin in (Union, types.UnionType):
        return _decode_union(get_args(expected), value)
    if origin is tuple:
        return _decode_tuple(get_args(expected), value)
    if origin is Literal:
        return value
    if expected is float:
        return _NUMBERS[value] if isinstance(value, str) else float(value)
    if expected is datetime:
        return datetime.fromisoformat(value)
    if expected is date:
        return date.fromisoformat(value)
    if expected is Decimal:
        return Decimal(value)
    return value


def canonical_json(value: Any) -> bytes:
    """Return the one JSON text of a value: sorted keys, shortest floats, UTF-8."""
    return orjson.dumps(encode(value), option=orjson.OPT_SORT_KEYS)


def hash_of(value: Any) -> str:
    """Return the SHA-256 of the canonical JSON."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def _encode_float(value: float) -> Json:
    if math.isnan(value):
        raise ValueError("a result cannot hold NaN; say NotEstimable(reason)")
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value + 0.0  # -0.0 and 0.0 are one number, and so one text


def _decode_dataclass(expected: type, value: Json) -> Any:
    if expected is NotEstimable:
        return NotEstimable(value[REASON])
    hints = _hints(expected)
    known = {field.name: value[field.name] for field in fields(expected) if field.name in value}
    missing = [
        field.name for field in fields(expected) if field.name not in value and field.default is MISSING
    ]
    if missing:
        raise ValueError(f"{expected.__name__} lacks {', '.join(missing)}")
    return expected(**{name: decode(hints[name], item) for name, item in known.items()})


def _decode_union(members: tuple[Any, ...], value: Json) -> Any:
    if value is None:
        return None
    if isinstance(value, dict) and set(value) == {REASON}:
        return NotEstimable(value[REASON])
    others = [m for m in members if m not in (type(None), NotEstimable)]
    return decode(others[0], value) if len(others) == 1 else value


def _decode_tuple(members: tuple[Any, ...], value: Json) -> tuple[Any, ...]:
    if len(members) == 2 and members[1] is Ellipsis:
        return tuple(decode(members[0], item) for item in value)
    return tuple(decode(member, item) for member, item in zip(members, value, strict=True))


@cache
def _hints(expected: type) -> dict[str, Any]:
    return get_type_hints(expected)
