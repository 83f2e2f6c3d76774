import csv
import gzip

import numpy as np
import pytest

from analysis.stats.estimable import NotEstimable
from analysis.stats.winsorise import Winsorised, cap_at_quantile, check_bound, winsorise
from tests.paths import SHARED

HILLSTROM = SHARED / "data" / "hillstrom.csv.gz"


def test_all_arms_get_the_same_bound() -> None:
    arms = [np.arange(100.0), np.arange(50.0, 150.0)]
    bound = cap_at_quantile(arms, 0.9)
    assert isinstance(bound, float)
    found = winsorise(arms, bound)
    assert isinstance(found, Winsorised)
    assert [float(arm.max()) for arm in found.values] == [99.0, bound]
    assert found.share_capped == pytest.approx(0.1)
    assert 0.0 < found.total_removed < 0.1


def test_the_cap_scales_with_the_values_and_ignores_their_order() -> None:
    rng = np.random.default_rng(1)
    values = rng.exponential(size=500)
    base = cap_at_quantile([values], 0.99)
    assert isinstance(base, float)
    assert cap_at_quantile([7.0 * rng.permutation(values)], 0.99) == pytest.approx(7.0 * base)
    assert cap_at_quantile([values[:200], values[200:]], 0.99) == base


@pytest.mark.skipif(not HILLSTROM.exists(), reason=f"the shared data are not here: {HILLSTROM}")
def test_the_99_percent_cap_of_hillstroms_spend_is_0_and_says_so() -> None:
    """0.9 % of 64,000 customers spent anything, so their 99 % quantile erases the metric."""
    with gzip.open(HILLSTROM, "rt") as file:
        spend = np.array([float(row["spend"]) for row in csv.DictReader(file)])
    refused = cap_at_quantile([spend], 0.99)
    assert isinstance(refused, NotEstimable)
    assert "the cap is 0 because only 0.9 % of the units" in refused.reason
    among_buyers = cap_at_quantile([spend], 0.99, positive_only=True)
    assert among_buyers == pytest.approx(float(np.quantile(spend[spend > 0], 0.99)))


def test_data_without_an_answer_get_a_reason_and_wrong_arguments_a_value_error() -> None:
    assert isinstance(cap_at_quantile([], 0.9), NotEstimable)
    assert isinstance(cap_at_quantile([np.zeros(0)], 0.9), NotEstimable)
    assert isinstance(cap_at_quantile([np.zeros(9)], 0.9, positive_only=True), NotEstimable)
    assert isinstance(cap_at_quantile([np.array([1.0, np.inf])], 0.9), NotEstimable)
    assert isinstance(winsorise([np.zeros(9)], 0.0), NotEstimable)
    assert isinstance(check_bound(-1.0, nonzero_share=0.5), NotEstimable)
    with pytest.raises(ValueError, match="quantile"):
        cap_at_quantile([np.ones(3)], 1.0)
    with pytest.raises(ValueError, match="finite"):
        winsorise([np.ones(3)], float("nan"))
