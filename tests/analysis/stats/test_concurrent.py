import numpy as np
import pytest
import statsmodels.api as sm

from analysis.stats.arms import ArmEstimate
from analysis.stats.concurrent import PairInteraction, SharedCells, detect_pair_interactions
from analysis.stats.estimable import NotEstimable
from tests.analysis.stats.makers import binomial_band, mean_arm, values_arm


def found_one(cells: SharedCells) -> PairInteraction:
    (result,) = detect_pair_interactions([cells])
    assert isinstance(result, PairInteraction)
    return result


def test_the_contrast_is_that_of_a_regression_with_hc2_errors() -> None:
    """In a saturated model HC2 is exactly s^2/n per cell (MacKinnon & White 1985); from statsmodels."""
    rng = np.random.default_rng(301)
    groups = {
        (a, b): rng.normal(1.0 + a + 0.5 * b + 0.7 * a * b, 1.0 + a, 20 + 7 * a + 3 * b)
        for a in (0, 1)
        for b in (0, 1)
    }
    y = np.concatenate(list(groups.values()))
    x = np.array([[1.0, a, b, a * b] for (a, b), values in groups.items() for _ in values])
    fit = sm.OLS(y, x).fit(cov_type="HC2")
    cell = {key: values_arm(values.tolist()) for key, values in groups.items()}
    found = found_one(SharedCells("a:b", cell[1, 1], cell[1, 0], cell[0, 1], cell[0, 0]))
    assert found.difference == pytest.approx(fit.params[3])
    assert found.se == pytest.approx(fit.bse[3])


def test_swapping_the_experiments_changes_nothing_and_relabelling_one_flips_the_sign() -> None:
    cells = [mean_arm(50 + 10 * i, 3.0 + i * i, 1.0 + i) for i in range(4)]
    found = found_one(SharedCells("x", cells[0], cells[1], cells[2], cells[3]))
    swapped = found_one(SharedCells("x", cells[0], cells[2], cells[1], cells[3]))
    flipped = found_one(SharedCells("x", cells[2], cells[3], cells[0], cells[1]))
    assert swapped.difference == pytest.approx(found.difference)
    assert swapped.p_value == pytest.approx(found.p_value)
    assert flipped.difference == pytest.approx(-found.difference)


def test_bh_runs_over_the_pairs_that_have_a_number() -> None:
    same, other = mean_arm(500, 3.0, 1.0), mean_arm(500, 3.25, 1.0)
    interacting = SharedCells("b", other, same, same, same)
    broken = SharedCells("c", NotEstimable("no units"), same, same, same)
    quiet = SharedCells("a", same, same, same, same)
    first, second, third = detect_pair_interactions([quiet, interacting, broken])
    assert isinstance(first, PairInteraction)
    assert isinstance(second, PairInteraction)
    assert third == NotEstimable("m11: no units")
    assert second.p_adjusted == pytest.approx(2.0 * second.p_value)
    assert first.p_adjusted == 1.0


def test_constant_and_huge_cells_give_a_reason() -> None:
    flat, huge = mean_arm(10, 1.0, 0.0), ArmEstimate(10, 1e308, 1e308, 9.0)
    for cells in (SharedCells("x", flat, flat, flat, flat), SharedCells("x", huge, huge, huge, huge)):
        (result,) = detect_pair_interactions([cells])
        assert isinstance(result, PairInteraction | NotEstimable)
    assert detect_pair_interactions([]) == ()
    with pytest.raises(ValueError, match="alpha"):
        detect_pair_interactions([], alpha=1.0)


@pytest.mark.slow
def test_experiments_that_do_not_interact_are_called_interacting_as_often_as_alpha_says() -> None:
    """1,500 sets of four skewed cells with two true main effects."""
    rng = np.random.default_rng(302)
    wrong = 0
    for _ in range(1_500):
        cells = [values_arm((rng.exponential(2.0, 400) + shift).tolist()) for shift in (1.3, 1.0, 0.3, 0.0)]
        wrong += found_one(SharedCells("x", *cells)).p_value < 0.05
    low, high = binomial_band(1_500, 0.05)
    assert low <= wrong / 1_500 <= high
