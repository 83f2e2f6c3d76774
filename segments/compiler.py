"""The SQL evaluator: a rule as one parameterised query for the units it is true of.

`segments.rules.matching` says the same in memory. Only fixed text and generated names (`e1`, `s1`) become SQL;
every name and constant of a rule travels as a parameter. A leaf is TRUE or FALSE, never NULL, so that NOT is
a plain negation here too. Units looked at: those with a profile, and those without one that the events or
segments of the rule bring in.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from segments.rules.nodes import (
    AllOf,
    AnyOf,
    AttributeTest,
    EventAggregate,
    EventRecency,
    InSegment,
    Not,
    Operand,
    Rule,
    Scalar,
)
from segments.rules.values import DATE_LENGTH, DATETIME_PATTERN, EXACT_FLOATS, exact_decimal, value_type
from segments.rules.windows import window_before

MIDNIGHT = "T00:00:00Z"
_COMPARISONS = {"eq": "=", "ne": "<>", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose units are meant."""

    environment_id: int
    unit_type: str


@dataclass(frozen=True, slots=True)
class Query:
    """Common table expressions for `WITH {ctes}`, the last being `members(unit_id)`, and their parameters."""

    ctes: str
    params: dict[str, Any]


def compile_members(rule: Rule, scope: Scope, now: datetime, rule_of: Callable[[InSegment], Rule]) -> Query:
    """Return the query for the units of `scope` for which the rule is true at `now` (aware).

    rule_of: the rule of a segment version that the rule names, at any depth; names never go in a circle.
    """
    compiler = _Compiler(scope, now, rule_of)
    compiler.ctes["members"] = compiler.select(rule)
    ctes = ",\n".join(f"{name} AS ({sql})" for name, sql in compiler.ctes.items())
    return Query(ctes=ctes, params=compiler.params)


@dataclass
class _Select:
    """One SELECT over profiles being built: the tables its conditions join."""

    joins: dict[str, None] = field(default_factory=dict)


class _Compiler:
    def __init__(self, scope: Scope, now: datetime, rule_of: Callable[[InSegment], Rule]) -> None:
        self.now = now
        self.rule_of = rule_of
        self.params: dict[str, Any] = {}
        self.ctes: dict[str, str] = {}
        self.names: dict[object, str] = {}
        self.environment = f"{self.bind(scope.environment_id)}::bigint"
        self.unit_type = f"{self.bind(scope.unit_type)}::text"

    def bind(self, value: Any) -> str:
        """Add a parameter and return its placeholder."""
        name = f"p{len(self.params)}"
        self.params[name] = value
        return f"%({name})s"

    def shared(self, key: object, prefix: str, build: Callable[[], str]) -> str:
        """Return the name of the common table expression for `key`, made once."""
        if key not in self.names:
            sql = build()
            self.names[key] = f"{prefix}{len(self.names) + 1}"
            self.ctes[self.names[key]] = sql
        return self.names[key]

    def select(self, rule: Rule) -> str:
        """Return the SELECT of the unit ids for which the rule is true."""
        select = _Select()
        predicate = self.predicate(rule, select)
        joins = "".join(f" LEFT JOIN {name} ON {name}.unit_id = p.unit_id" for name in select.joins)
        return f"SELECT p.unit_id FROM {self.units(select)} p{joins} WHERE {predicate}"  # noqa: S608

    def units(self, select: _Select) -> str:
        """Return the table of units and their attributes, as a subquery."""
        own = f"q.environment_id = {self.environment} AND q.unit_type = {self.unit_type}"
        profiles = f"SELECT q.unit_id, q.attributes FROM events_profile q WHERE {own}"  # noqa: S608
        if not select.joins:
            return f"({profiles})"
        met = " UNION ".join(f"SELECT unit_id FROM {name}" for name in select.joins)  # noqa: S608
        unknown = f"NOT EXISTS (SELECT 1 FROM events_profile q WHERE {own} AND q.unit_id = met.unit_id)"  # noqa: S608
        return f"({profiles} UNION ALL SELECT met.unit_id, '{{}}'::jsonb FROM ({met}) met WHERE {unknown})"  # noqa: S608

    def predicate(self, rule: Rule, select: _Select) -> str:  # one return a kind of node
        """Return a boolean SQL expression over profile `p` and the tables it adds to `select`."""
        match rule:
            case AllOf(nodes):
                return f"({' AND '.join(self.predicate(node, select) for node in nodes)})"
            case AnyOf(nodes):
                return f"({' OR '.join(self.predicate(node, select) for node in nodes)})"
            case Not(child):
                return f"(NOT {self.predicate(child, select)})"
            case AttributeTest():
                return f"(({self.attribute(rule)}) IS TRUE)"
            case EventAggregate():
                return self.aggregate(rule, select)
            case EventRecency():
                done = self.events(rule.event, rule.days, None, select)
                return f"({done}.unit_id IS {'NOT NULL' if rule.op == 'within_days' else 'NULL'})"
            case InSegment():
                name = self.shared(rule, "s", lambda: self.select(self.rule_of(rule)))
                select.joins[name] = None
                return f"({name}.unit_id IS NOT NULL)"

    def aggregate(self, test: EventAggregate, select: _Select) -> str:
        summed = (
            None
            if test.aggregate == "count"
            else ("value" if test.property is None else ("of", test.property))
        )
        name = self.events(test.event, test.window_days, summed, select)
        number = f"COALESCE({name}.{'n' if summed is None else 'total'}, 0)"
        if isinstance(test.value, tuple):
            low, high = (self.number(bound) for bound in test.value)
            return f"({number} BETWEEN {low} AND {high})"
        return f"({number} {_COMPARISONS[test.op]} {self.number(test.value)})"

    def events(self, event: str, days: int | None, summed: object, select: _Select) -> str:
        """Join the units that did the event in the window, with `n` and, where asked for, `total`."""
        name = self.shared((event, days, summed), "e", lambda: self.event_table(event, days, summed))
        select.joins[name] = None
        return name

    def event_table(self, event: str, days: int | None, summed: object) -> str:
        window = window_before(self.now, days)
        conditions = [
            f"environment_id = {self.environment}",
            f"unit_type = {self.unit_type}",
            f"name = {self.bind(event)}::text",
            f"occurred_at < {self.bind(window.end)}::timestamptz",
        ]
        if window.start is not None:
            conditions.append(f"occurred_at >= {self.bind(window.start)}::timestamptz")
        total = "" if summed is None else f", sum({self.summand(summed)}) AS total"
        where = " AND ".join(conditions)
        return f"SELECT unit_id, count(*) AS n{total} FROM events_event WHERE {where} GROUP BY unit_id"  # noqa: S608

    def summand(self, summed: object) -> str:
        """Return what is summed, as the decimal that JSON writes for it."""
        if not isinstance(summed, tuple):
            # A cast from float to numeric would round to 15 digits; by way of text it does not.
            return f"CASE WHEN abs(value) < {EXACT_FLOATS} THEN value::text::numeric END"
        field_sql = f"(properties -> {self.bind(summed[1])}::text)"
        return f"CASE WHEN jsonb_typeof({field_sql}) = 'number' THEN {field_sql}::numeric END"

    def number(self, value: Operand) -> str:
        if not isinstance(value, int | float):
            raise TypeError(f"{value!r} is not a number")
        return f"{self.bind(str(exact_decimal(value)))}::numeric"

    def attribute(self, test: AttributeTest) -> str:
        """Return an expression that may be NULL where the attribute is absent."""
        key = f"{self.bind(test.attribute)}::text"
        found, text = f"(p.attributes -> {key})", f"(p.attributes ->> {key})"
        if test.op in ("is_set", "is_not_set"):
            known = f"jsonb_typeof({found}) <> 'null'"
            return known if test.op == "is_set" else f"({known}) IS NOT TRUE"
        if test.op in ("contains", "starts_with", "ends_with"):
            return f"jsonb_typeof({found}) = 'string' AND {self.text_test(test, text)}"
        if test.op in ("before", "after") or (test.op == "between" and _of_moments(test.value)):
            return self.moment_test(test, text)
        return self.scalar_test(test, found)

    def text_test(self, test: AttributeTest, text: str) -> str:
        part = f"{self.bind(test.value)}::text"
        if test.op == "contains":
            return f"strpos({text}, {part}) > 0"
        if test.op == "starts_with":
            return f"starts_with({text}, {part})"
        return f"right({text}, length({part})) = {part}"

    def moment_test(self, test: AttributeTest, text: str) -> str:
        """Compare points in time; CASE keeps the cast away from what names none (only a JSON text can fit)."""
        pattern = f"{self.bind(DATETIME_PATTERN)}::text"
        full = f"CASE WHEN length({text}) = {DATE_LENGTH} THEN {text} || '{MIDNIGHT}' ELSE {text} END"
        moment = f"({full})::timestamptz"
        if isinstance(test.value, tuple):
            low, high = (self.moment(bound) for bound in test.value)
            holds = f"{moment} BETWEEN {low} AND {high}"
        else:
            holds = f"{moment} {'<' if test.op == 'before' else '>'} {self.moment(test.value)}"
        return f"CASE WHEN {text} ~ {pattern} THEN {holds} END"

    def moment(self, value: Operand) -> str:
        text = str(value)
        return f"{self.bind(text + MIDNIGHT if len(text) == DATE_LENGTH else text)}::timestamptz"

    def scalar_test(self, test: AttributeTest, found: str) -> str:
        """Compare as jsonb, where numbers compare as exact decimals and never equal a text."""
        if test.op == "between" and isinstance(test.value, tuple):
            low, high = (self.json(bound) for bound in test.value)
            return f"{self.has_type(found, test.value[0])} AND {found} BETWEEN {low} AND {high}"
        if isinstance(test.value, tuple):
            values = f"{self.bind([_json_text(value) for value in test.value])}::text[]::jsonb[]"
            negation = "NOT " if test.op == "not_in" else ""
            return f"{self.has_type(found, test.value[0])} AND {negation}{found} = ANY ({values})"
        return (
            f"{self.has_type(found, test.value)} AND {found} {_COMPARISONS[test.op]} {self.json(test.value)}"
        )

    def has_type(self, found: str, like: Operand) -> str:
        return f"jsonb_typeof({found}) = {self.bind(str(value_type(like)))}::text"

    def json(self, value: Operand) -> str:
        return f"{self.bind(_json_text(value))}::jsonb"


def _of_moments(value: Operand) -> bool:
    return isinstance(value, tuple) and isinstance(value[0], str)


def _json_text(value: Operand | Scalar) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
