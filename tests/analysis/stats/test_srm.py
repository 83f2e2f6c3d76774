import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from analysis.stats.estimable import NotEstimable
from analysis.stats.srm import SplitCheck, SplitCount, check_split, locate_split, split_log_evidence
from tests.analysis.stats.makers import binomial_band

counts = st.lists(st.integers(min_value=20, max_value=10_000), min_size=2, max_size=5)


def checked(*strata: SplitCount) -> SplitCheck:
    result = check_split(strata)
    assert isinstance(result, SplitCheck)
    return result


@given(counts)
def test_one_stratum_is_exactly_pearsons_test(observed: list[int]) -> None:
    result = checked(SplitCount(tuple(observed), (1.0,) * len(observed)))
    wanted = stats.chisquare(observed)
    assert result.chi2 == pytest.approx(wanted.statistic)
    assert result.p_value == pytest.approx(wanted.pvalue)
    assert result.df == len(observed) - 1


@given(counts, counts)
def test_the_order_of_the_variants_does_not_matter(a: list[int], b: list[int]) -> None:
    k = min(len(a), len(b))
    first, second = tuple(range(1, k + 1)), tuple(range(k, 0, -1))
    one = checked(SplitCount(tuple(a[:k]), first), SplitCount(tuple(b[:k]), second))
    other = checked(SplitCount(tuple(a[:k][::-1]), first[::-1]), SplitCount(tuple(b[:k][::-1]), second[::-1]))
    assert other.chi2 == pytest.approx(one.chi2, rel=1e-6, abs=1e-9)


def test_a_ramp_with_other_shares_is_no_alarm_though_the_crude_counts_look_wrong() -> None:
    """10 % treatment in the first phase, 50 % in the second (PostHog#43804)."""
    phases = (SplitCount((9_000, 1_000), (0.9, 0.1)), SplitCount((10_000, 10_000), (0.5, 0.5)))
    assert checked(*phases).p_value == pytest.approx(1.0)
    assert checked(SplitCount((19_000, 11_000), (0.5, 0.5))).is_alert


def test_shares_may_differ_between_phases_without_losing_the_level() -> None:
    """3,000 sound experiments in two unequal phases: p-values stay uniform."""
    rng = np.random.default_rng(11)
    first = rng.multinomial(4_000, (0.8, 0.1, 0.1), size=3_000).tolist()
    second = rng.multinomial(2_000, (0.2, 0.4, 0.4), size=3_000).tolist()
    p_values = [
        checked(SplitCount(tuple(a), (0.8, 0.1, 0.1)), SplitCount(tuple(b), (0.2, 0.4, 0.4))).p_value
        for a, b in zip(first, second, strict=True)
    ]
    low, high = binomial_band(3_000, 0.05)
    assert low <= sum(p < 0.05 for p in p_values) / 3_000 <= high
    assert stats.kstest(p_values, "uniform").pvalue > 0.001


def test_a_closed_variant_takes_no_degree_of_freedom() -> None:
    assert checked(SplitCount((500, 520, 0), (1.0, 1.0, 0.0))).df == 1


def test_a_unit_in_a_variant_that_was_closed_is_impossible_under_the_plan() -> None:
    result = checked(SplitCount((500, 500, 1), (1.0, 1.0, 0.0)))
    assert result.p_value == 0.0
    assert result.is_alert


def test_too_few_units_are_a_reason() -> None:
    assert isinstance(check_split([SplitCount((4, 4), (0.5, 0.5))]), NotEstimable)
    assert isinstance(check_split([SplitCount((0, 0), (0.5, 0.5))]), NotEstimable)
    assert isinstance(check_split([SplitCount((90, 0), (1.0, 0.0))]), NotEstimable)


def test_cookie_cats_flags_at_one_percent_and_not_at_the_alert_level() -> None:
    """Published counts 44,700 and 45,489; p = .0086."""
    result = checked(SplitCount((44_700, 45_489), (0.5, 0.5)))
    assert result.p_value == pytest.approx(0.0086, abs=5e-5)
    assert not result.is_alert


def test_the_locator_names_the_slice_that_is_out_of_balance() -> None:
    sound, broken = [SplitCount((5_000, 5_010), (1, 1))], [SplitCount((1_000, 700), (1, 1))]
    rows = locate_split(
        {"day": {"Monday": sound, "Tuesday": broken, "Wednesday": sound}, "sdk": {"py": sound}}
    )
    assert (rows[0].dimension, rows[0].level) == ("day", "Tuesday")
    assert [row.level for row in rows if row.is_alert] == ["Tuesday"]
    assert len(rows) == 4


def test_slices_too_small_to_test_are_left_out_of_the_locator() -> None:
    assert locate_split({"day": {"Monday": [SplitCount((2, 1), (1, 1))]}}) == ()


def test_watching_a_sound_split_at_every_unit_seldom_raises_an_alarm() -> None:
    """Ville: an e-value reaches 20 with probability at most 5 %, over all 1,000 looks."""
    rng = np.random.default_rng(3)
    alarms = 0
    for ones in (rng.random((400, 1_000)) < 0.3).cumsum(axis=1).tolist():
        paths = (split_log_evidence((n - k, k), (0.7, 0.3)) for n, k in enumerate(ones, start=1))
        alarms += any(value >= math.log(20.0) for value in paths)
    assert alarms / 400 <= binomial_band(400, 0.05)[1]


def test_a_broken_split_gathers_evidence() -> None:
    assert split_log_evidence((5_300, 4_700), (0.5, 0.5)) > math.log(1 / 0.0005)
    assert split_log_evidence((0, 5, 1), (0.5, 0.5, 0.0)) == math.inf


@pytest.mark.parametrize(
    ("observed", "planned"),
    [((1,), (1.0,)), ((1, 2), (1.0,)), ((-1, 2), (1.0, 1.0)), ((1, 2), (0.0, 0.0)), ((1, 2), (1.5, -0.5))],
)
def test_wrong_counts_or_weights_are_a_value_error(
    observed: tuple[int, ...], planned: tuple[float, ...]
) -> None:
    with pytest.raises(ValueError, match=r"variants|weight"):
        SplitCount(observed, planned)
