"""Numbers, times and money as people read them; pages, mails and command lines all print through here.

Numbers have at most three significant digits; counts are exact. None prints as a dash. The space before a unit
is a no-break space, and a minus is a real minus sign.
"""

import math
from collections.abc import Callable
from datetime import datetime, timedelta

NBSP = "\u00a0"
MINUS = "\u2212"
MISSING = "–"
SIGNIFICANT_DIGITS = 3
_SYMBOLS = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥"}
_DURATION_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))

Number = int | float


def number(value: Number | None) -> str:
    """Return a number with at most three significant digits: 0.01234 → "0.0123", 12345 → "12,300"."""
    if value is None:
        return MISSING
    if not math.isfinite(value):
        return "∞" if value > 0 else f"{MINUS}∞" if value < 0 else MISSING
    if value == 0:
        return "0"
    magnitude = math.floor(math.log10(abs(value)))
    rounded = round(value, SIGNIFICANT_DIGITS - 1 - magnitude)
    decimals = max(0, SIGNIFICANT_DIGITS - 1 - math.floor(math.log10(abs(rounded))))
    text = f"{abs(rounded):,.{decimals}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return f"{MINUS}{text}" if value < 0 else text


def signed_number(value: Number | None) -> str:
    """Return a number with its sign: "+4.2", "−1", and "0" bare."""
    return _signed(value, number)


def count(value: int | None) -> str:
    """Return a whole number exactly: 12345 → "12,345"."""
    if value is None:
        return MISSING
    return f"{value:,}".replace("-", MINUS)


def percent(rate: Number | None) -> str:
    """Return a rate (0..1) as a percentage: 0.0421 → "4.21 %"."""
    return MISSING if rate is None else f"{number(rate * 100)}{NBSP}%"


def signed_percent(rate: Number | None) -> str:
    """Return a relative change with its sign: 0.042 → "+4.2 %"."""
    return _signed(rate, percent)


def _signed(value: Number | None, show: Callable[[Number], str]) -> str:
    if value is None:
        return MISSING
    return f"+{show(value)}" if value > 0 else show(value)


def basis_points(value: Number | None) -> str:
    """Return a share in basis points as a percentage: 2500 → "25 %"."""
    return MISSING if value is None else percent(value / 10_000)


def interval(low: Number | None, high: Number | None) -> str:
    """Return both ends: "1.1 to 7.4"."""
    return MISSING if low is None or high is None else f"{number(low)} to {number(high)}"


def percent_interval(low: Number | None, high: Number | None) -> str:
    """Return both ends of an interval of rates: "−1.1 % to 7.4 %"."""
    return MISSING if low is None or high is None else f"{percent(low)} to {percent(high)}"


def money(amount: Number | None, currency: str) -> str:
    """Return an amount: cents below 100, three significant digits above: "€12.30", "€12,300", "84 CHF"."""
    if amount is None:
        return MISSING
    size = abs(amount)
    text = f"{size:,.2f}" if size < 100 and currency != "JPY" else number(float(f"{size:.3g}"))
    text = text.removesuffix(".00")
    symbol = _SYMBOLS.get(currency)
    shown = f"{symbol}{text}" if symbol else f"{text}{NBSP}{currency}"
    return f"{MINUS}{shown}" if amount < 0 else shown


def p_value(p: float | None) -> str:
    """Return a p-value with two digits of substance: "0.012", "0.34", "<0.001"."""
    if p is None:
        return MISSING
    if p < 0.001:
        return "<0.001"
    return f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def duration(span: timedelta | Number | None) -> str:
    """Return the two largest units of a span (seconds or timedelta): "2 h 5 min"."""
    if span is None:
        return MISSING
    seconds = round(span.total_seconds() if isinstance(span, timedelta) else span)
    if seconds < 1:
        return f"0{NBSP}s"
    parts: list[tuple[int, str]] = []
    for unit, size in _DURATION_UNITS:
        amount, seconds = divmod(seconds, size)
        if amount or parts:
            parts.append((amount, unit))
        if len(parts) == 2:
            break
    return " ".join(f"{amount}{NBSP}{unit}" for amount, unit in parts if amount)


def days(amount: Number | None) -> str:
    """Return whole days, rounded up: "1 day", "14 days"."""
    if amount is None:
        return MISSING
    whole = math.ceil(amount)
    return f"{whole:,}{NBSP}{'day' if whole == 1 else 'days'}"


def moment(at: datetime | None) -> str:
    """Return an aware datetime with its zone: "24 Nov 2026, 14:50 UTC"."""
    if at is None:
        return MISSING
    return f"{at.day} {at:%b %Y, %H:%M} {at:%Z}"


def direction_mark(low: Number | None, high: Number | None) -> str:
    """Return ▲ when an interval lies above 0, ▼ when below, ● when it holds 0 or is not known."""
    if low is not None and low > 0:
        return "▲"
    if high is not None and high < 0:
        return "▼"
    return "●"
