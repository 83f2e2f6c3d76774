"""Append-only allocation: whatever is opened later, nobody moves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.allocation import (
    CLOSED,
    SLOTS,
    Allocation,
    AllocationCannotShrink,
    InvalidAllocation,
    InvalidWeights,
    closed,
    effective_weights,
    open_more,
    open_slots,
    parse_allocation,
    require_append_only,
)


@st.composite
def weights(draw: st.DrawFn, variants: int) -> list[int]:
    parts = draw(st.lists(st.integers(0, 100), min_size=variants, max_size=variants).filter(any))
    scaled = [part * SLOTS // sum(parts) for part in parts]
    scaled[parts.index(max(parts))] += SLOTS - sum(scaled)
    return scaled


@st.composite
def ramps(draw: st.DrawFn) -> list[tuple[list[int], int]]:
    variants = draw(st.integers(2, 5))
    shares = sorted(draw(st.lists(st.integers(0, SLOTS), min_size=1, max_size=5)))
    return [(draw(weights(variants)), share) for share in shares]


def test_a_new_allocation_is_closed_to_everyone() -> None:
    assert {closed().lookup(slot) for slot in range(SLOTS)} == {CLOSED}


def test_opening_ten_percent_splits_it_by_weight() -> None:
    assert open_slots(open_more(closed(), weights_bp=[5000, 3000, 2000], share_bp=1000), variants=3) == (
        500,
        300,
        200,
    )


@given(ramps())
def test_ramps_and_weight_changes_move_nobody(steps: list[tuple[list[int], int]]) -> None:
    allocation = closed()
    for weights_bp, share_bp in steps:
        before = [allocation.lookup(slot) for slot in range(SLOTS)]
        allocation = open_more(allocation, weights_bp=weights_bp, share_bp=share_bp)
        after = [allocation.lookup(slot) for slot in range(SLOTS)]
        assert all(now == was for was, now in zip(before, after, strict=True) if was != CLOSED)
        assert sum(label != CLOSED for label in after) == share_bp
        assert open_slots(allocation, variants=len(weights_bp)) == tuple(
            after.count(index) for index in range(len(weights_bp))
        )


@given(ramps())
def test_totals_follow_the_wanted_weights_as_far_as_possible(steps: list[tuple[list[int], int]]) -> None:
    """Nobody can be taken away, so: who owns more than its part gets nothing new, the rest share by weight."""
    allocation = closed()
    for weights_bp, share_bp in steps:
        owned = open_slots(allocation, variants=len(weights_bp))
        allocation = open_more(allocation, weights_bp=weights_bp, share_bp=share_bp)
        totals = open_slots(allocation, variants=len(weights_bp))
        grown = [i for i in range(len(totals)) if totals[i] > owned[i]]
        if grown:
            level = sum(totals[i] for i in grown) / sum(weights_bp[i] for i in grown)
            assert all(abs(totals[i] - level * weights_bp[i]) <= 1 for i in grown)
            assert all(totals[i] + 1 >= level * weights_bp[i] for i in range(len(totals)) if i not in grown)


def test_going_from_even_to_ninety_ten_fills_the_first_variant() -> None:
    start = open_more(closed(), weights_bp=[5000, 5000], share_bp=1000)
    assert open_slots(open_more(start, weights_bp=[9000, 1000], share_bp=10_000), variants=2) == (9000, 1000)
    assert open_slots(open_more(start, weights_bp=[10_000, 0], share_bp=1200), variants=2) == (700, 500)


def test_opening_the_same_share_again_changes_nothing() -> None:
    once = open_more(closed(), weights_bp=[3333, 3333, 3334], share_bp=777)
    assert open_more(once, weights_bp=[3333, 3333, 3334], share_bp=777) == once


def test_closing_slots_is_refused_and_names_the_way_out() -> None:
    half = open_more(closed(), weights_bp=[5000, 5000], share_bp=5000)
    with pytest.raises(AllocationCannotShrink, match="50 %"):
        open_more(half, weights_bp=[5000, 5000], share_bp=4999)


def test_dropping_a_variant_from_the_weights_is_refused() -> None:
    three = open_more(closed(), weights_bp=[4000, 3000, 3000], share_bp=5000)
    with pytest.raises(InvalidWeights):
        open_more(three, weights_bp=[5000, 5000], share_bp=10_000)


@pytest.mark.parametrize("bad", [[5000, 4000], [5000, 5001], [-1, 10_001], [], [10_000.0]])
def test_weights_that_do_not_sum_are_refused(bad: list[int]) -> None:
    with pytest.raises(InvalidWeights):
        open_more(closed(), weights_bp=bad, share_bp=1000)


@pytest.mark.parametrize("share", [-1, 10_001])
def test_a_share_outside_the_whole_is_refused(share: int) -> None:
    with pytest.raises(InvalidAllocation):
        open_more(closed(), weights_bp=[10_000], share_bp=share)


@given(ramps())
def test_the_stored_form_reads_back_equal(steps: list[tuple[list[int], int]]) -> None:
    allocation = closed()
    for weights_bp, share_bp in steps:
        allocation = open_more(allocation, weights_bp=weights_bp, share_bp=share_bp)
    assert parse_allocation(allocation.to_json(), variants=len(steps[0][0])) == allocation


@pytest.mark.parametrize(
    "bad",
    [
        None,
        [],
        {},
        [[10_000]],
        [[9_999, 0]],
        [[10_001, 0]],
        [[5000, 0], [5000, 1], [10_000, 0]],
        [[5000, 0], [4000, 1], [10_000, 0]],
        [[0, 0], [10_000, 1]],
        [[10_000, 2]],
        [[10_000, -2]],
        [[10_000, True]],
        [["10000", 0]],
    ],
)
def test_a_malformed_stored_form_is_refused(bad: object) -> None:
    with pytest.raises(InvalidAllocation):
        parse_allocation(bad, variants=2)


def test_neighbouring_ranges_of_one_label_are_joined() -> None:
    assert parse_allocation([[10, 1], [20, 1], [10_000, -1]], variants=2) == Allocation((20, 10_000), (1, -1))


def test_effective_weights_are_shares_of_the_open_slots() -> None:
    assert effective_weights(open_more(closed(), weights_bp=[7500, 2500], share_bp=400), variants=2) == (
        0.75,
        0.25,
    )
    with pytest.raises(InvalidAllocation):
        effective_weights(closed(), variants=2)


def test_relabelling_is_found() -> None:
    before = open_more(closed(), weights_bp=[5000, 5000], share_bp=1000)
    require_append_only(before, open_more(before, weights_bp=[9000, 1000], share_bp=9000))
    with pytest.raises(AllocationCannotShrink, match="1000 slots"):
        require_append_only(before, closed())
