"""Comparisons of one value with the constants of a rule.

A value that is absent, null or of another type than the constant makes every comparison false, also `ne` and
`not_in`: nothing is concluded from what is not known.
"""

import operator
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeAlias

from segments.rules.nodes import Operand, Scalar
from segments.rules.operators import ValueType
from segments.rules.values import exact_decimal, exact_number, parse_datetime, value_type

Check: TypeAlias = Callable[[object], bool]
NumberCheck: TypeAlias = Callable[[Decimal], bool]

_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
}
_TEXT: dict[str, Callable[[str, str], bool]] = {
    "contains": lambda text, part: part in text,
    "starts_with": lambda text, part: text.startswith(part),
    "ends_with": lambda text, part: text.endswith(part),
}


def attribute_check(op: str, operand: Operand) -> Check:
    """Return the test of an attribute's value for one operator of `ATTRIBUTE_OPERATORS` and its operand."""
    if op in ("is_set", "is_not_set"):
        return (lambda value: value is not None) if op == "is_set" else (lambda value: value is None)
    if op in _TEXT:
        return _text_check(op, operand)
    if op in ("before", "after"):
        return _moment_check(op, operand)
    if op == "between":
        return _between_check(operand)
    return _scalar_check(op, operand)


def number_check(op: str, operand: Operand) -> NumberCheck:
    """Return the test of a computed number for one operator of `AGGREGATE_OPERATORS` and its operand."""
    if isinstance(operand, tuple):
        low, high = (exact_decimal(_number(bound)) for bound in operand)
        return lambda number: low <= number <= high
    bound, holds = exact_decimal(_number(operand)), _ORDER[op]
    return lambda number: holds(number, bound)


def _text_check(op: str, operand: Operand) -> Check:
    holds, part = _TEXT[op], str(operand)
    return lambda value: isinstance(value, str) and holds(value, part)


def _moment_check(op: str, operand: Operand) -> Check:
    bound, holds = _moment(operand), _ORDER["lt" if op == "before" else "gt"]

    def check(value: object) -> bool:
        moment = parse_datetime(value)
        return moment is not None and holds(moment, bound)

    return check


def _between_check(operand: Operand) -> Check:
    if not isinstance(operand, tuple):
        raise TypeError(f"between needs a pair, not {operand!r}")
    read: Callable[[object], Any] = parse_datetime if isinstance(operand[0], str) else exact_number
    low, high = (read(bound) for bound in operand)

    def check(value: object) -> bool:
        known = read(value)
        return known is not None and bool(low <= known <= high)

    return check


def _scalar_check(op: str, operand: Operand) -> Check:
    if isinstance(operand, tuple):
        wanted_type, constants = value_type(operand[0]), frozenset(_comparable(v) for v in operand)
        wanted = op == "in"
        return lambda value: value_type(value) is wanted_type and (_comparable(value) in constants) is wanted
    wanted_type, constant, holds = value_type(operand), _comparable(operand), _ORDER[op]
    if wanted_type is not ValueType.NUMBER:
        return lambda value: value_type(value) is wanted_type and holds(value, constant)

    def check(value: object) -> bool:
        number = exact_number(value)
        return number is not None and holds(number, constant)

    return check


def _comparable(value: object) -> Scalar | None:
    return value if isinstance(value, bool | str) else exact_number(value)


def _number(operand: Operand) -> int | float:
    if isinstance(operand, int | float):
        return operand
    raise TypeError(f"{operand!r} is not a number")


def _moment(operand: Operand) -> datetime:
    moment = parse_datetime(operand)
    if moment is None:
        raise TypeError(f"{operand!r} is not a point in time")
    return moment
