"""What attributes may hold."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.values import BadValue, check_unit_id, check_unit_type, conform, parse_moment

TYPES = ("string", "number", "boolean", "datetime", "list")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-24T09:30:00Z", datetime(2026, 11, 24, 9, 30, tzinfo=UTC)),
        ("2026-11-24t09:30:00z", datetime(2026, 11, 24, 9, 30, tzinfo=UTC)),
        ("2026-11-24T09:30:00.123456789+05:30", datetime(2026, 11, 24, 4, 0, 0, 123456, tzinfo=UTC)),
        ("2026-11-24", datetime(2026, 11, 24, tzinfo=UTC)),
        ("2024-02-29", datetime(2024, 2, 29, tzinfo=UTC)),
    ],
)
def test_a_time_with_a_zone_and_a_date_are_moments(text: str, moment: datetime) -> None:
    assert parse_moment(text) == moment


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026-11-24T09:30:00",
        "2026-11-24T09:30Z",
        "20261124T093000Z",
        "2026-W48-2",
        "2025-02-29",
        "2026-11-24T25:00:00Z",
        "0999-01-01",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "2026-11-24T09:30:00Z\n",
        "２０２６-11-24",
    ],
)
def test_a_text_that_names_no_single_moment_is_refused(text: str) -> None:
    with pytest.raises(BadValue):
        parse_moment(text)


def test_a_time_is_kept_in_utc_with_z() -> None:
    assert conform("2026-11-24T09:30:00+02:00", "datetime") == "2026-11-24T07:30:00Z"


@pytest.mark.parametrize(
    ("value", "attribute_type"),
    [
        (1, "string"),
        ("x" * 1_001, "string"),
        (True, "number"),
        ("1", "number"),
        (float("inf"), "number"),
        (1, "boolean"),
        (5, "datetime"),
        ("x", "list"),
        ([None], "list"),
        ([["nested"]], "list"),
        (["x"] * 101, "list"),
        (["x" * 1_001], "list"),
    ],
)
def test_a_value_of_another_type_or_size_is_refused(value: object, attribute_type: str) -> None:
    with pytest.raises(BadValue):
        conform(value, attribute_type)  # type: ignore[arg-type]


@given(value=JSON, attribute_type=st.sampled_from(TYPES))
def test_any_json_either_conforms_and_stays_conforming_or_is_refused(
    value: object, attribute_type: str
) -> None:
    try:
        kept = conform(value, attribute_type)  # type: ignore[arg-type]
    except BadValue:
        return
    assert conform(kept, attribute_type) == kept


@pytest.mark.parametrize("unit_id", ["u", "x" * 256, "é" * 128, "a/b?c#d", " ", "１"])
def test_an_opaque_id_of_up_to_256_bytes_is_taken_as_it_is(unit_id: str) -> None:
    assert check_unit_id(unit_id) == unit_id


@pytest.mark.parametrize("unit_id", ["", None, 7, "x" * 257, "é" * 129, "a\x00b", "x" * 8_192])
def test_an_id_that_cannot_be_kept_is_refused(unit_id: object) -> None:
    with pytest.raises(BadValue):
        check_unit_id(unit_id)


@pytest.mark.parametrize("unit_type", ["", "User", "1user", "a b", "x" * 31, None, 3, "user\n"])
def test_a_unit_type_that_is_no_word_is_refused(unit_type: object) -> None:
    with pytest.raises(BadValue):
        check_unit_type(unit_type)
