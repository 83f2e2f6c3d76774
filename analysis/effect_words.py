"""Effects and values as short words: the same on pages, in mails, on the command line and in exports."""

import math
from dataclasses import dataclass
from typing import Literal

from analysis.inputs import MetricFacts
from analysis.stats.compare import Comparison, Lift
from analysis.stats.estimable import Direction, Interval, NotEstimable, sign_of
from analysis.stats.wording import decimals_for, format_plain, format_signed
from core.formatting import MISSING, NBSP, p_value

Judgement = Literal["good", "bad", "unclear"]
JUDGEMENT_WORDS: dict[Judgement, str] = {"good": "better", "bad": "worse", "unclear": "no clear difference"}


@dataclass(frozen=True, slots=True)
class EffectWords:
    """One effect: lift and interval in words (relative where it exists), the mark, and what it means.

    reason: why there is no number; then lift and interval are dashes.
    """

    lift: str
    interval: str
    difference: str
    difference_interval: str
    mark: str
    judgement: Judgement
    word: str
    p_text: str
    reason: str


def describe_comparison(
    comparison: Comparison | NotEstimable,
    metric: MetricFacts,
    p_adjusted: float | NotEstimable | None = None,
) -> EffectWords:
    """Put a comparison into words. The mark is judged by the interval, as the picture is."""
    if isinstance(comparison, NotEstimable):
        return _unknown(comparison.reason)
    is_rate = metric.spec.kind == "conversion"
    judgement = judge(comparison.absolute, metric.direction)
    absolute = _absolute(comparison, is_rate=is_rate)
    relative = comparison.relative
    shown = _relative(relative) if isinstance(relative, Lift) else absolute
    return EffectWords(
        lift=shown[0],
        interval=shown[1],
        difference=absolute[0],
        difference_interval=absolute[1],
        mark=mark_of(comparison.absolute),
        judgement=judgement,
        word=JUDGEMENT_WORDS[judgement],
        p_text=_p_text(comparison.p_value if p_adjusted is None else p_adjusted),
        reason="" if isinstance(relative, Lift) else relative.reason,
    )


def describe_pair(a: float, b: float, metric: MetricFacts) -> tuple[str, str]:
    """Print both arms with the same number of digits: rates as %, anything else with the metric's unit."""
    is_rate = metric.spec.kind == "conversion"
    scale, unit = (100.0, f"{NBSP}%") if is_rate else (1.0, _unit(metric))
    largest = max(abs(a), abs(b)) * scale
    decimals = max(0, min(6, 2 - math.floor(math.log10(largest)))) if largest > 0.0 else 0
    return f"{format_plain(a * scale, decimals)}{unit}", f"{format_plain(b * scale, decimals)}{unit}"


def describe_value(value: float, metric: MetricFacts) -> str:
    """Print one arm's number."""
    return describe_pair(value, value, metric)[0]


def _unit(metric: MetricFacts) -> str:
    return f"{NBSP}{metric.unit_label}" if metric.unit_label else ""


def mark_of(interval: Interval) -> str:
    """Return ▲ above 0, ▼ below, ● when the interval holds 0."""
    if interval.low > 0.0:
        return "▲"
    return "▼" if interval.high < 0.0 else "●"


def judge(interval: Interval, direction: Direction) -> Judgement:
    """Say whether an interval lies on the good side, the bad side, or holds 0."""
    if not interval.excludes(0.0):
        return "unclear"
    return "good" if interval.low * sign_of(direction) > 0.0 else "bad"


def _relative(lift: Lift) -> tuple[str, str]:
    return _scaled(lift.value, lift.interval, 100.0, " %")


def _absolute(comparison: Comparison, *, is_rate: bool) -> tuple[str, str]:
    scale, unit = (100.0, " points") if is_rate else (1.0, "")
    return _scaled(comparison.difference, comparison.absolute, scale, unit)


def _scaled(value: float, interval: Interval, scale: float, unit: str) -> tuple[str, str]:
    low, high = interval.low * scale, interval.high * scale
    digits = decimals_for(low, high)
    bounds = f"{format_plain(low, digits)} to {format_plain(high, digits)}{unit}"
    return f"{format_signed(value * scale, digits)}{unit}", bounds


def _p_text(value: float | NotEstimable) -> str:
    return MISSING if isinstance(value, NotEstimable) else p_value(value)


def _unknown(reason: str) -> EffectWords:
    dash = MISSING
    return EffectWords(dash, dash, dash, dash, "○", "unclear", "not estimable", dash, reason)
