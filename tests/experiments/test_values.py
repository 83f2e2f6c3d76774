import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.errors import InvalidFlagValue
from experiments.values import check_value, parse_value, sample_values, show_value


@pytest.mark.parametrize(
    ("flag_type", "value"),
    [
        ("boolean", True),
        ("string", ""),
        ("string", "ünï"),
        ("integer", -(2**53 - 1)),
        ("float", 1.5),
        ("object", {"a": [1, None]}),
        ("object", []),
    ],
)
def test_a_value_of_the_flags_type_is_kept(flag_type, value):
    assert check_value(flag_type, value) == value


def test_a_whole_number_becomes_a_float_in_a_float_flag():
    value = check_value("float", 1)
    assert isinstance(value, float)


@pytest.mark.parametrize(
    ("flag_type", "value"),
    [
        ("boolean", 1),
        ("boolean", "true"),
        ("boolean", None),
        ("string", 1),
        ("string", "a\x00b"),
        ("integer", True),
        ("integer", 1.0),
        ("integer", 2**53),
        ("float", math.nan),
        ("float", math.inf),
        ("float", True),
        ("object", "text"),
        ("object", {"deep": ["a\x00"]}),
        ("object", {"a": "x" * 10_001}),
        ("string", "\ud800"),
    ],
)
def test_a_value_of_another_type_is_refused_with_its_place(flag_type, value):
    with pytest.raises(InvalidFlagValue) as refused:
        check_value(flag_type, value, pointer="/default_value")
    assert refused.value.pointer == "/default_value"


@pytest.mark.parametrize(
    ("flag_type", "text", "value"),
    [
        ("boolean", " True ", True),
        ("boolean", "off", False),
        ("string", " kept ", " kept "),
        ("integer", "-3", -3),
        ("float", "1", 1.0),
        ("object", '{"colour": "blue"}', {"colour": "blue"}),
    ],
)
def test_a_text_is_read_by_the_flags_type(flag_type, text, value):
    assert parse_value(flag_type, text) == value


@pytest.mark.parametrize(
    ("flag_type", "text", "words"),
    [
        ("boolean", "maybe", "true and false"),
        ("integer", "1.5", "whole number"),
        ("float", "nan", "finite"),
        ("float", "", "finite number"),
        ("object", "{a: 1}", "Write the value as JSON"),
        ("object", '{"a": 1, "a": 2}', "occurs twice"),
        ("object", "3", "JSON object or list"),
    ],
)
def test_a_text_that_cannot_be_read_names_what_can(flag_type, text, words):
    with pytest.raises(InvalidFlagValue, match=words):
        parse_value(flag_type, text)


json_values = st.recursive(
    st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs", "Cc"])),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text("abc"), children, max_size=3),
    max_leaves=5,
)


@given(st.one_of(st.lists(json_values, max_size=3), st.dictionaries(st.text("abc"), json_values, max_size=3)))
def test_an_object_shown_reads_back_the_same(value):
    assert parse_value("object", show_value(value)) == value


@pytest.mark.parametrize("flag_type", ["boolean", "string", "integer", "float", "object"])
def test_samples_are_valid_and_different(flag_type):
    control, treatment = (check_value(flag_type, value) for value in sample_values(flag_type, 2))
    assert control != treatment
