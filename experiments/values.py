"""Flag values: what each flag type allows, and how people write them in a text field."""

import math
from typing import Literal

import orjson

from core.strict_json import JsonValue, MalformedJson, loads
from experiments.errors import InvalidFlagValue

FlagTypeName = Literal["boolean", "string", "integer", "float", "object"]

MAX_SAFE_INTEGER = 2**53 - 1  # beyond it a JavaScript client reads another number
MAX_VALUE_BYTES = 10_000

_BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def check_value(flag_type: str, value: object, *, pointer: str = "") -> JsonValue:
    """Return the value as the flag type stores it. Raises InvalidFlagValue naming what would be allowed."""
    problem = _fault(flag_type, value)
    if problem:
        raise InvalidFlagValue(problem, pointer=pointer)
    if flag_type == "float":
        return float(value)  # type: ignore[arg-type]
    return value  # type: ignore[return-value]


def _fault(flag_type: str, value: object) -> str:
    shown = repr(value)[:60]
    match flag_type:
        case "boolean" if not isinstance(value, bool):
            return f"A boolean flag has the values true and false, not {shown}."
        case "string" if not isinstance(value, str):
            return f"A string flag needs a text, not {shown}."
        case "integer" if type(value) is not int or abs(value) > MAX_SAFE_INTEGER:
            return f"An integer flag needs a whole number within ±{MAX_SAFE_INTEGER}, not {shown}."
        case "float" if type(value) not in (int, float) or not math.isfinite(value):  # type: ignore[arg-type]
            return f"A float flag needs a finite number, not {shown}."
        case "object" if not isinstance(value, dict | list):
            return f'An object flag needs a JSON object or list, such as {{"colour": "blue"}}, not {shown}.'
    if _holds_nul(value):
        return "A text cannot hold the NUL character. Remove it."
    return _size_fault(value)


def _holds_nul(value: object) -> bool:
    if isinstance(value, dict):
        return any(_holds_nul(part) for pair in value.items() for part in pair)
    if isinstance(value, list):
        return any(map(_holds_nul, value))
    return isinstance(value, str) and "\x00" in value


def _size_fault(value: object) -> str:
    try:
        size = len(orjson.dumps(value))
    except orjson.JSONEncodeError as error:
        return f"This value cannot be written as JSON: {error}."
    if size > MAX_VALUE_BYTES:
        return f"This value takes {size:,} bytes; at most {MAX_VALUE_BYTES:,} are allowed. Send a reference instead."
    return ""


def parse_value(flag_type: str, text: str) -> JsonValue:
    """Read a value as written in a text field. Raises InvalidFlagValue naming what would be allowed."""
    stripped = text.strip()
    match flag_type:
        case "string":
            return check_value(flag_type, text)
        case "boolean":
            return check_value(flag_type, _BOOLEANS.get(stripped.lower(), stripped))
        case "integer" | "float":
            return check_value(flag_type, _number(flag_type, stripped))
    try:
        return check_value(flag_type, loads(stripped.encode("utf-8", "surrogatepass")))
    except MalformedJson as error:
        raise InvalidFlagValue(f"Write the value as JSON. {error.message}") from error


def _number(flag_type: str, text: str) -> int | float | str:
    try:
        return int(text) if flag_type == "integer" else float(text)
    except ValueError:
        return text


def show_value(value: JsonValue) -> str:
    """Return the text that `parse_value` reads back to the same value."""
    if isinstance(value, str):
        return value
    return orjson.dumps(value).decode()


def sample_values(flag_type: str, count: int) -> list[JsonValue]:
    """Return `count` different values of a type, control first, to start a form with."""
    match flag_type:
        case "boolean":
            return [index > 0 for index in range(count)]
        case "integer":
            return list(range(count))
        case "float":
            return [float(index) for index in range(count)]
        case "object":
            return [{"variant": index} for index in range(count)]
    return ["control", *(f"treatment-{index}" if count > 2 else "treatment" for index in range(1, count))]
