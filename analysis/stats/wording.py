"""Numbers as people read them: at most three significant digits, and never without their interval."""

import math

from analysis.stats.compare import Comparison
from analysis.stats.estimable import NotEstimable


def format_signed(value: float, decimals: int) -> str:
    """Format with an explicit sign, a true minus, and no sign on a rounded zero: +4.2, −0.31, 0.0."""
    text = format_plain(value, decimals)
    return f"+{text}" if value > 0 and float(f"{value:.{decimals}f}") != 0.0 else text


def format_plain(value: float, decimals: int) -> str:
    """Format with thousands separators and a true minus: 1,204, −0.31."""
    text = f"{value:,.{decimals}f}"
    if float(text.replace(",", "")) == 0.0:
        text = text.removeprefix("-")
    return text.replace("-", "−")


def format_count(value: float) -> str:
    """Format a count: 12,300."""
    return f"{round(value):,}"


def format_days(days: int) -> str:
    """Format a number of days: 1 day, 14 days."""
    return "1 day" if days == 1 else f"{days:,} days"


def format_p(p_value: float) -> str:
    """Format a p-value with its sign of comparison: p = 0.031, p < 0.0001."""
    if p_value < 0.0001:
        return "p < 0.0001"
    return f"p = {p_value:.2g}"


def decimals_for(low: float, high: float) -> int:
    """Choose decimals: two digits of the half width, but at most three digits of the larger bound."""
    half_width = (high - low) / 2
    largest = max(abs(low), abs(high))
    if not math.isfinite(half_width) or half_width <= 0.0:
        return 1
    by_width = 1 - math.floor(math.log10(half_width))
    by_size = 2 - math.floor(math.log10(largest))
    return max(0, min(by_width, by_size, 8))


def describe_effect(comparison: Comparison, metric: str, *, is_rate: bool = False) -> str:
    """Say the effect in words: `+4.2 % conversion (95 % CI 1.1 to 7.4)`; absolute where no lift exists.

    is_rate: the absolute difference is a share, said in percentage points.
    """
    value, interval, scale, unit = comparison.difference, comparison.absolute, 1.0, ""
    if not isinstance(comparison.relative, NotEstimable):
        value, interval, scale, unit = comparison.relative.value, comparison.relative.interval, 100.0, " %"
    elif is_rate:
        scale, unit = 100.0, " percentage points"
    low, high = interval.low * scale, interval.high * scale
    digits = decimals_for(low, high)
    bounds = f"{format_plain(low, digits)} to {format_plain(high, digits)}"
    level = format_level(comparison.alpha)
    return f"{format_signed(value * scale, digits)}{unit} {metric} ({level} CI {bounds})"


def format_level(alpha: float) -> str:
    """Format an interval's level: 95 %, 97.5 %."""
    return f"{100.0 * (1.0 - alpha):.4g} %"


def join_words(words: list[str]) -> str:
    """Join into prose: a, b and c."""
    if len(words) <= 1:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"
