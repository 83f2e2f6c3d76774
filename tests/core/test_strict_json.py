"""What strangers may send, and what two parsers could read differently."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.strict_json import BodyTooLarge, MalformedJson, loads

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")),
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")), children, max_size=3
        )
    ),
    max_leaves=15,
)


@given(json_values)
def test_ordinary_json_reads_as_the_standard_parser_reads_it(value: Any) -> None:
    assert loads(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[1,]",
        b"NaN",
        b"[Infinity]",
        b"-Infinity",
        b"1e999",
        b'{"a": 1e400}',
        b"\xff\xfe",
        b'"\xed\xa0\x80"',
        rb'"\ud800"',
        rb'{"\udc00": 1}',
        b'"\x00"',
        rb'"a\u0000b"',
        rb'{"a\u0000": 1}',
        rb'[{"deep": ["\u0000"]}]',
        b'{"a": 1, "a": 2}',
        b'{"x": [{"b": 1, "c": 2, "b": 1}]}',
        rb'{"a": 1, "\u0061": 2}',
        b"\xef\xbb\xbf{}",
        b"{} {}",
        b"[" * 21 + b"]" * 21,
        b'{"a":' * 21 + b"1" + b"}" * 21,
        b"[" * 100_000,
    ],
)
def test_what_parsers_disagree_about_is_refused(raw: bytes) -> None:
    with pytest.raises(MalformedJson):
        loads(raw)


@pytest.mark.parametrize("raw", [b"[" * 20 + b"]" * 20, b"[" + b"[1]," * 500 + b"[2]]"])
def test_depth_is_counted_and_not_the_number_of_brackets(raw: bytes) -> None:
    assert loads(raw) == json.loads(raw)


def test_an_escaped_backslash_before_u0000_is_plain_text() -> None:
    assert loads(rb'"a\\u0000b"') == r"a\u0000b"


def test_a_body_of_exactly_the_limit_passes_and_one_byte_more_does_not() -> None:
    assert loads(b'"abcdefgh"', max_bytes=10) == "abcdefgh"
    with pytest.raises(BodyTooLarge):
        loads(b'"abcdefghi"', max_bytes=10)


def test_a_key_twice_is_named() -> None:
    with pytest.raises(MalformedJson) as caught:
        loads(b'{"unit_id": "a", "unit_id": "b"}')
    assert "unit_id" in caught.value.message
    assert caught.value.pointer == "/unit_id"
