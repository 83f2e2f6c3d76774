import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from analysis.stats.estimable import NotEstimable
from analysis.stats.split_watch import SplitWatch, TwoArmSplit, compare_two_arm_split, watch_split
from analysis.stats.srm import SplitCount, split_log_evidence

increments = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=12)


@given(increments)
def test_the_p_value_never_rises_and_is_one_over_the_best_evidence(steps: list[tuple[int, int]]) -> None:
    counts = np.cumsum(steps, axis=0).tolist()
    found = watch_split(counts, (1.0, 1.0))
    if sum(counts[-1]) == 0:
        assert isinstance(found, NotEstimable)
        return
    assert isinstance(found, SplitWatch)
    assert list(found.p_values) == sorted(found.p_values, reverse=True)
    best = max(split_log_evidence(row, (1.0, 1.0)) for row in counts)
    assert found.p_value == pytest.approx(min(1.0, math.exp(-best)))


def test_the_alert_is_the_first_crossing_and_stays() -> None:
    found = watch_split([(50, 50), (300, 100), (700, 690)], (0.5, 0.5), alpha=0.001)
    assert isinstance(found, SplitWatch)
    assert found.alert_at == 1
    assert found.observed == (300, 100)
    assert found.shares == (0.75, 0.25)
    assert found.p_value < 0.001


def test_a_unit_in_a_closed_variant_is_an_alert_at_once() -> None:
    found = watch_split([(10, 10, 0), (11, 10, 1)], (1.0, 1.0, 0.0))
    assert isinstance(found, SplitWatch)
    assert found.alert_at == 1
    assert found.p_value == 0.0


@given(st.integers(0, 200), st.integers(0, 200), st.sampled_from([0.5, 0.3, 0.1]))
def test_the_exact_test_is_scipys_and_the_arms_may_be_swapped(first: int, second: int, share: float) -> None:
    found = compare_two_arm_split(SplitCount((first, second), (share, 1.0 - share)))
    swapped = compare_two_arm_split(SplitCount((second, first), (1.0 - share, share)))
    if first + second == 0:
        assert isinstance(found, NotEstimable)
        return
    assert isinstance(found, TwoArmSplit)
    assert isinstance(swapped, TwoArmSplit)
    assert found.exact == pytest.approx(stats.binomtest(first, first + second, share).pvalue)
    assert swapped.exact == pytest.approx(found.exact, rel=1e-6)
    assert found.normal <= found.normal_corrected + 1e-12
    chi2 = stats.chisquare([first, second], [(first + second) * share, (first + second) * (1.0 - share)])
    assert found.normal == pytest.approx(chi2.pvalue, abs=1e-9)


def test_a_closed_arm_and_an_empty_split_give_an_answer() -> None:
    assert compare_two_arm_split(SplitCount((3, 1), (1.0, 0.0))) == TwoArmSplit(0.0, 0.0, 0.0)
    assert isinstance(watch_split([], (1.0, 1.0)), NotEstimable)


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="cumulative"):
        watch_split([(5, 5), (4, 6)], (1.0, 1.0))
    with pytest.raises(ValueError, match="alpha"):
        watch_split([(5, 5)], (1.0, 1.0), alpha=0.0)
    with pytest.raises(ValueError, match="strength"):
        watch_split([(5, 5)], (1.0, 1.0), strength=0.0)
    with pytest.raises(ValueError, match="two arms"):
        compare_two_arm_split(SplitCount((1, 2, 3), (1.0, 1.0, 1.0)))
