"""One event, one profile change: taken, or refused with its reason."""

import string
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.items import ProfileChange, ReadEvent, Refusal, read_event, read_profile

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
OLDEST = NOW - timedelta(days=90)
TYPES = {"plan": "string", "amount": "number", "signed_up": "datetime"}
EVENT: dict[str, Any] = {
    "event_id": "0F8FAD5B-d9cb-469f-a165-70867728950e",
    "unit_id": "u1",
    "unit_type": "device",
    "name": "order completed",
    "occurred_at": "2026-11-24T11:00:00Z",
    "value": 3,
    "properties": {"plan": "pro"},
}
PROFILE: dict[str, Any] = {
    "unit_id": "u1",
    "attributes": {"plan": "pro", "amount": 2},
    "consent": {"analytics": True},
}


def event(**changes: Any) -> ReadEvent | Refusal:
    return read_event({**EVENT, **changes}, TYPES, now=NOW, oldest=OLDEST)


def profile(**changes: Any) -> ProfileChange | Refusal:
    return read_profile({**PROFILE, **changes}, TYPES)


def test_a_full_event_is_read_as_it_is() -> None:
    read = event()
    assert isinstance(read, ReadEvent)
    assert read.row.event_id == "0f8fad5b-d9cb-469f-a165-70867728950e"
    assert (read.row.unit_type, read.row.unit_id, read.row.name) == ("device", "u1", "order completed")
    assert read.row.occurred_at == datetime(2026, 11, 24, 11, tzinfo=UTC)
    assert read.row.value == 3.0
    assert read.row.properties == {"plan": "pro"}
    assert not read.id_made
    assert read.dropped == ()


def test_what_is_missing_gets_its_default() -> None:
    read = read_event({"unit_id": "u1", "name": "signup"}, TYPES, now=NOW, oldest=OLDEST)
    assert isinstance(read, ReadEvent)
    assert read.id_made
    assert (read.row.unit_type, read.row.occurred_at, read.row.value) == ("user", NOW, None)
    assert read.row.properties == {}


def test_unregistered_and_misfitting_properties_are_left_out_and_named() -> None:
    read = event(properties={"plan": "pro", "email": "x@example.com", "amount": "many", "signed_up": None})
    assert isinstance(read, ReadEvent)
    assert read.row.properties == {"plan": "pro"}
    assert read.dropped == ("email", "amount")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"event_id": "nope"}, "bad_event_id"),
        ({"event_id": 5}, "bad_event_id"),
        ({"event_id": "{0f8fad5b-d9cb-469f-a165-70867728950e}"}, "bad_event_id"),
        ({"unit_id": ""}, "bad_unit"),
        ({"unit_id": 12}, "bad_unit"),
        ({"unit_id": "x" * 8_192}, "bad_unit"),
        ({"unit_type": "A person"}, "bad_unit"),
        ({"name": None}, "bad_name"),
        ({"name": "  "}, "bad_name"),
        ({"name": "x" * 101}, "bad_name"),
        ({"name": "a\nb"}, "bad_name"),
        ({"name": "$exposure"}, "reserved_name"),
        ({"occurred_at": "soon"}, "bad_occurred_at"),
        ({"occurred_at": 1_700_000_000}, "bad_occurred_at"),
        ({"occurred_at": "2026-11-25T12:00:01Z"}, "clock_skew"),
        ({"occurred_at": "2028-11-24T12:00:00Z"}, "clock_skew"),
        ({"occurred_at": "2024-11-24T12:00:00Z"}, "too_old"),
        ({"value": "3"}, "bad_value"),
        ({"value": True}, "bad_value"),
        ({"properties": []}, "bad_properties"),
        ({"properties": {str(n): n for n in range(101)}}, "bad_properties"),
        ({"timestamp": "2026-11-24T11:00:00Z"}, "unknown_field"),
    ],
)
def test_a_bad_event_is_refused_with_its_code(changes: dict[str, Any], code: str) -> None:
    refusal = event(**changes)
    assert isinstance(refusal, Refusal)
    assert refusal.code == code
    assert refusal.detail


@pytest.mark.parametrize("item", [None, 1, "x", []])
def test_an_item_that_is_no_object_is_refused(item: Any) -> None:
    assert read_event(item, TYPES, now=NOW, oldest=OLDEST) == Refusal(
        "bad_item", "An item must be a JSON object."
    )
    assert read_profile(item, TYPES) == Refusal("bad_item", "An item must be a JSON object.")


def test_a_misspelt_field_is_answered_with_the_right_one() -> None:
    refusal = event(propertys={})
    assert isinstance(refusal, Refusal)
    assert "Did you mean properties" in refusal.detail


def test_a_profile_change_is_read_with_its_types() -> None:
    change = profile(attributes={"plan": "pro", "signed_up": "2026-01-02", "amount": None})
    assert change == ProfileChange(
        "user",
        "u1",
        {"plan": "pro", "signed_up": "2026-01-02T00:00:00Z", "amount": None},
        {"analytics": True},
    )


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"unit_id": None}, "bad_unit"),
        ({"attributes": {"plann": "pro"}}, "unknown_attribute"),
        ({"attributes": {"plan": 7}}, "wrong_type"),
        ({"attributes": {"amount": "7"}}, "wrong_type"),
        ({"attributes": {"signed_up": "soon"}}, "wrong_type"),
        ({"attributes": [1]}, "bad_attributes"),
        ({"consent": {"profiling": True}}, "unknown_purpose"),
        ({"consent": {"analytics": "yes"}}, "bad_consent"),
        ({"consent": True}, "bad_consent"),
        ({"email": "x"}, "unknown_field"),
    ],
)
def test_a_bad_profile_change_is_refused_with_its_code(changes: dict[str, Any], code: str) -> None:
    refusal = profile(**changes)
    assert isinstance(refusal, Refusal)
    assert refusal.code == code


def test_an_unknown_attribute_is_answered_with_near_matches() -> None:
    refusal = profile(attributes={"plann": "pro"})
    assert isinstance(refusal, Refusal)
    assert "Did you mean plan?" in refusal.detail


def test_a_refusal_never_repeats_a_value() -> None:
    secret = "jane.doe@example.com"
    refusals = [
        event(event_id=secret),
        event(name=secret * 9),
        event(occurred_at=secret),
        event(value=secret),
        profile(attributes={"amount": secret}),
        profile(consent={"analytics": secret}),
    ]
    for refusal in refusals:
        assert isinstance(refusal, Refusal)
        assert secret not in refusal.detail


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(string.printable),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(string.printable), inner, max_size=3),
    max_leaves=8,
)


@given(changes=st.dictionaries(st.sampled_from([*EVENT, "attributes", "consent"]), JSON))
def test_any_json_is_taken_or_refused_never_an_error(changes: dict[str, Any]) -> None:
    assert isinstance(event(**changes), ReadEvent | Refusal)
    assert isinstance(profile(**changes), ProfileChange | Refusal)
