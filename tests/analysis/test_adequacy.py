"""Days to the planned effect, before launch."""

from dataclasses import replace
from typing import Any

import pytest

from analysis.adequacy import Shares, Traffic, assess_traffic, given_baseline, observed_baseline
from analysis.stats.arms import ArmEstimate
from analysis.stats.estimable import NotEstimable
from analysis.stats.power import Baseline
from tests.analysis.values import CONVERSION, PLAN

HALVES = Shares(0.5, 0.5, 2)


def _traffic(**changes: Any) -> Traffic:
    values: dict[str, Any] = {
        "name": "New customers",
        "sentence": "",
        "is_everyone": False,
        "active_units": 28_000,
        "daily_units": 1_000.0,
        "baseline": Baseline(0.2, 0.16, is_rate=True),
        "source": "",
    }
    return Traffic(**values | changes)


def test_enough_traffic_gives_whole_weeks() -> None:
    row = assess_traffic(_traffic(), PLAN, HALVES)
    # R: power.prop.test(p1 = .20, p2 = .22, power = .8) gives n = 6509.5 in each group.
    assert row.units_needed == pytest.approx(2 * 6_510, abs=4)
    assert row.days == 14
    assert row.is_enough
    assert row.advice == "Finds a lift of 10 % in 14 days."


def test_too_little_traffic_names_the_effect_that_could_be_found() -> None:
    row = assess_traffic(_traffic(daily_units=100.0), PLAN, HALVES)
    assert not row.is_enough
    assert row.days == 133
    assert "Widen it, merge it with others, or accept an MDE of" in row.advice


def test_everyone_cannot_be_widened() -> None:
    row = assess_traffic(_traffic(daily_units=100.0, is_everyone=True), PLAN, HALVES)
    assert "Choose a less noisy metric" in row.advice


def test_more_arms_and_looks_at_any_time_need_more_units() -> None:
    plain = assess_traffic(_traffic(), PLAN, HALVES)
    arms = assess_traffic(_traffic(), PLAN, Shares(0.25, 0.25, 4))
    always = assess_traffic(_traffic(), replace(PLAN, stopping_rule="always_valid"), HALVES)
    assert plain.units_needed < always.units_needed
    assert plain.units_needed < arms.units_needed


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"daily_units": 0.0}, "no units of this audience were active lately"),
        ({"baseline": NotEstimable("the metric has no events in the past")}, "Give a baseline by hand"),
    ],
)
def test_what_cannot_be_judged_says_why(changes: dict[str, Any], reason: str) -> None:
    row = assess_traffic(_traffic(**changes), PLAN, HALVES)
    assert reason in row.advice
    assert not row.is_enough


def test_a_given_rate_needs_no_spread_but_an_amount_does() -> None:
    assert given_baseline(CONVERSION, 0.5, None) == Baseline(0.5, 0.25, is_rate=True)
    amount = replace(CONVERSION, spec=replace(CONVERSION.spec, kind="sum"))
    assert isinstance(given_baseline(amount, 20.0, None), NotEstimable)
    assert given_baseline(amount, 20.0, 5.0) == Baseline(20.0, 25.0)


def test_a_past_without_events_is_no_baseline() -> None:
    assert isinstance(observed_baseline(CONVERSION, ArmEstimate(50, 0.0, 0.0, 49.0)), NotEstimable)
