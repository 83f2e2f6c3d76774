from dataclasses import replace

import pytest

from experiments.launch import check_launch
from experiments.launch_facts import (
    LaunchFacts,
    LayerFacts,
    MetricFacts,
    PlanFacts,
    SegmentFacts,
    TargetFacts,
    VariantFacts,
)

GERMANS = SegmentFacts("germans", "Germans", "user", is_retired=False, version=2, latest=2)
EVERYONE = TargetFacts(None, 10_000, (5_000, 5_000))
READY = LaunchFacts(
    hypothesis="It helps.",
    unit_type="user",
    flag_key="cta",
    flag_type="boolean",
    flag_enabled=True,
    flag_default=False,
    live_on_flag="",
    variants=(VariantFacts("control", False), VariantFacts("treatment", True)),
    targets=(EVERYONE,),
    metrics=(MetricFacts("Orders", "primary", None, 7), MetricFacts("Errors", "guardrail", 0.02, None)),
    plan=PlanFacts(7, 28),
    breakdowns=(GERMANS,),
    layer=None,
)


def codes(facts):
    return [(finding.level, finding.code) for finding in check_launch(facts)]


def test_a_complete_set_up_has_no_findings():
    assert codes(READY) == []


BLOCKED = {
    "no_plan": {"plan": None},
    "no_primary_metric": {"metrics": (MetricFacts("Errors", "guardrail", 0.02, None),)},
    "flag_disabled": {"flag_enabled": False},
    "flag_taken": {"live_on_flag": "Other"},
    "too_few_variants": {
        "variants": (VariantFacts("control", False),),
        "targets": (TargetFacts(None, 10_000, (10_000,)),),
    },
    "variant_value_mismatch": {
        "variants": (VariantFacts("control", False), VariantFacts("treatment", "yes"))
    },
    "no_target": {"targets": ()},
    "no_traffic": {"targets": (TargetFacts(None, 0, (5_000, 5_000)),)},
    "weights_do_not_fit": {"targets": (TargetFacts(None, 10_000, (10_000,)),)},
    "invalid_weights": {"targets": (TargetFacts(None, 10_000, (5_000, 4_000)),)},
    "segment_retired": {"breakdowns": (replace(GERMANS, is_retired=True),)},
    "unit_type_mismatch": {
        "targets": (TargetFacts(replace(GERMANS, unit_type="device"), 10_000, (5_000, 5_000)),)
    },
    "no_layer_slots": {"layer": LayerFacts("checkout", (), ())},
    "layer_overlap": {"layer": LayerFacts("checkout", ((0, 5_000),), (("Other", ((4_000, 6_000),)),))},
}


@pytest.mark.parametrize("code", BLOCKED)
def test_a_fault_blocks_the_launch_and_says_what_to_do(code):
    found = check_launch(replace(READY, **BLOCKED[code]))
    blocker = next(finding for finding in found if finding.code == code)
    assert blocker.is_blocker
    assert blocker.message
    assert blocker.fix


WARNED = {
    "no_hypothesis": {"hypothesis": " "},
    "same_values": {"variants": (VariantFacts("control", False), VariantFacts("treatment", False))},
    "control_is_not_default": {"flag_default": True},
    "empty_variant": {"targets": (TargetFacts(None, 10_000, (10_000, 0)),)},
    "segment_edited": {"breakdowns": (replace(GERMANS, latest=3),)},
    "no_guardrail": {"metrics": (MetricFacts("Orders", "primary", None, None),)},
    "window_too_long": {
        "metrics": (
            MetricFacts("Orders", "primary", None, 29),
            MetricFacts("Errors", "guardrail", 0.02, None),
        )
    },
    "less_than_a_week": {"plan": PlanFacts(3, 28)},
    "many_breakdowns": {"breakdowns": (GERMANS,) * 11},
}


@pytest.mark.parametrize("code", WARNED)
def test_a_doubt_warns_and_does_not_block(code):
    assert ("warning", code) in codes(replace(READY, **WARNED[code]))
    assert not any(level == "blocker" for level, _ in codes(replace(READY, **WARNED[code])))


@pytest.mark.parametrize(
    "targets",
    [
        (EVERYONE, TargetFacts(GERMANS, 10_000, (5_000, 5_000))),
        (TargetFacts(GERMANS, 100, (5_000, 5_000)), TargetFacts(GERMANS, 10_000, (5_000, 5_000))),
        (TargetFacts(None, 1, (5_000, 5_000)), EVERYONE),
    ],
)
def test_a_target_behind_one_that_takes_everything_is_unreachable(targets):
    assert ("blocker", "target_unreachable") in codes(replace(READY, targets=targets))


def test_everyone_may_follow_a_segment():
    assert codes(replace(READY, targets=(TargetFacts(GERMANS, 10_000, (5_000, 5_000)), EVERYONE))) == []


def test_slots_side_by_side_in_a_layer_do_not_overlap():
    layer = LayerFacts("checkout", ((0, 5_000),), (("Other", ((5_000, 10_000),)),))
    assert codes(replace(READY, layer=layer)) == []


def test_an_imported_experiment_is_not_asked_about_its_flag():
    imported = replace(
        READY, assigned_elsewhere=True, flag_enabled=False, live_on_flag="Other", flag_default=True
    )
    assert codes(imported) == []


def test_blockers_come_first():
    levels = [level for level, _ in codes(replace(READY, hypothesis="", plan=None))]
    assert levels == ["blocker", "warning"]
