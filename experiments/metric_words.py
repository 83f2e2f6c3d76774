"""What a metric counts, as one plain sentence."""

from typing import Protocol


class MetricDefinition(Protocol):
    """The fields of a metric that decide its number."""

    kind: str
    event_name: str
    window_days: int | None
    cap: float | None
    direction: str


def metric_sentence(metric: MetricDefinition) -> str:
    """Return what the metric counts, from when to when, its cap, and which way is good."""
    return f"{_counts(metric)} {_window(metric.window_days)}{_cap(metric)}. {_direction(metric.direction)}"


def _counts(metric: MetricDefinition) -> str:
    event = f"“{metric.event_name}”"
    match metric.kind:
        case "conversion":
            return f"The share of exposed units with at least one {event} event"
        case "count":
            return f"The number of {event} events per exposed unit"
        case "sum":
            return f"The total value of {event} events per exposed unit"
        case "mean":
            return f"The average value of one {event} event"
    raise ValueError(f"unknown kind of metric: {metric.kind}")


def _window(window_days: int | None) -> str:
    if window_days is None:
        return "from the unit's first exposure until the experiment ends"
    if window_days == 1:
        return "within 1 day of the unit's first exposure"
    return f"within {window_days} days of the unit's first exposure"


def _cap(metric: MetricDefinition) -> str:
    if metric.cap is None or metric.kind == "conversion":
        return ""
    return f", where a unit counts as {metric.cap:g} at most"


def _direction(direction: str) -> str:
    return "More is better." if direction == "increase" else "Less is better."
