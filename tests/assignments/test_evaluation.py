"""The order of evaluation, its reason codes, and that nobody is moved."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assignments.bucketing import slot_of
from assignments.document import (
    OverrideConfig,
    RolloutConfig,
    SegmentConfig,
    SlotRanges,
    TargetConfig,
    VariantConfig,
)
from assignments.evaluation import Facts, FirstExposure, facts_needed
from experiments.allocation import closed, open_more
from tests.assignments.configs import IN_GERMANY, ask, experiment, flag, target

EVERYONE_HELD_OUT = SlotRanges("h", ((0, 10_000),))
NOBODY = SlotRanges("l", ())
QA = {"qa-1": OverrideConfig("exp_checkout", VariantConfig("treatment", True))}


def test_an_unknown_flag_is_an_error_without_a_value() -> None:
    answer = ask(None)
    assert (answer.error_code, answer.reason_code, answer.value) == ("FLAG_NOT_FOUND", "flag_not_found", None)


def test_a_disabled_flag_gives_its_default_even_to_an_override() -> None:
    answer = ask(flag(experiment(), enabled=False, overrides=QA), "qa-1")
    assert (answer.value, answer.reason, answer.reason_code) == (False, "DISABLED", "flag_disabled")


def test_an_override_wins_over_consent_holdout_and_targets_and_is_no_exposure() -> None:
    strict = experiment(consent_required=True, holdout=EVERYONE_HELD_OUT, layer=NOBODY, targets=())
    answer = ask(flag(strict, overrides=QA), "qa-1", {"consent": False})
    assert (answer.value, answer.variant, answer.reason_code) == (True, "treatment", "override")
    assert answer.exposure is False


def test_a_flag_without_experiment_is_static() -> None:
    answer = ask(flag(), None)
    assert (answer.value, answer.reason, answer.reason_code) == (False, "STATIC", "no_experiment")


@pytest.mark.parametrize("said", [False, {"experiments": False}, "yes", {"experiments": "true"}, 1])
def test_anything_but_a_clear_yes_in_the_call_is_no_consent(said: Any) -> None:
    assert ask(flag(experiment()), context={"consent": said}).reason_code == "consent_missing"


@pytest.mark.parametrize("said", [None, True, {"experiments": True}, {"analytics": False}])
def test_without_a_no_the_call_consents(said: Any) -> None:
    assert ask(flag(experiment()), context={"consent": said}).reason_code == "assigned"


def test_where_the_project_requires_it_the_profile_must_say_yes() -> None:
    strict = flag(experiment(consent_required=True))
    assert ask(strict, context={"consent": True}).reason_code == "consent_missing"
    assert ask(strict, facts=Facts(consent={"experiments": True})).reason_code == "assigned"
    refused = ask(strict, context={"consent": False}, facts=Facts(consent={"experiments": True}))
    assert refused.reason_code == "consent_missing"


def test_a_unit_in_the_holdout_gets_the_default() -> None:
    answer = ask(flag(experiment(holdout=EVERYONE_HELD_OUT)))
    assert (answer.value, answer.reason, answer.reason_code) == (False, "DEFAULT", "holdout")


@pytest.mark.parametrize("unit_id", [None, ""])
def test_without_a_unit_id_a_randomised_flag_is_an_error_with_the_default(unit_id: str | None) -> None:
    answer = ask(flag(experiment()), unit_id)
    assert (answer.error_code, answer.value) == ("TARGETING_KEY_MISSING", False)


def test_a_unit_id_is_limited_in_bytes_and_not_in_characters() -> None:
    assert ask(flag(experiment()), "é" * 128).reason_code == "assigned"
    assert ask(flag(experiment()), "é" * 129).error_code == "INVALID_CONTEXT"


def test_a_slot_of_the_layer_that_the_experiment_does_not_own_gives_the_default() -> None:
    assert ask(flag(experiment(layer=NOBODY))).reason_code == "outside_layer"


def test_two_experiments_of_one_layer_never_share_a_unit() -> None:
    halves = [
        flag(experiment(layer=SlotRanges("layer", ranges)))
        for ranges in (((0, 5_000),), ((5_000, 9_000), (9_500, 10_000)))
    ]
    taken = [sum(ask(half, f"u{i}").exposure for half in halves) for i in range(2_000)]
    assert max(taken) == 1
    assert 0 < taken.count(0) < 200


def test_the_first_matching_target_decides_even_when_its_slot_is_closed() -> None:
    targets = (TargetConfig(0, IN_GERMANY, closed()), target(1))
    assert ask(flag(experiment(targets=targets)), context={"country": "DE"}).reason_code == "slot_closed"
    assert ask(flag(experiment(targets=targets)), context={"country": "FR"}).target == 1


def test_no_matching_target_gives_the_default() -> None:
    answer = ask(flag(experiment(targets=(target(segment=IN_GERMANY),))), context={"country": "FR"})
    assert (answer.reason, answer.reason_code) == ("DEFAULT", "no_target_matches")


def test_attributes_of_the_call_go_before_stored_ones() -> None:
    targeted = flag(experiment(targets=(target(segment=IN_GERMANY),)))
    stored = Facts(attributes={"country": "DE"})
    assert ask(targeted, facts=stored).reason_code == "assigned"
    assert ask(targeted, context={"country": "FR"}, facts=stored).reason_code == "no_target_matches"


def test_a_stored_segment_is_decided_by_membership_of_the_pinned_version() -> None:
    targeted = flag(experiment(targets=(target(segment=SegmentConfig(42)),)))
    assert ask(targeted, facts=Facts(memberships=frozenset({42}))).reason_code == "assigned"
    assert ask(targeted, facts=Facts(memberships=frozenset({41, 43}))).reason_code == "no_target_matches"


def test_a_frozen_unit_keeps_its_variant_when_it_left_the_segment() -> None:
    frozen = flag(experiment(frozen=True, targets=(target(segment=SegmentConfig(42)),)))
    for variant in (0, 1):
        answer = ask(frozen, facts=Facts(exposures={1: FirstExposure(variant, 4, 2)}))
        assert (answer.reason_code, answer.value) == ("already_exposed", bool(variant))
        assert (answer.target, answer.phase) == (4, 2)


def test_without_freezing_a_unit_that_left_the_segment_gets_the_default() -> None:
    loose = flag(experiment(targets=(target(segment=SegmentConfig(42)),)))
    assert ask(loose, facts=Facts(exposures={1: FirstExposure(1, 0, 1)})).reason_code == "no_target_matches"


@pytest.mark.parametrize("frozen", [True, False])
def test_a_paused_experiment_shows_only_the_control(frozen: bool) -> None:
    paused = flag(experiment(paused=True, frozen=frozen), default=True)
    answers = [ask(paused, f"u{i}", facts=Facts(exposures={1: FirstExposure(1, 0, 1)})) for i in range(50)]
    assert {(a.value, a.variant, a.reason_code, a.exposure) for a in answers} == {
        (False, "control", "experiment_paused", False)
    }


def test_who_is_not_in_the_experiment_gets_the_rollout() -> None:
    shipped = RolloutConfig(IN_GERMANY, VariantConfig("treatment", True))
    targeted = flag(experiment(targets=()), rollouts=(shipped,))
    assert ask(targeted, context={"country": "DE"}).reason_code == "rollout"
    assert ask(targeted, context={"country": "FR"}).reason_code == "no_target_matches"


def test_a_broken_configuration_gives_the_default_and_never_raises() -> None:
    """A segment whose predicate is broken stands for any defect."""

    def broken(*_: Any) -> bool:
        raise ZeroDivisionError("division by zero")

    segment = replace(IN_GERMANY, predicate=broken)
    answer = ask(flag(experiment(targets=(target(segment=segment),))))
    assert (answer.value, answer.error_code, answer.reason_code) == (False, "GENERAL", "evaluation_failed")
    assert "ZeroDivisionError" in answer.error_details


def test_an_assignment_says_all_an_exposure_needs() -> None:
    answer = ask(flag(experiment(phase=3)))
    assert (answer.experiment, answer.target, answer.phase, answer.hash_version) == ("exp_checkout", 0, 3, 1)
    assert answer.slot == slot_of("variant", "salt-a", "u1")
    assert answer.exposure is True


@pytest.mark.parametrize(
    ("changes", "context", "expected"),
    [
        ({}, {}, set()),
        ({"frozen": True}, {}, {"user"}),
        ({"consent_required": True}, {}, {"user"}),
        ({"consent_required": True}, {"consent": False}, set()),
        ({"targets": (target(segment=SegmentConfig(42)),)}, {}, {"user"}),
        ({"targets": (target(segment=IN_GERMANY),)}, {}, {"user"}),
        ({"targets": (target(segment=IN_GERMANY),)}, {"country": "FR"}, set()),
        ({"targets": (target(segment=IN_GERMANY),), "unit_type": "device"}, {}, {"device"}),
    ],
)
def test_stored_facts_are_asked_for_only_when_they_can_decide(
    changes: dict[str, Any], context: dict[str, Any], expected: set[str]
) -> None:
    assert facts_needed([flag(experiment(**changes))], context=context) == expected


def test_a_disabled_flag_needs_no_facts() -> None:
    assert facts_needed([flag(experiment(frozen=True), enabled=False)], context={}) == frozenset()


@settings(max_examples=50)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 10_000), st.sampled_from([(5000, 5000), (9000, 1000), (1000, 9000), (0, 10_000)])
        ),
        min_size=2,
        max_size=5,
    )
)
def test_ramps_and_weight_changes_move_nobody(steps: list[tuple[int, tuple[int, int]]]) -> None:
    allocation = closed()
    seen: dict[str, str | None] = {}
    for share_bp, weights in sorted(steps, key=lambda step: step[0]):
        allocation = open_more(allocation, weights_bp=weights, share_bp=share_bp)
        ramped = flag(experiment(targets=(TargetConfig(0, None, allocation),)))
        for i in range(300):
            answer = ask(ramped, f"unit-{i}")
            if answer.exposure:
                assert seen.setdefault(f"unit-{i}", answer.variant) == answer.variant
            else:
                assert f"unit-{i}" not in seen


@given(st.sets(st.integers(0, 199)), st.sets(st.integers(0, 199)))
def test_a_segment_refresh_moves_nobody_already_exposed(before: set[int], after: set[int]) -> None:
    frozen = flag(experiment(frozen=True, targets=(target(segment=SegmentConfig(42)),)))
    first = {i: ask(frozen, f"u{i}", facts=Facts(memberships=frozenset({42}))) for i in before}
    variants = {i: 0 if answer.variant == "control" else 1 for i, answer in first.items()}
    for i in range(200):
        facts = Facts(
            memberships=frozenset({42} if i in after else ()),
            exposures={1: FirstExposure(variants[i], 0, 1)} if i in variants else {},
        )
        answer = ask(frozen, f"u{i}", facts=facts)
        if i in first:
            assert answer.variant == first[i].variant
        else:
            assert answer.exposure is (i in after)


def test_splits_and_joint_splits_are_even() -> None:
    """Two experiments over 40,000 units: each of 4 cells holds a quarter within 5 standard errors (347)."""
    flags = [flag(experiment(salt=salt)) for salt in ("salt-1", "salt-2")]
    cells = Counter(tuple(ask(f, f"user-{i}").variant for f in flags) for i in range(40_000))
    assert len(cells) == 4
    assert all(abs(count - 10_000) < 5 * (40_000 * 0.25 * 0.75) ** 0.5 for count in cells.values())
