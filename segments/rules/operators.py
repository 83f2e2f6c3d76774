"""What can be asked of a value: the operators, the operands they take, and their words."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeAlias


class ValueType(StrEnum):
    """The types of registered attributes."""

    STRING = "string"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATETIME = "datetime"
    LIST = "list"


Arity: TypeAlias = Literal["none", "one", "pair", "many"]

EVERY_TYPE = frozenset(ValueType)
SCALAR_TYPES = frozenset({ValueType.STRING, ValueType.NUMBER, ValueType.BOOLEAN})
NUMBER_ONLY = frozenset({ValueType.NUMBER})
STRING_ONLY = frozenset({ValueType.STRING})
DATETIME_ONLY = frozenset({ValueType.DATETIME})


@dataclass(frozen=True, slots=True)
class Operator:
    """One comparison: how many operands it takes, of which types, and how it reads."""

    name: str
    words: str
    arity: Arity
    types: frozenset[ValueType]


def _table(*operators: Operator) -> dict[str, Operator]:
    return {operator.name: operator for operator in operators}


ATTRIBUTE_OPERATORS = _table(
    Operator("eq", "is", "one", SCALAR_TYPES),
    Operator("ne", "is not", "one", SCALAR_TYPES),
    Operator("lt", "is less than", "one", NUMBER_ONLY),
    Operator("lte", "is at most", "one", NUMBER_ONLY),
    Operator("gt", "is more than", "one", NUMBER_ONLY),
    Operator("gte", "is at least", "one", NUMBER_ONLY),
    Operator("between", "is between", "pair", NUMBER_ONLY | DATETIME_ONLY),
    Operator("in", "is one of", "many", SCALAR_TYPES),
    Operator("not_in", "is none of", "many", SCALAR_TYPES),
    Operator("is_set", "is known", "none", EVERY_TYPE),
    Operator("is_not_set", "is not known", "none", EVERY_TYPE),
    Operator("contains", "contains", "one", STRING_ONLY),
    Operator("starts_with", "starts with", "one", STRING_ONLY),
    Operator("ends_with", "ends with", "one", STRING_ONLY),
    Operator("before", "is before", "one", DATETIME_ONLY),
    Operator("after", "is after", "one", DATETIME_ONLY),
)

AGGREGATE_OPERATORS = {
    name: ATTRIBUTE_OPERATORS[name] for name in ("eq", "ne", "lt", "lte", "gt", "gte", "between")
}

RECENCY_OPERATORS = {"within_days": "happened", "not_within_days": "did not happen"}

AGGREGATES = ("count", "sum")


def operators_for(value_type: ValueType) -> tuple[str, ...]:
    """Return the names of the attribute operators that a value of this type can be asked."""
    return tuple(name for name, operator in ATTRIBUTE_OPERATORS.items() if value_type in operator.types)
