import numpy as np
import pytest
import statsmodels.api as sm

from analysis.stats.arms import ArmEstimate
from analysis.stats.estimable import NotEstimable
from analysis.stats.factorial import FactorialEffect, compare_cells, factorial_terms, fit_factorial
from tests.analysis.stats.case_estimates import npk_rows
from tests.analysis.stats.makers import compared, mean_arm, values_arm


def effect(found: object) -> FactorialEffect:
    assert isinstance(found, FactorialEffect)
    return found


def test_terms_are_ordered_main_effects_first() -> None:
    assert factorial_terms(3, 2) == ((0,), (1,), (2,), (0, 1), (0, 2), (1, 2))
    assert factorial_terms(2, 5) == ((0,), (1,), (0, 1))


def test_one_factor_with_hc2_is_the_welch_comparison() -> None:
    control, treatment = mean_arm(40, 10.0, 3.0), mean_arm(25, 12.0, 5.0)
    wanted = compared(control, treatment)
    found = effect(compare_cells({(0,): control, (1,): treatment})[(0,)])
    assert (found.effect, found.se, found.df) == pytest.approx((wanted.difference, wanted.se, wanted.df))
    assert found.p_value == pytest.approx(wanted.p_value)
    assert found.interval.low == pytest.approx(wanted.absolute.low)


def cells_and_rows() -> tuple[dict[tuple[int, ...], ArmEstimate], np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    rng = np.random.default_rng(1)
    cells, outcomes, levels = {}, [], []
    for cell, n in (((0, 0), 30), ((0, 1), 20), ((1, 0), 25), ((1, 1), 40)):
        values = rng.normal(10.0 + cell[0] - 0.5 * cell[1] + 2.0 * cell[0] * cell[1], 1.0 + cell[1], n)
        cells[cell] = values_arm(values.tolist())
        outcomes.append(values)
        levels.extend([cell] * n)
    return cells, np.concatenate(outcomes), np.array(levels)


@pytest.mark.parametrize("covariance", ["hc2", "hc3"])
def test_cells_and_rows_and_statsmodels_agree(covariance: str) -> None:
    cells, outcomes, levels = cells_and_rows()
    by_cells = compare_cells(cells, covariance=covariance)  # type: ignore[arg-type]
    by_rows = fit_factorial(outcomes, levels, covariance=covariance)  # type: ignore[arg-type]
    signs = 2.0 * levels - 1.0
    design = np.column_stack([np.ones(len(outcomes)), signs, signs[:, 0] * signs[:, 1]])
    wanted = sm.OLS(outcomes, design).fit(cov_type=covariance.upper())
    for i, term in enumerate(((0,), (1,), (0, 1)), start=1):
        for found in (by_cells[term], by_rows[term]):
            assert effect(found).effect == pytest.approx(2.0 * wanted.params[i], rel=1e-9)
            assert effect(found).se == pytest.approx(2.0 * wanted.bse[i], rel=1e-9)


def test_blocks_hide_the_three_way_interaction_of_the_pea_trial() -> None:
    """npk: N:P:K is confounded with blocks (R prints it under Error: block)."""
    table = npk_rows()
    found = fit_factorial(
        table[:, 4],
        table[:, 1:4].astype(int),
        blocks=table[:, 0].astype(int),
        largest_order=3,
        covariance="pooled",
    )
    assert isinstance(found[(0, 1, 2)], NotEstimable)
    assert effect(found[(0,)]).f == pytest.approx(12.25873, abs=1e-5)
    # R, ?npk: coefficients of npk.aovE with contr.helmert halves: N1 2.8083, so the effect of N is 5.6167.
    assert effect(found[(0,)]).effect == pytest.approx(5.6167, abs=1e-4)


def test_data_without_an_answer_get_a_reason() -> None:
    whole, missing = mean_arm(9, 1.0, 1.0), NotEstimable("a variance needs at least 2 units")
    cells = {(0, 0): whole, (0, 1): whole, (1, 0): whole, (1, 1): missing}
    assert all(isinstance(r, NotEstimable) for r in compare_cells(cells).values())
    flat = mean_arm(9, 1.0, 0.0)
    assert isinstance(compare_cells({(0,): flat, (1,): flat})[(0,)], NotEstimable)
    no_rows = fit_factorial(np.zeros(0), np.zeros((0, 2), dtype=int))
    assert all(isinstance(r, NotEstimable) for r in no_rows.values())
    for n in (1, 2):
        few = fit_factorial(np.arange(float(n)), np.zeros((n, 2), dtype=int))
        assert all(isinstance(r, NotEstimable) for r in few.values())
    constant = fit_factorial(np.full(8, 1e8), np.array([[0], [1]] * 4))
    assert isinstance(constant[(0,)], NotEstimable)
    one_level = fit_factorial(np.arange(8.0), np.ones((8, 1), dtype=int))
    assert isinstance(one_level[(0,)], NotEstimable)


def test_wrong_arguments_are_value_errors() -> None:
    whole = mean_arm(9, 1.0, 1.0)
    with pytest.raises(ValueError, match="every cell"):
        compare_cells({(0, 0): whole, (1, 1): whole})
    with pytest.raises(ValueError, match="every cell"):
        compare_cells({})
    with pytest.raises(ValueError, match="unknown covariance"):
        compare_cells({(0,): whole, (1,): whole}, covariance="hc1")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="0 and 1"):
        fit_factorial(np.arange(3.0), np.array([[0], [1], [2]]))
    with pytest.raises(ValueError, match="finite"):
        fit_factorial(np.array([1.0, np.nan]), np.array([[0], [1]]))
