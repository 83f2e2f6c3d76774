from dataclasses import dataclass

import pytest

from experiments.metric_words import metric_sentence


@dataclass
class Definition:
    kind: str
    event_name: str = "purchase"
    window_days: int | None = None
    cap: float | None = None
    direction: str = "increase"


@pytest.mark.parametrize(
    ("definition", "sentence"),
    [
        (
            Definition("conversion", window_days=14),
            "The share of exposed units with at least one “purchase” event within 14 days "
            "of the unit's first exposure. More is better.",
        ),
        (
            Definition("count", "error", window_days=1, direction="decrease"),
            "The number of “error” events per exposed unit within 1 day of the unit's first exposure. Less is better.",
        ),
        (
            Definition("sum", cap=500.0),
            "The total value of “purchase” events per exposed unit from the unit's first exposure until the experiment "
            "ends, where a unit counts as 500 at most. More is better.",
        ),
        (
            Definition("mean"),
            "The average value of one “purchase” event from the unit's first exposure until the experiment ends. "
            "More is better.",
        ),
    ],
)
def test_a_metric_says_what_it_counts(definition, sentence):
    assert metric_sentence(definition) == sentence


def test_a_cap_changes_nothing_about_a_conversion():
    assert metric_sentence(Definition("conversion", cap=3.0)) == metric_sentence(Definition("conversion"))


def test_an_unknown_kind_is_a_bug():
    with pytest.raises(ValueError, match="unknown kind"):
        metric_sentence(Definition("median"))
