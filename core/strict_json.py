"""Reading JSON from strangers: what two parsers could read differently is refused, not guessed."""

import json
from typing import TypeAlias

import orjson

from core.errors import DomainError

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"

MAX_BYTES = 1_000_000
MAX_DEPTH = 20


class MalformedJson(DomainError):
    """The body is not JSON that every parser reads the same way."""

    code = "malformed_json"
    status = 400


class BodyTooLarge(DomainError):
    """The body is larger than one request may be."""

    code = "body_too_large"
    status = 413


def loads(raw: bytes, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> JsonValue:
    """Parse a JSON document.

    Raises BodyTooLarge above `max_bytes`; MalformedJson for broken syntax or UTF-8, NaN, Infinity, numbers
    beyond a double, lone surrogates, NUL in a string, a key twice in one object, nesting over `max_depth`.
    """
    if len(raw) > max_bytes:
        raise BodyTooLarge(
            f"The body has {len(raw):,} bytes; at most {max_bytes:,} are allowed. Send less at once."
        )
    try:
        value: JsonValue = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise MalformedJson(f"The body is not valid JSON: {error}") from error
    if raw.count(b"[") + raw.count(b"{") > max_depth:
        _refuse_depth(value, max_depth)
    if b"\\u0000" in raw:
        _refuse_nul(value, "")
    # orjson keeps the last of two equal keys without a word; the standard parser shows the pairs.
    json.loads(raw, object_pairs_hook=_refuse_duplicates)
    return value


def _refuse_duplicates(pairs: list[tuple[str, object]]) -> None:
    if len(dict(pairs)) == len(pairs):
        return
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise MalformedJson(
                f"The key {key!r} occurs twice in one object. Send it once.", pointer=f"/{key}"
            )
        seen.add(key)


def _refuse_depth(value: JsonValue, levels_left: int) -> None:
    if levels_left == 0:
        raise MalformedJson(f"The JSON is nested deeper than {MAX_DEPTH} levels. Flatten it.")
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        if isinstance(child, dict | list):
            _refuse_depth(child, levels_left - 1)


def _refuse_nul(value: JsonValue, pointer: str) -> None:
    if isinstance(value, str) and "\x00" in value:
        raise MalformedJson(r"A string holds the NUL character (\u0000). Remove it.", pointer=pointer)
    if isinstance(value, list):
        for index, item in enumerate(value):
            _refuse_nul(item, f"{pointer}/{index}")
    if isinstance(value, dict):
        for key, item in value.items():
            _refuse_nul(key, pointer)
            _refuse_nul(item, f"{pointer}/{key}")
