"""Pure: the bytes of a batch become its items, each readable or not; one bad item never sinks the others."""

import json
import zlib
from dataclasses import dataclass
from typing import TypeAlias

from core import strict_json
from core.errors import DomainError
from core.strict_json import MAX_BYTES, BodyTooLarge, JsonValue, MalformedJson

MAX_ITEMS = 1_000
MAX_INFLATION = 10
_GZIP = 16 + zlib.MAX_WBITS


class TooManyItems(DomainError):
    """More items than one request may carry."""

    code = "too_many_items"
    status = 413


class UnsupportedEncoding(DomainError):
    """A Content-Encoding other than gzip."""

    code = "unsupported_encoding"
    status = 415


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An item that is not strict JSON, as it was sent, and why."""

    raw: bytes
    reason: str


Item: TypeAlias = "JsonValue | Unreadable"


def decode_body(body: bytes, encoding: str) -> bytes:
    """Undo the Content-Encoding of a body.

    Raises BodyTooLarge when a gzip body grows more than tenfold or beyond the size of one request.
    """
    if encoding in ("", "identity"):
        return body
    if encoding != "gzip":
        raise UnsupportedEncoding("Only gzip is understood as Content-Encoding. Send gzip or plain JSON.")
    limit = min(MAX_BYTES, MAX_INFLATION * len(body))
    inflater = zlib.decompressobj(_GZIP)
    try:
        plain = inflater.decompress(body, limit + 1)
    except zlib.error as error:
        raise MalformedJson("The body is not valid gzip. Compress it again, or send it plain.") from error
    if len(plain) > limit:
        raise BodyTooLarge(
            f"The body inflates to more than {limit:,} bytes ({MAX_INFLATION} times its size, at most "
            f"{MAX_BYTES:,}). Send smaller batches, or send it plain."
        )
    if not inflater.eof:
        raise MalformedJson("The gzip body ends early. Compress it again, or send it plain.")
    return plain


def read_items(body: bytes, field: str) -> list[Item]:
    """Return the items of `{field: […]}` or of a bare list.

    When strict JSON refuses the whole, each item is read alone, so that only the bad ones are refused.
    Raises MalformedJson when the items cannot even be told apart; BodyTooLarge; TooManyItems.
    """
    try:
        document = strict_json.loads(body)
    except MalformedJson:
        items: list[Item] = [_read_alone(raw) for raw in split_items(body, field)]
    else:
        found = document.get(field) if isinstance(document, dict) else document
        if not isinstance(found, list):
            raise _wrong_shape(field)
        items = list(found)
    if len(items) > MAX_ITEMS:
        raise TooManyItems(
            f"The batch has {len(items):,} items; at most {MAX_ITEMS:,} are allowed. Split it."
        )
    return items


def _wrong_shape(field: str) -> MalformedJson:
    return MalformedJson(
        f'The body must be a list, or an object with a list under "{field}".', pointer=f"/{field}"
    )


def _read_alone(raw: bytes) -> Item:
    try:
        return strict_json.loads(raw)
    except MalformedJson as error:
        return Unreadable(raw=raw, reason=error.message.replace("The body", "The item"))


# What the numbers are is for strict JSON to say; here only where an item ends matters.
_SCANNER = json.JSONDecoder(
    strict=False, parse_int=lambda _: 0, parse_float=lambda _: 0, parse_constant=lambda _: 0
)
_BLANK = " \t\n\r"


def split_items(body: bytes, field: str) -> list[bytes]:
    """Cut a list of items, bare or under `field`, into the bytes of each; lenient about their content.

    Raises MalformedJson when the outline itself is broken or `field` occurs twice.
    """
    text = body.decode("utf-8", "surrogateescape")
    try:
        start = _skip_blank(text, 0)
        if text.startswith("[", start):
            parts, end = _cut_list(text, start)
        else:
            parts, end = _cut_object(text, start, field)
        if _skip_blank(text, end) != len(text):
            raise MalformedJson("The body goes on after its JSON ends.")
    except (ValueError, IndexError, RecursionError) as error:
        raise MalformedJson(f"The body is not valid JSON: {error}") from error
    return [part.encode("utf-8", "surrogateescape") for part in parts]


def _skip_blank(text: str, at: int) -> int:
    while at < len(text) and text[at] in _BLANK:
        at += 1
    return at


def _expect(text: str, at: int, wanted: str) -> str:
    if at >= len(text) or text[at] not in wanted:
        raise ValueError(f"expected one of {wanted} at character {at}")
    return text[at]


def _cut_list(text: str, at: int) -> tuple[list[str], int]:
    parts: list[str] = []
    at = _skip_blank(text, at + 1)
    if text[at] == "]":
        return parts, at + 1
    while True:
        _, end = _SCANNER.raw_decode(text, at)
        parts.append(text[at:end])
        at = _skip_blank(text, end)
        if _expect(text, at, ",]") == "]":
            return parts, at + 1
        at = _skip_blank(text, at + 1)


def _cut_object(text: str, at: int, field: str) -> tuple[list[str], int]:
    found: list[str] | None = None
    _expect(text, at, "{")
    while True:
        key, at = _SCANNER.raw_decode(text, _skip_blank(text, at + 1))
        at = _skip_blank(text, at)
        _expect(text, at, ":")
        at = _skip_blank(text, at + 1)
        if key == field and found is not None:
            raise ValueError(f'the key "{field}" occurs twice')
        if key == field and text[at] == "[":
            found, at = _cut_list(text, at)
        else:
            _, at = _SCANNER.raw_decode(text, at)
        at = _skip_blank(text, at)
        if _expect(text, at, ",}") == "}":
            break
    if found is None:
        raise _wrong_shape(field)
    return found, at + 1
