"""The filters and tags of every template: thin covers over `core.formatting`."""

import json
from datetime import datetime
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from core import formatting

register = template.Library()

register.filter("number", formatting.number)
register.filter("signed_number", formatting.signed_number)
register.filter("count", formatting.count)
register.filter("percent", formatting.percent)
register.filter("signed_percent", formatting.signed_percent)
register.filter("bp", formatting.basis_points)
register.filter("interval", formatting.interval)
register.filter("percent_interval", formatting.percent_interval)
register.filter("money", formatting.money)
register.filter("p_value", formatting.p_value)
register.filter("duration", formatting.duration)
register.filter("days", formatting.days)

_LIFT_WORDS = {"good": "better", "bad": "worse", "unclear": "no clear difference"}


@register.filter
def moment_text(at: datetime | None) -> str:
    """Print a moment in the current zone (a project's pages run in its own)."""
    return formatting.moment(timezone.localtime(at) if at else None)


@register.filter
def moment(at: datetime | None) -> str | SafeString:
    """Print a moment as a `<time>` element."""
    if at is None:
        return formatting.MISSING
    return format_html('<time datetime="{}">{}</time>', at.isoformat(timespec="seconds"), moment_text(at))


@register.filter
def pretty_json(value: Any) -> str:
    """Print a JSON value indented, keys sorted."""
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)


@register.simple_tag
def as_of() -> str | SafeString:
    """Print the moment this page was made."""
    return moment(timezone.now())


@register.simple_tag
def lift(
    estimate: float | None, low: float | None, high: float | None, direction: str = "increase"
) -> str | SafeString:
    """Print a relative lift with its interval; shape and word say what colour says.

    direction: "increase" when more is better, "decrease" when less is.
    """
    if estimate is None:
        return formatting.MISSING
    mark = formatting.direction_mark(low, high)
    judgement = _judge(mark, direction)
    return format_html(
        '<span class="lift lift-{}"><span aria-hidden="true">{}</span> {}'
        '<span class="visually-hidden"> ({})</span></span> <span class="interval">{}</span>',
        judgement,
        mark,
        formatting.signed_percent(estimate),
        _LIFT_WORDS[judgement],
        formatting.percent_interval(low, high),
    )


def _judge(mark: str, direction: str) -> str:
    if mark == "●":
        return "unclear"
    return "good" if (mark == "▲") == (direction == "increase") else "bad"
