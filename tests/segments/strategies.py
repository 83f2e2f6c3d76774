"""Random rules and profiles that meet each other: few names and constants, every kind of odd value."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from segments.rules import (
    AllOf,
    AnyOf,
    AttributeTest,
    Event,
    EventAggregate,
    EventRecency,
    InSegment,
    Not,
    Profile,
    Rule,
)

NOW = datetime(2026, 3, 29, 12, 30, 15, 250_000, tzinfo=UTC)  # the day clocks change in Europe
INNER_SEGMENTS = ("seg_aaaaaaaaaaaaaaaa", "seg_bbbbbbbbbbbbbbbb")

KEYS = ("country", "age", "signed_up_at", "is_paying", "tags", "Größe 'x\"; -- %s")
EVENT_NAMES = ("purchase", "login", "Kauf✓'%s")
DAYS = (1, 2, 7, 30)

TEXTS = (
    "",
    "DE",
    "de",
    "D",
    "é",
    "e\u0301",  # the same letter for the eye, other code points
    "straße",
    "%",
    "_",
    "\\",
    "'; drop table x; --",
    "𝒳y",
    "10",
    "true",
    " ",
    "a\nb",
)
NUMBERS = (
    0,
    -0.0,
    1,
    1.0,
    2,
    -3,
    0.1,
    0.2,
    0.3,
    0.30000000000000004,
    18,
    1e-7,
    2**53,
    2**53 + 1,
    1e16,
    10**23,
    1e23,
)
MOMENTS = (
    "2026-03-29",
    "2026-03-29T12:30:15.250000Z",
    "2026-03-29T14:30:15.25+02:00",
    "2026-03-29T02:30:00+01:00",
    "2026-03-28T23:59:59.999999Z",
    "2024-02-29",
    "1970-01-01T00:00:00Z",
    "9999-12-31T23:59:59-14:59",
)
ALMOST_MOMENTS = (
    "2023-02-29",
    "2026-3-9",
    "tomorrow",
    "infinity",
    "2026-03-29 12:00:00",
    "2026-03-29T12:00:00",
    "0000-01-01",
)

texts = st.sampled_from(TEXTS)
numbers = st.sampled_from(NUMBERS) | st.integers(-100, 100) | st.floats(-1e6, 1e6, allow_nan=False)
moments = st.sampled_from(MOMENTS)
scalars = st.one_of(texts, numbers, st.booleans(), moments)
days = st.sampled_from(DAYS)


def ordered_pairs(values: st.SearchStrategy[Any], key: Any = None) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(values, min_size=2, max_size=2).map(lambda pair: tuple(sorted(pair, key=key)))


def same_type_lists() -> st.SearchStrategy[tuple[Any, ...]]:
    kinds = [texts | moments, numbers, st.booleans()]
    return st.one_of(*(st.lists(kind, min_size=1, max_size=4).map(tuple) for kind in kinds))


def attribute_tests() -> st.SearchStrategy[Rule]:
    keys = st.sampled_from(KEYS)
    order = st.sampled_from(["lt", "lte", "gt", "gte"])
    some_text = texts.filter(bool)
    return st.one_of(
        st.builds(AttributeTest, keys, st.sampled_from(["eq", "ne"]), scalars),
        st.builds(AttributeTest, keys, order, numbers),
        st.builds(AttributeTest, keys, st.just("between"), ordered_pairs(numbers)),
        st.builds(AttributeTest, keys, st.just("between"), ordered_pairs(moments, key=_instant)),
        st.builds(AttributeTest, keys, st.sampled_from(["in", "not_in"]), same_type_lists()),
        st.builds(AttributeTest, keys, st.sampled_from(["is_set", "is_not_set"])),
        st.builds(AttributeTest, keys, st.sampled_from(["contains", "starts_with", "ends_with"]), some_text),
        st.builds(AttributeTest, keys, st.sampled_from(["before", "after"]), moments),
    )


def _instant(text: str) -> float:
    from segments.rules.values import parse_datetime

    moment = parse_datetime(text)
    assert moment is not None
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(seconds=1)


def event_tests() -> st.SearchStrategy[Rule]:
    names = st.sampled_from(EVENT_NAMES)
    operators = st.sampled_from(["eq", "ne", "lt", "lte", "gt", "gte"])
    windows = st.none() | days
    properties = st.none() | st.sampled_from(KEYS)
    counts = st.integers(0, 4)
    return st.one_of(
        st.builds(EventAggregate, names, st.just("count"), operators, counts, st.none(), windows),
        st.builds(
            EventAggregate,
            names,
            st.just("count"),
            st.just("between"),
            ordered_pairs(counts),
            st.none(),
            windows,
        ),
        st.builds(EventAggregate, names, st.just("sum"), operators, numbers, properties, windows),
        st.builds(
            EventAggregate,
            names,
            st.just("sum"),
            st.just("between"),
            ordered_pairs(numbers),
            properties,
            windows,
        ),
        st.builds(EventRecency, names, st.sampled_from(["within_days", "not_within_days"]), days),
    )


def rules(with_segments: bool = False) -> st.SearchStrategy[Rule]:
    leaves = attribute_tests() | event_tests()
    if with_segments:
        leaves = leaves | st.builds(InSegment, st.sampled_from(INNER_SEGMENTS), st.none() | st.just(1))

    def grown(inner: st.SearchStrategy[Rule]) -> st.SearchStrategy[Rule]:
        nodes = st.lists(inner, min_size=1, max_size=3).map(tuple)
        return st.one_of(st.builds(AllOf, nodes), st.builds(AnyOf, nodes), st.builds(Not, inner))

    return st.recursive(leaves, grown, max_leaves=6)


json_values = st.one_of(
    scalars,
    st.none(),
    st.sampled_from(ALMOST_MOMENTS),
    st.lists(scalars, max_size=2),
    st.just({"nested": 1}),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=3),
)
attribute_maps = st.dictionaries(st.sampled_from(KEYS), json_values, max_size=len(KEYS))


def event_times() -> st.SearchStrategy[datetime]:
    """Times on, just before and just after every window edge, and between them."""
    edges = [NOW] + [NOW - timedelta(days=n) for n in DAYS]
    nudges = [timedelta(0), timedelta(microseconds=1), timedelta(microseconds=-1), timedelta(hours=-5)]
    return st.builds(lambda edge, nudge: edge + nudge, st.sampled_from(edges), st.sampled_from(nudges))


events = st.builds(
    Event,
    st.sampled_from(EVENT_NAMES),
    event_times(),
    st.none()
    | st.sampled_from([0.0, 0.1, 0.2, 0.3, 1.0, -2.5, 1e-7, 1e16, 1e23, 0.1 + 0.2])
    | st.floats(-1e9, 1e9, allow_nan=False),
    attribute_maps,
)
profiles = st.builds(Profile, attribute_maps, st.lists(events, max_size=6).map(tuple))
