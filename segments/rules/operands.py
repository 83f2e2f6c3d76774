"""Reading the constants of a rule: every refusal names its place and its reason."""

import math
from collections.abc import Mapping

from segments.rules.nodes import Operand, Scalar
from segments.rules.operators import Operator, ValueType, operators_for
from segments.rules.spelling import did_you_mean, quoted
from segments.rules.values import is_clean_text, parse_datetime, value_type
from segments.rules.vocabulary import Findings

MAX_TEXT = 1_000
MAX_NAME = 200
MAX_LIST = 1_000
MAX_NUMBER = 1e300

type_words = {
    ValueType.STRING: "a text",
    ValueType.NUMBER: "a number",
    ValueType.BOOLEAN: "true or false",
    ValueType.DATETIME: "a date such as 2026-01-31 or 2026-01-31T12:00:00Z",
    ValueType.LIST: "a list",
}


def read_name(value: object, pointer: str, what: str, findings: Findings) -> str | None:
    """Return a name of 1 to 200 clean characters, or note why it is none."""
    if not isinstance(value, str) or not value:
        findings.add(pointer, "expected_name", f"The {what} must be a non-empty text.")
    elif len(value) > MAX_NAME:
        findings.add(pointer, "too_long", f"The {what} is longer than {MAX_NAME} characters.")
    elif not is_clean_text(value):
        findings.add(pointer, "bad_text", f"The {what} contains a NUL character or half of a surrogate pair.")
    else:
        return value
    return None


def read_operator(
    value: object, pointer: str, operators: Mapping[str, object], findings: Findings
) -> str | None:
    """Return the name of a known operator, or note the near ones."""
    if isinstance(value, str) and value in operators:
        return value
    name = value if isinstance(value, str) else repr(value)
    near = did_you_mean(name, operators) or f" Use one of: {', '.join(operators)}."
    findings.add(pointer, "unknown_operator", f"There is no operator {quoted(name)}.{near}")
    return None


def read_days(value: object, pointer: str, longest: int, findings: Findings) -> int | None:
    """Return a whole number of days from 1 to `longest`."""
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= longest:
        return value
    findings.add(pointer, "bad_window", f"A window is a whole number of days from 1 to {longest:,}.")
    return None


def read_operand(
    value: object, operator: Operator, registered: ValueType | None, pointer: str, findings: Findings
) -> Operand:
    """Return the constant of a comparison in the shape its operator takes.

    registered: the type of the attribute it is compared with, None when that is not known.
    """
    if registered is not None and registered not in operator.types:
        usable = ", ".join(operators_for(registered))
        findings.add(
            pointer.rsplit("/", 1)[0] + "/op",
            "operator_not_for_type",
            f"{quoted(operator.name)} cannot be asked of a {registered} attribute. Use one of: {usable}.",
        )
        return None
    types = operator.types if registered is None else frozenset({registered})
    if operator.arity == "one":
        return _read_scalar(value, types, pointer, findings)
    return _read_list(value, operator, types, pointer, findings)


def _read_list(
    value: object, operator: Operator, types: frozenset[ValueType], pointer: str, findings: Findings
) -> Operand:
    if not isinstance(value, list | tuple) or (operator.arity == "pair" and len(value) != 2):
        wanted = "[low, high]" if operator.arity == "pair" else "a list of values"
        findings.add(pointer, "expected_list", f"{quoted(operator.name)} needs {wanted}.")
        return None
    if not 1 <= len(value) <= MAX_LIST:
        findings.add(
            pointer, "bad_list_length", f"A list has 1 to {MAX_LIST:,} values; this one has {len(value):,}."
        )
        return None
    items = [_read_scalar(item, types, f"{pointer}/{i}", findings) for i, item in enumerate(value)]
    known = tuple(item for item in items if item is not None)
    if len(known) < len(items):
        return None
    if len({value_type(item) for item in known}) > 1:
        findings.add(pointer, "mixed_types", "All values of a list must have the same type.")
        return None
    return _in_order(known, pointer, findings) if operator.arity == "pair" else known


def _in_order(pair: tuple[Scalar, ...], pointer: str, findings: Findings) -> Operand:
    low, high = (parse_datetime(bound) if isinstance(bound, str) else bound for bound in pair)
    if low > high:  # type: ignore[operator]  # both are numbers or both are datetimes by now
        findings.add(pointer, "empty_range", "The lower end of the range is above its upper end.")
        return None
    return pair


def _read_scalar(
    value: object, types: frozenset[ValueType], pointer: str, findings: Findings
) -> Scalar | None:
    fault = _fault(value, types)
    if fault is not None or not isinstance(value, str | int | float):
        findings.add(pointer, *(fault or ("wrong_type", "Expected a plain value.")))
        return None
    return value


def _fault(value: object, types: frozenset[ValueType]) -> tuple[str, str] | None:
    """Return code and detail of what is wrong with a scalar constant."""
    if isinstance(value, float) and not math.isfinite(value):
        return "not_finite", "NaN and infinity are not numbers a rule can use."
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) > MAX_NUMBER:
        return "number_too_large", f"The number is beyond ±{MAX_NUMBER:g}."
    if isinstance(value, str) and len(value) > MAX_TEXT:
        return "too_long", f"The text is longer than {MAX_TEXT:,} characters."
    if isinstance(value, str) and not is_clean_text(value):
        return "bad_text", "The text contains a NUL character or half of a surrogate pair."
    if value_type(value) in types or (ValueType.DATETIME in types and parse_datetime(value) is not None):
        return None
    wanted = " or ".join(type_words[kind] for kind in ValueType if kind in types and kind in type_words)
    return "wrong_type", f"Expected {wanted}."
