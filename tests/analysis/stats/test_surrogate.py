import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.stats.compare import compare_arms
from analysis.stats.estimable import NotEstimable
from analysis.stats.moments import empty_moments, moments_from_values
from analysis.stats.surrogate import (
    SurrogateEffect,
    SurrogateIndex,
    estimate_surrogate_effect,
    fit_surrogate_index,
)
from tests.analysis.stats.makers import binomial_band


def fitted(table: np.ndarray) -> SurrogateIndex:
    found = fit_surrogate_index(moments_from_values(table))
    assert isinstance(found, SurrogateIndex)
    return found


def history(rng: np.random.Generator, n: int) -> np.ndarray:
    s = rng.normal(size=(n, 2))
    return np.column_stack([s, 3.0 + s @ [1.0, -0.5] + rng.normal(size=n)])


def test_the_index_is_ordinary_least_squares() -> None:
    table = history(np.random.default_rng(361), 200)
    found, fit = fitted(table), sm.OLS(table[:, 2], sm.add_constant(table[:, :2])).fit()
    assert [found.intercept, *found.slopes] == pytest.approx(fit.params.tolist())
    assert np.asarray(found.covariance) == pytest.approx(fit.cov_params()[1:, 1:])
    assert found.r2 == pytest.approx(fit.rsquared)


@given(st.floats(-100, 100), st.floats(0.01, 100))
@settings(max_examples=25, deadline=None)
def test_the_units_of_the_early_outcomes_do_not_matter(shift: float, scale: float) -> None:
    rng = np.random.default_rng(362)
    table, c, t = history(rng, 100), rng.normal(size=(80, 2)), rng.normal(size=(80, 2)) + np.array([0.3, 0.0])
    plain = estimate_surrogate_effect(fitted(table), moments_from_values(c), moments_from_values(t))
    factor, move = np.array([scale, 1.0]), np.array([shift, 0.0])
    other = table.copy()
    other[:, :2] = other[:, :2] * factor + move
    moved = estimate_surrogate_effect(
        fitted(other), moments_from_values(c * factor + move), moments_from_values(t * factor + move)
    )
    assert isinstance(plain, SurrogateEffect)
    assert isinstance(moved, SurrogateEffect)
    assert moved.difference == pytest.approx(plain.difference, rel=1e-6)
    assert moved.se == pytest.approx(plain.se, rel=1e-6)


def test_without_error_in_the_index_the_effect_is_the_plain_comparison_of_the_index() -> None:
    rng = np.random.default_rng(363)
    index = SurrogateIndex(0.0, (2.0,), ((0.0,),), 1.0, 100)
    c, t = rng.normal(5.0, 1.0, 60), rng.normal(5.5, 1.0, 60)
    found = estimate_surrogate_effect(index, moments_from_values(c), moments_from_values(t))
    assert isinstance(found, SurrogateEffect)
    wanted = compare_arms(found.control, found.treatment, reference="normal")
    assert found.p_value == pytest.approx(wanted.p_value)  # type: ignore[union-attr]
    assert found.absolute.low == pytest.approx(wanted.absolute.low)  # type: ignore[union-attr]


def test_histories_that_say_nothing_give_a_reason() -> None:
    s = np.arange(50.0)
    double = np.column_stack([s, 2.0 * s, s + np.sin(s)])
    for table in (
        double,
        np.column_stack([s, s * 0.0]),
        np.column_stack([s * 0.0, s]),
        double[:3],
        double[:0],
    ):
        moments = moments_from_values(table) if len(table) else empty_moments([0.0] * table.shape[1])
        assert isinstance(fit_surrogate_index(moments), NotEstimable)
    huge = moments_from_values(np.array([[1e300, 1.0], [-1e300, 2.0], [0.0, 3.0], [1.0, 9.0], [5.0, 1.0]]))
    assert isinstance(fit_surrogate_index(huge), NotEstimable)
    one = moments_from_values([[1.0]])
    assert isinstance(estimate_surrogate_effect(NotEstimable("x"), one, one), NotEstimable)
    assert isinstance(
        estimate_surrogate_effect(SurrogateIndex(0, (1.0,), ((0.0,),), 1, 9), one, one), NotEstimable
    )


def test_wrong_arguments_are_refused() -> None:
    two = moments_from_values([[1.0, 2.0], [2.0, 1.0]])
    with pytest.raises(ValueError, match="early outcome"):
        fit_surrogate_index(moments_from_values([1.0, 2.0]))
    with pytest.raises(ValueError, match="in its order"):
        estimate_surrogate_effect(SurrogateIndex(0, (1.0,), ((0.0,),), 1, 9), two, two)


@pytest.mark.slow
def test_the_interval_covers_the_long_term_effect_when_surrogacy_holds() -> None:
    """1,500 histories of 300 and experiments of 2 x 300; the true long-term effect is 0.4."""
    rng = np.random.default_rng(364)
    covered = 0
    for _ in range(1_500):
        index = fitted(history(rng, 300))
        c, t = rng.normal(size=(300, 2)), rng.normal(size=(300, 2)) + np.array([0.5, 0.2])
        found = estimate_surrogate_effect(index, moments_from_values(c), moments_from_values(t))
        assert isinstance(found, SurrogateEffect)
        covered += not found.absolute.excludes(0.4)
    assert binomial_band(1_500, 0.94)[0] <= covered / 1_500 <= binomial_band(1_500, 0.96)[1]
