import math

import numpy as np
import pytest
from scipy import stats

from analysis.stats.arms import ArmEstimate
from analysis.stats.compare import Comparison, compare_arms
from analysis.stats.estimable import NotEstimable
from analysis.stats.moments import moments_from_values
from analysis.stats.quantiles import (
    QuantileBounds,
    cluster_inflation,
    estimate_quantile,
    estimate_quantile_of_values,
    rank_bounds,
)
from tests.analysis.stats.makers import binomial_band


def estimated(values: object, quantile: float, **options: object) -> ArmEstimate:
    result = estimate_quantile_of_values(np.asarray(values, dtype=float), quantile, **options)  # type: ignore[arg-type]
    assert isinstance(result, ArmEstimate)
    return result


def test_the_standard_error_is_that_of_the_textbook() -> None:
    """sqrt(nu (1 - nu) / n) / f(q) for a standard normal: f(q90) = 0.17550, n = 200,000."""
    values = np.random.default_rng(1).normal(size=200_000)
    found = estimated(values, 0.9)
    wanted = math.sqrt(0.09 / 200_000) / float(stats.norm.pdf(stats.norm.ppf(0.9)))
    assert math.sqrt(found.se2) == pytest.approx(wanted, rel=0.05)
    assert found.mean == pytest.approx(1.2816, abs=5 * wanted)


def test_values_scale_and_shift_through() -> None:
    values = np.random.default_rng(2).exponential(2.0, 500)
    base, moved = estimated(values, 0.75), estimated(1_000.0 * values + 7.0, 0.75)
    assert moved.mean == pytest.approx(1_000.0 * base.mean + 7.0)
    assert moved.se2 == pytest.approx(1e6 * base.se2)
    tiny = estimated(np.round(values) * 1e-9, 0.75)
    assert tiny.se2 == pytest.approx(1e-18 * estimated(np.round(values), 0.75).se2)


def test_ties_at_the_quantile_get_the_variance_that_a_step_hides() -> None:
    values = np.concatenate([np.full(50, 1.0), np.full(400, 2.0), np.full(50, 3.0)])
    found = estimated(values, 0.5)
    assert found.mean == 2.0
    assert found.se2 == pytest.approx(1.0 / 12.0)


def test_values_that_are_all_the_same_and_few_values_are_answered_with_a_reason() -> None:
    same = estimate_quantile_of_values(np.full(500, 3.0), 0.5)
    assert same == NotEstimable("the values around the quantile are all the same")
    for n in (0, 1, 2, 30):
        few = estimate_quantile_of_values(np.arange(n, dtype=float), 0.95)
        assert isinstance(few, NotEstimable)
    assert isinstance(rank_bounds(1_000, 0.999), NotEstimable)


def test_one_value_per_unit_is_the_same_clustered_or_not() -> None:
    values = np.random.default_rng(3).normal(size=4_000)
    clustered = estimated(values, 0.8, units=np.arange(4_000))
    assert clustered.se2 == pytest.approx(estimated(values, 0.8).se2, rel=0.01)


def test_copies_of_a_value_within_a_unit_carry_no_information() -> None:
    """Every value told 4 times: naive errors would halve; clustered ones stay those of the units."""
    values = np.random.default_rng(4).normal(size=3_000)
    once = estimated(values, 0.8)
    copied = estimated(np.repeat(values, 4), 0.8, units=np.repeat(np.arange(3_000), 4))
    assert copied.se2 == pytest.approx(once.se2, rel=0.1)
    assert estimated(np.repeat(values, 4), 0.8).se2 == pytest.approx(once.se2 / 4.0, rel=0.1)


def test_inflation_is_one_plus_icc_for_equal_clusters() -> None:
    """m copies of one indicator: the design effect 1 + (m - 1) x 1 = m."""
    below = np.repeat([1.0, 0.0], [300, 700]) * 5.0
    table = np.column_stack([below, np.full(1_000, 5.0)])
    assert cluster_inflation(moments_from_values(table), 0.3) == pytest.approx(5.0, rel=2e-3)
    assert isinstance(cluster_inflation(moments_from_values(table[:1]), 0.3), NotEstimable)
    assert isinstance(cluster_inflation(moments_from_values(np.zeros((9, 2))), 0.3), NotEstimable)


def test_wrong_arguments_are_value_errors() -> None:
    with pytest.raises(ValueError, match="quantile"):
        rank_bounds(100, 1.0)
    with pytest.raises(ValueError, match="enclose"):
        QuantileBounds(100, 0.5, at=1.0, low=2.0, high=3.0)
    with pytest.raises(ValueError, match="inflation"):
        estimate_quantile(QuantileBounds(100, 0.5, 1.0, 0.5, 1.5), units=100, inflation=0.0)
    with pytest.raises(ValueError, match="finite"):
        estimate_quantile_of_values(np.array([1.0, math.nan]), 0.5)


@pytest.mark.slow
@pytest.mark.parametrize(("quantile", "events"), [(0.5, 1), (0.9, 1), (0.9, 4)])
def test_quantile_differences_cover(quantile: float, events: int) -> None:
    """1,500 tests of 2 x 1,000 units, log-normal values with a unit effect: true difference 0."""
    rng = np.random.default_rng(5)
    covered = 0
    for _ in range(1_500):
        arms = []
        for _arm in range(2):
            own = rng.normal(0.0, 1.0, 1_000).repeat(events)
            values = np.exp(own + rng.normal(0.0, 1.0, len(own)))
            arms.append(estimated(values, quantile, units=np.arange(1_000).repeat(events)))
        result = compare_arms(arms[0], arms[1], reference="normal")
        assert isinstance(result, Comparison)
        covered += not result.absolute.excludes(0.0)
    low, high = binomial_band(1_500, 0.95)
    assert low - 0.005 <= covered / 1_500 <= high + 0.005  # gate 94-96 %, and the simulation's own error
