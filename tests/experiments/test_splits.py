import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.allocation import AllocationCannotShrink, InvalidWeights, closed, open_more
from experiments.errors import RampRefused
from experiments.splits import equal_weights, plan_ramp


@given(st.integers(1, 100))
def test_equal_weights_sum_to_all_and_differ_by_one_at_most(variants):
    weights = equal_weights(variants)
    assert sum(weights) == 10_000
    assert max(weights) - min(weights) <= 1


def test_equal_weights_of_no_variant_are_a_bug():
    with pytest.raises(ValueError, match="at least one"):
        equal_weights(0)


def test_a_ramp_says_what_it_opens_before_it_does():
    now = open_more(closed(), weights_bp=[5_000, 5_000], share_bp=1_000)
    effect = plan_ramp(now, weights_bp=[5_000, 5_000], share_bp=3_000)
    assert effect.opened == (1_000, 1_000)
    assert effect.moved_units == 0
    assert effect.sentence == (
        "Moves 0 units; opens 2,000 of 10,000 slots to newcomers. After it 30 % of the target takes part."
    )


def test_new_weights_reach_newcomers_only():
    now = open_more(closed(), weights_bp=[5_000, 5_000], share_bp=2_000)
    effect = plan_ramp(now, weights_bp=[1_000, 9_000], share_bp=10_000)
    assert effect.total == (1_000, 9_000)


def test_at_full_traffic_other_weights_are_refused_with_the_way_out():
    full = open_more(closed(), weights_bp=[5_000, 5_000], share_bp=10_000)
    with pytest.raises(RampRefused, match="make a new one"):
        plan_ramp(full, weights_bp=[9_000, 1_000], share_bp=10_000)


def test_a_ramp_that_opens_nothing_is_refused():
    now = open_more(closed(), weights_bp=[5_000, 5_000], share_bp=2_000)
    with pytest.raises(RampRefused, match="choose a larger share"):
        plan_ramp(now, weights_bp=[9_000, 1_000], share_bp=2_000)


def test_a_smaller_share_and_bad_weights_are_refused():
    now = open_more(closed(), weights_bp=[5_000, 5_000], share_bp=2_000)
    with pytest.raises(AllocationCannotShrink):
        plan_ramp(now, weights_bp=[5_000, 5_000], share_bp=1_000)
    with pytest.raises(InvalidWeights):
        plan_ramp(now, weights_bp=[5_000, 5_001], share_bp=5_000)
