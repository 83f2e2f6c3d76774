"""The tags that make HTML; the filters are `core.formatting` and are tested there."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from django.template import Context, Template
from django.utils import timezone

AT = datetime(2026, 7, 4, 9, 5, tzinfo=UTC)


def render(source: str, **context: object) -> str:
    return Template(source).render(Context(context))


def test_a_moment_is_a_time_element_in_the_current_zone() -> None:
    with timezone.override(ZoneInfo("Europe/Berlin")):
        html = render("{{ at|moment }}", at=AT)
    assert html == '<time datetime="2026-07-04T09:05:00+00:00">4 Jul 2026, 11:05 CEST</time>'


def test_an_unknown_moment_is_a_dash() -> None:
    assert render("{{ at|moment }} {{ at|moment_text }}", at=None) == "– –"


@pytest.mark.parametrize(
    ("low", "high", "direction", "judgement", "mark", "word"),
    [
        (0.01, 0.07, "increase", "good", "▲", "better"),
        (0.01, 0.07, "decrease", "bad", "▲", "worse"),
        (-0.07, -0.01, "decrease", "good", "▼", "better"),
        (-0.01, 0.07, "increase", "unclear", "●", "no clear difference"),
    ],
)
def test_a_lift_says_by_shape_and_word_what_colour_says(
    low: float, high: float, direction: str, judgement: str, mark: str, word: str
) -> None:
    html = render("{% lift e low high direction %}", e=0.03, low=low, high=high, direction=direction)
    assert f"lift-{judgement}" in html
    assert mark in html
    assert f"({word})" in html


def test_a_lift_that_cannot_be_computed_is_a_dash() -> None:
    assert render("{% lift e None None %}", e=None) == "–"


def test_pretty_json_is_escaped_like_any_text() -> None:
    assert "&lt;script&gt;" in render("{{ value|pretty_json }}", value={"a": "<script>"})
