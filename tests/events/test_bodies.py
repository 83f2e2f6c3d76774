"""Bodies of batches: compressed, oversized, partly or wholly unreadable."""

import gzip
import json
import secrets
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.strict_json import BodyTooLarge, MalformedJson
from events.bodies import (
    TooManyItems,
    Unreadable,
    UnsupportedEncoding,
    decode_body,
    read_items,
    split_items,
)

TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"))
SCALAR = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
)
JSON = st.recursive(
    SCALAR | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


@given(items=st.lists(JSON, max_size=6), wrapped=st.booleans(), indent=st.none() | st.integers(0, 3))
def test_splitting_finds_the_same_items_as_parsing(
    items: list[object], wrapped: bool, indent: int | None
) -> None:
    document = {"sent_at": "now", "events": items, "sdk": {"events": [1]}} if wrapped else items
    body = json.dumps(document, indent=indent).encode()
    assert [json.loads(part) for part in split_items(body, "events")] == items
    assert json.dumps(read_items(body, "events")) == json.dumps(items)


@given(body=st.binary(max_size=200) | st.text('[]{}":,eventsNaN \\u0d8', max_size=60).map(str.encode))
def test_any_bytes_give_items_or_are_refused_as_malformed(body: bytes) -> None:
    with suppress(MalformedJson):
        assert isinstance(read_items(body, "events"), list)


POISONS = {
    "NaN": b'{"value": NaN}',
    "infinity": b'{"value": 1e999}',
    "lone surrogate": b'{"unit_id": "\\ud800"}',
    "NUL": b'{"unit_id": "a\\u0000b"}',
    "raw control character": b'{"unit_id": "a\x01b"}',
    "broken UTF-8": b'{"unit_id": "\xff\xfe"}',
    "a key twice": b'{"unit_id": "a", "unit_id": "b"}',
    "too deep": b'{"properties": ' + b"[" * 30 + b"]" * 30 + b"}",
    "a number of 5,000 digits": b'{"value": -' + b"9" * 5_000 + b"}",
}


@pytest.mark.parametrize("poison", POISONS.values(), ids=POISONS)
@pytest.mark.parametrize("wrapped", [True, False])
def test_one_unreadable_item_leaves_the_others_readable(poison: bytes, wrapped: bool) -> None:
    listed = b'[{"unit_id": "first"}, ' + poison + b', {"unit_id": "last"}]'
    items = read_items(b'{"events": ' + listed + b"}" if wrapped else listed, "events")
    assert [items[0], items[2]] == [{"unit_id": "first"}, {"unit_id": "last"}]
    assert isinstance(items[1], Unreadable)
    assert items[1].raw == poison
    assert items[1].reason.startswith(("The item", "The key", "The JSON", "A string"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"{}",
        b'{"events": {}}',
        b'{"events": [1}',
        b'[{"a": 1,}]',
        b"[1] [2]",
        b'{"events": [], "events": []}',
        b"\xef\xbb\xbf[]",
        b"[" * 100_000,
        b'{"events": [NaN]',
    ],
)
def test_a_body_whose_items_cannot_be_told_apart_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedJson):
        read_items(body, "events")


def test_a_thousand_items_are_taken_and_one_more_is_not() -> None:
    assert len(read_items(b"[" + b"1," * 999 + b"1]", "events")) == 1_000
    with pytest.raises(TooManyItems):
        read_items(b"[" + b"1," * 1_000 + b"1]", "events")


def test_a_body_over_a_megabyte_is_refused() -> None:
    with pytest.raises(BodyTooLarge):
        read_items(b'["' + b"x" * 1_000_000 + b'"]', "events")


def test_gzip_is_undone() -> None:
    body = json.dumps([{"unit_id": secrets.token_hex(16)} for _ in range(50)]).encode()
    assert decode_body(gzip.compress(body), "gzip") == body
    assert decode_body(body, "") == decode_body(body, "identity") == body


def test_gzip_that_grows_more_than_tenfold_is_refused() -> None:
    with pytest.raises(BodyTooLarge):
        decode_body(gzip.compress(b" " * 500_000), "gzip")


def test_gzip_of_more_than_a_megabyte_is_refused() -> None:
    with pytest.raises(BodyTooLarge):
        decode_body(gzip.compress(secrets.token_hex(600_000).encode()), "gzip")


@pytest.mark.parametrize("body", [b"", b"plain", gzip.compress(b"x" * 100)[:-5]])
def test_broken_gzip_is_refused(body: bytes) -> None:
    with pytest.raises((MalformedJson, BodyTooLarge)):
        decode_body(body, "gzip")


def test_another_encoding_is_refused() -> None:
    with pytest.raises(UnsupportedEncoding):
        decode_body(b"[]", "br")
