"""The five rules, in order, and the sentence each of them says.

The intervals in the sentences were found by solving (m1 - (1 + t) m0)^2 = q^2 (a + (1 + t)^2 b) with a root finder.
"""

from dataclasses import replace

import pytest

from analysis.stats.adequacy import Adequacy, assess_adequacy
from analysis.stats.always_valid import compare_arms_always_valid
from analysis.stats.arms import ArmEstimate
from analysis.stats.compare import compare_arms
from analysis.stats.estimable import Direction, NotEstimable
from analysis.stats.findings import Evidence, GuardrailFinding, PrimaryFinding, SegmentFinding
from analysis.stats.guardrails import check_guardrail
from analysis.stats.health import HealthProblem, find_health_problems
from analysis.stats.srm import SplitCount, check_split
from analysis.stats.verdict import decide
from tests.analysis.stats.makers import mean_arm, rate_arm

CONTROL = rate_arm(10_000, 1_000)
BETTER, WORSE, SAME = rate_arm(10_000, 1_200), rate_arm(10_000, 800), rate_arm(10_000, 1_010)


def primary(
    treatment: ArmEstimate = BETTER, name: str = "Green button", direction: Direction = "increase"
) -> PrimaryFinding:
    comparison = compare_arms(CONTROL, treatment)
    assert not isinstance(comparison, NotEstimable)
    return PrimaryFinding(name, "conversion", direction, comparison, comparison.p_value, is_rate=True)


def guardrail(mean: float, name: str = "Green button") -> GuardrailFinding:
    """Page load time, 100 ms in control, margin 5 %, a decrease is good."""
    result = check_guardrail(
        mean_arm(10_000, 100.0, 50.0), mean_arm(10_000, mean, 50.0), margin=0.05, direction="decrease"
    )
    return GuardrailFinding(name, "page load time", result)


def adequacy(**changes: object) -> Adequacy:
    plan: dict[str, object] = {
        "planned_units": 20_000,
        "units": 20_000,
        "planned_mde": 0.1,
        "detectable_lift": 0.12,
        "minimum_days": 7,
        "days_run": 14,
        "units_per_day": 1_000.0,
    }
    return assess_adequacy(**{**plan, **changes})  # type: ignore[arg-type]


def evidence(**changes: object) -> Evidence:
    facts: dict[str, object] = {"primaries": (primary(),), "adequacy": adequacy()}
    return Evidence(**{**facts, **changes})  # type: ignore[arg-type]


def test_a_better_primary_with_safe_guardrails_ships() -> None:
    verdict = decide(evidence(guardrails=(guardrail(100.0),)))
    assert (verdict.kind, verdict.rule, verdict.winner) == ("ship", "primary.better", "Green button")
    assert verdict.sentence == "Ship “Green button” to everyone: +20.0 % conversion (95 % CI 10.9 to 29.9)."


def test_the_audience_is_named_where_the_test_had_one() -> None:
    assert "to New customers: +20.0 %" in decide(evidence(audience="New customers")).sentence


def test_a_segment_credibly_harmed_is_left_out_of_the_roll_out() -> None:
    segments = (
        SegmentFinding("seg_a", "Regulars", "Green button", False),
        SegmentFinding("seg_b", "Newcomers", "Green button", True),
        SegmentFinding("seg_b", "Newcomers", "Another arm", False),
    )
    verdict = decide(evidence(segments=segments))
    assert verdict.sentence.startswith("Ship “Green button” to everyone except Newcomers: ")
    assert (verdict.ship_segments, verdict.hold_segments) == (("seg_a",), ("seg_b",))
    assert any("Keep control for Newcomers" in action for action in verdict.next_actions)


def test_harm_in_every_segment_ships_to_nobody() -> None:
    verdict = decide(evidence(segments=(SegmentFinding("seg_a", "Regulars", "Green button", True),)))
    assert (verdict.kind, verdict.rule) == ("inconclusive", "inconclusive.mixed")


def test_the_best_of_several_better_arms_is_shipped_and_the_other_named() -> None:
    arms = (primary(BETTER, "A"), primary(rate_arm(10_000, 1_300), "B"), primary(SAME, "C"))
    verdict = decide(evidence(primaries=arms))
    assert verdict.winner == "B"
    assert any("Also better than control: “A”" in action for action in verdict.next_actions)


def test_correction_for_several_arms_decides_and_not_the_raw_p_value() -> None:
    finding = replace(primary(rate_arm(10_000, 1_090)), p_adjusted=0.11)  # raw p = .035
    assert decide(evidence(primaries=(finding,))).kind == "inconclusive"
    assert decide(evidence(primaries=(replace(finding, p_adjusted=0.035),))).kind == "ship"


def test_a_worse_primary_stops() -> None:
    verdict = decide(evidence(primaries=(primary(WORSE),)))
    assert (verdict.kind, verdict.rule) == ("stop", "primary.worse")
    assert verdict.sentence == "Stop “Green button”: −20.0 % conversion (95 % CI −26.8 to −12.6)."


def test_less_is_better_where_the_metric_says_so() -> None:
    assert decide(evidence(primaries=(primary(WORSE, direction="decrease"),))).kind == "ship"


def test_one_worse_arm_beside_an_unclear_one_is_inconclusive() -> None:
    verdict = decide(evidence(primaries=(primary(WORSE, "A"), primary(SAME, "B"))))
    assert verdict.rule == "inconclusive.mixed"
    assert "“B”" in verdict.sentence


def test_every_arm_worse_stops_all() -> None:
    verdict = decide(evidence(primaries=(primary(WORSE, "A"), primary(WORSE, "B"))))
    assert verdict.kind == "stop"
    assert "every variant is credibly worse" in verdict.sentence


def test_an_unclear_guardrail_holds_a_winner_back() -> None:
    verdict = decide(evidence(guardrails=(guardrail(104.5),)))
    assert (verdict.kind, verdict.rule) == ("inconclusive", "inconclusive.guardrail")
    assert "page load time stays within its margin" in verdict.sentence


def test_no_difference_says_what_could_have_been_found() -> None:
    verdict = decide(evidence(primaries=(primary(SAME),), notes=("Nothing differs by segment.",)))
    assert verdict.rule == "inconclusive.no_difference"
    assert verdict.sentence.startswith(
        "Inconclusive: no credible difference between “Green button” and control, +1.0 % conversion"
    )
    assert "A lift of 12 % could have been detected (planned: 10 %)" in verdict.next_actions[0]
    assert verdict.next_actions[1] == "Nothing differs by segment."


def test_a_primary_that_cannot_be_estimated_says_why() -> None:
    missing = NotEstimable("the values do not vary in either arm")
    finding = PrimaryFinding("B", "conversion", "increase", missing, missing)
    verdict = decide(evidence(primaries=(finding,)))
    assert verdict.rule == "inconclusive.not_estimable"
    assert verdict.sentence == "Inconclusive: conversion not estimable: the values do not vary in either arm."


@pytest.mark.parametrize(
    ("changes", "rule", "sentence"),
    [
        (
            {"units": 5_000, "detectable_lift": 0.24},
            "adequacy.size",
            "Keep running, about 15 days left: 5,000 of 20,000 planned units so far.",
        ),
        (
            {"days_run": 3},
            "adequacy.runtime",
            "Keep running, about 4 days left: enough units, but the plan asks for at least 7 days (day 3 now).",
        ),
        (
            {"lock_days_left": 1},
            "adequacy.locked",
            "Keep running, about 1 day left: the plan locks the verdict until its end.",
        ),
        (
            {"units": 5_000, "units_per_day": 0.0},
            "adequacy.size",
            "Keep running (no new units are arriving): 5,000 of 20,000 planned units so far.",
        ),
    ],
)
def test_too_early_keeps_running_with_the_days_left(
    changes: dict[str, object], rule: str, sentence: str
) -> None:
    verdict = decide(evidence(adequacy=adequacy(**changes)))
    assert (verdict.kind, verdict.rule, verdict.sentence) == ("keep_running", rule, sentence)
    assert verdict.days_left == adequacy(**changes).days_left


def test_a_locked_plan_reveals_nothing_and_an_always_valid_one_may() -> None:
    comparison = compare_arms_always_valid(CONTROL, BETTER, planned_units=20_000)
    assert not isinstance(comparison, NotEstimable)
    early = (PrimaryFinding("B", "conversion", "increase", comparison, comparison.p_value, True),)
    locked = decide(evidence(primaries=early, adequacy=adequacy(lock_days_left=5)))
    assert locked.next_actions == ()
    free = decide(evidence(primaries=early, adequacy=adequacy(units=5_000)))
    assert free.kind == "keep_running"
    assert "already credibly better (+20" in free.next_actions[0]
    fixed = decide(evidence(adequacy=adequacy(units=5_000)))
    assert fixed.next_actions == ()


def test_a_test_that_ended_early_is_decided_and_says_so() -> None:
    verdict = decide(evidence(adequacy=adequacy(units=5_000, has_ended=True)))
    assert verdict.kind == "ship"
    assert verdict.sentence.endswith(" The test ended with 5,000 of 20,000 planned units.")


def test_a_breached_guardrail_stops_before_anything_else_is_asked() -> None:
    for other in ({}, {"adequacy": adequacy(units=100)}, {"primaries": (primary(WORSE),)}):
        verdict = decide(evidence(guardrails=(guardrail(100.0), guardrail(110.0)), auto_pause=True, **other))
        assert (verdict.kind, verdict.rule) == ("stop", "guardrail.breached")
    assert verdict.sentence == (
        "Stop “Green button”: +10.0 % page load time (95 % CI 8.6 to 11.5), "
        "but its guardrail tolerates no more than +5 %."
    )
    assert verdict.next_actions[0].startswith("The plan pauses the experiment now")


def test_all_breached_guardrails_are_named_the_gravest_first() -> None:
    verdict = decide(evidence(guardrails=(guardrail(108.0, "A"), guardrail(130.0, "B"))))
    assert verdict.sentence.startswith("Stop “B”")
    assert verdict.sentence.endswith("Also breached: page load time in “A”.")


def test_bad_health_comes_before_every_other_rule() -> None:
    problems = (HealthProblem("srm", "The split is not the planned one."),)
    verdict = decide(evidence(health=problems, guardrails=(guardrail(130.0),), adequacy=adequacy(units=1)))
    assert (verdict.kind, verdict.rule) == ("invalid", "health.srm")
    assert verdict.sentence == "Do not use these numbers: the split is not the planned one."


def test_evidence_without_a_primary_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="primary"):
        evidence(primaries=())


def test_health_problems_are_counted_and_put_into_words() -> None:
    split = check_split([SplitCount((5_400, 4_600), (0.5, 0.5))])
    problems = find_health_problems(
        split=split,
        variants=["Control", "Green button"],
        units=10_000,
        crossover_units=250,
        metrics_without_data=["revenue"],
        clock_problem="12 % of events lie in the future.",
    )
    assert [problem.code for problem in problems] == ["srm", "crossover", "missing_data", "clock"]
    assert problems[0].sentence == (
        "The split is not the planned one: Control 5,400 instead of 5,000 and Green button 4,600 instead of 5,000 "
        "(p < 0.0001)."
    )
    assert problems[1].sentence.startswith("250 of 10,000 units (2.5 %) met more than one variant")
    assert problems[2].sentence == "No data has arrived for revenue."


def test_a_sound_experiment_has_no_health_problem() -> None:
    split = check_split([SplitCount((5_010, 4_990), (0.5, 0.5))])
    found = find_health_problems(split=split, variants=["A", "B"], units=10_000, crossover_units=100)
    assert found == ()
    too_small = NotEstimable("the smallest expected count is 2.0")
    assert find_health_problems(split=too_small, variants=["A", "B"], units=4, crossover_units=0) == ()
