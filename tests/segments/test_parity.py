"""The two evaluators give the same answer for every rule and every profile: 0 differences."""

import json
import os
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import Environment
from segments.compiler import Scope, compile_members
from segments.rules import (
    Event,
    EventAggregate,
    EventRecency,
    InSegment,
    Profile,
    Rule,
    encode,
    matches,
    parse,
    walk,
)
from tests.factories import EnvironmentFactory, ProjectFactory, production_of
from tests.segments.storing import store
from tests.segments.strategies import INNER_SEGMENTS, NOW, profiles, rules

# 150 examples are about 6,000 (rule, profile) pairs; STRATA_PARITY_EXAMPLES=1000 is a long run.
EXAMPLES = int(os.environ.get("STRATA_PARITY_EXAMPLES", "150"))

pytestmark = pytest.mark.django_db


@pytest.fixture
def environment() -> Environment:
    return production_of(ProjectFactory())


def members(rule: Rule, environment: Environment, inner: Mapping[str, Rule]) -> set[str]:
    query = compile_members(rule, Scope(environment.pk, "user"), NOW, lambda node: inner[node.segment])
    with connection.cursor() as cursor:
        cursor.execute(f"WITH {query.ctes} SELECT unit_id FROM members", query.params)
        rows = [row[0] for row in cursor.fetchall()]
    assert len(rows) == len(set(rows))
    return set(rows)


@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
@given(
    units=st.lists(profiles, min_size=6, max_size=12),
    tried=st.lists(rules(with_segments=True), min_size=4, max_size=6),
    first_inner=rules(),
    second_inner=rules(with_segments=True),
)
def test_memory_and_sql_agree_on_random_rules_and_profiles(
    environment: Environment,
    units: list[Profile],
    tried: list[Rule],
    first_inner: Rule,
    second_inner: Rule,
) -> None:
    # The second segment may name the first, never itself.
    inner = {INNER_SEGMENTS[0]: first_inner, INNER_SEGMENTS[1]: _renamed(second_inner)}
    by_id = {f"unit-{i}": profile for i, profile in enumerate(units)}
    with transaction.atomic():
        store(by_id, environment)
        for rule in tried:
            expected = {unit for unit, profile in by_id.items() if is_member(rule, profile, inner)}
            assert members(rule, environment, inner) == expected, encode(rule)
        transaction.set_rollback(True)


def is_member(rule: Rule, profile: Profile, inner: Mapping[str, Rule]) -> bool:
    """The memory evaluator over the units that are looked at (docs/segments.md, "Which units")."""
    is_known = bool(profile.attributes) or not profile.events  # tests.segments.storing.store
    looked_at = is_known or any(_brings_in(node, profile, inner) for node in walk(rule))
    return looked_at and matches(rule, profile, NOW, lambda n: is_member(inner[n.segment], profile, inner))


def _brings_in(node: Rule, profile: Profile, inner: Mapping[str, Rule]) -> bool:
    if isinstance(node, InSegment):
        return is_member(inner[node.segment], profile, inner)
    if isinstance(node, EventAggregate):
        return matches(EventAggregate(node.event, "count", "gte", 1, None, node.window_days), profile, NOW)
    return isinstance(node, EventRecency) and matches(
        EventRecency(node.event, "within_days", node.days), profile, NOW
    )


def _renamed(rule: Rule) -> Rule:
    return parse(json.loads(json.dumps(encode(rule)).replace(INNER_SEGMENTS[1], INNER_SEGMENTS[0])))


TOTAL = {"event": "buy", "aggregate": "sum", "op": "eq"}


@pytest.mark.parametrize(
    ("rule", "attributes", "values", "answer"),
    [
        ({**TOTAL, "value": 0.3}, {}, [0.1, 0.2], True),
        ({**TOTAL, "value": 0.3}, {}, [0.30000000000000004], False),
        ({**TOTAL, "value": 0.30000000000000004}, {}, [0.30000000000000004], True),
        ({**TOTAL, "value": 0}, {}, [1e23], True),
        ({**TOTAL, "value": 1}, {}, [1e300, 1.0, 2.0**53], True),
        ({**TOTAL, "value": 5e-324}, {}, [5e-324], True),
        ({"attribute": "x", "op": "eq", "value": 10**23}, {"x": 1e23}, [], True),
        ({"attribute": "x", "op": "eq", "value": 2**53}, {"x": 2**53 + 1}, [], False),
        ({"attribute": "x", "op": "not_in", "value": [1, 2]}, {"x": True}, [], False),
        (
            {"attribute": "x", "op": "before", "value": "9999-12-31"},
            {"x": "9999-12-30T23:59:59-14:59"},
            [],
            False,
        ),
        ({"attribute": "x", "op": "after", "value": "2024-02-28"}, {"x": "2024-02-29"}, [], True),
        ({"attribute": "x", "op": "after", "value": "2024-02-28"}, {"x": "2025-02-29"}, [], False),
        ({"attribute": "x", "op": "after", "value": "2024-02-28"}, {"x": "2024-02-29\n"}, [], False),
        ({"attribute": "x", "op": "before", "value": "2026-01-01"}, {"x": ["2025-01-01"]}, [], False),
        ({"attribute": "x", "op": "ends_with", "value": "𝒳y"}, {"x": "a𝒳y"}, [], True),
    ],
)
def test_both_evaluators_know_the_edge_cases(
    environment: Environment, rule: Any, attributes: dict[str, Any], values: list[float], answer: bool
) -> None:
    profile = Profile(attributes, [Event("buy", NOW - timedelta(days=1), value) for value in values])
    store({"u": profile}, environment)
    assert matches(parse(rule), profile, NOW) is answer
    assert members(parse(rule), environment, {}) == ({"u"} if answer else set())


def test_units_of_another_type_or_environment_are_not_members(environment: Environment) -> None:
    elsewhere = EnvironmentFactory(project=environment.project)
    bought = Profile({"x": 1}, [Event("buy", NOW - timedelta(days=1))])
    store({"here": bought}, environment)
    store({"device": bought}, environment, unit_type="device")
    store({"there": bought}, elsewhere)
    rule = parse(
        {
            "all": [
                {"attribute": "x", "op": "eq", "value": 1},
                {"event": "buy", "aggregate": "count", "op": "eq", "value": 1},
            ]
        }
    )
    assert members(rule, environment, {}) == {"here"}


def test_events_of_the_same_id_elsewhere_do_not_count(environment: Environment) -> None:
    elsewhere = EnvironmentFactory(project=environment.project)
    store({"u": Profile()}, environment)
    store({"u": Profile(events=[Event("buy", NOW - timedelta(days=1))])}, elsewhere)
    assert (
        members(parse({"event": "buy", "recency": {"op": "within_days", "days": 7}}), environment, {})
        == set()
    )


def test_an_injection_string_is_a_value_like_any_other(environment: Environment) -> None:
    text = "x'; DROP TABLE events_profile; -- %s %(p0)s \\"
    store({"u": Profile({text: text}), "v": Profile({text: "other"})}, environment)
    for op in ("eq", "contains", "starts_with", "ends_with"):
        assert members(parse({"attribute": text, "op": op, "value": text}), environment, {}) == {"u"}
    assert members(parse({"attribute": text, "op": "in", "value": [text]}), environment, {}) == {"u"}


def test_one_segment_named_twice_is_computed_once(environment: Environment) -> None:
    node = InSegment("seg_a", 1)
    rule = parse({"any": [encode(node), {"not": encode(node)}]})
    query = compile_members(
        rule, Scope(environment.pk, "user"), NOW, lambda n: parse({"attribute": "x", "op": "is_set"})
    )
    assert query.ctes.count("'null'") == 1
