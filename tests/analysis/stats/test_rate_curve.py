import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from analysis.stats.estimable import NotEstimable
from analysis.stats.rate_curve import RateEstimate, estimate_rate_curve
from tests.analysis.stats.makers import binomial_band


def estimated(scores: np.ndarray, priority: np.ndarray, **options: object) -> RateEstimate:
    found = estimate_rate_curve(scores, priority, seed=1, **options)  # type: ignore[arg-type]
    assert isinstance(found, RateEstimate)
    return found


def test_a_perfect_ranking_of_normal_effects_has_the_area_that_calculus_says() -> None:
    """TOC(u) = pdf(z_u) / u for standard normal effects; AUTOC and Qini are its integrals."""
    rng = np.random.default_rng(381)
    effect = rng.standard_normal(40_000)

    def toc(u: float) -> float:
        return float(stats.norm.pdf(stats.norm.isf(u))) / u

    autoc, _ = integrate.quad(toc, 0.0, 1.0)
    qini, _ = integrate.quad(lambda u: u * toc(u), 0.0, 1.0)
    assert estimated(effect, effect, bootstraps=20).rate == pytest.approx(autoc, abs=0.02)
    assert estimated(effect, effect, weighting="qini", bootstraps=20).rate == pytest.approx(qini, abs=0.01)


def test_turning_the_ranking_round_turns_qini_round_and_ties_are_averaged() -> None:
    scores, rank = np.arange(20.0), np.repeat([1.0, 2.0], 10)
    forth = estimated(scores, rank, weighting="qini", points=4)
    back = estimated(scores, -rank, weighting="qini", points=4)
    assert forth.rate > 0.0 > back.rate
    assert forth.rate == pytest.approx(-back.rate, rel=0.2)
    assert [round(gain, 9) for _, gain in forth.curve] == [5.0, 5.0, round(5.0 / 3.0, 9), 0.0]
    shuffled = np.random.default_rng(2).permutation(20)
    assert estimated(scores[shuffled], rank[shuffled]).rate == pytest.approx(estimated(scores, rank).rate)


@given(st.floats(-100, 100), st.floats(0.01, 100))
@settings(max_examples=20, deadline=None)
def test_a_constant_effect_adds_nothing_and_units_scale(shift: float, scale: float) -> None:
    rng = np.random.default_rng(382)
    scores, priority = rng.normal(size=60), rng.normal(size=60)
    plain, moved = estimated(scores, priority), estimated(scale * scores + shift, np.exp(priority))
    assert moved.rate == pytest.approx(scale * plain.rate, abs=1e-9 * scale + 1e-9)
    assert moved.se == pytest.approx(scale * plain.se, rel=1e-6)


def test_rankings_that_say_nothing_give_a_reason() -> None:
    rng = np.random.default_rng(383)
    assert isinstance(estimate_rate_curve(rng.normal(size=50), np.ones(50), seed=1), NotEstimable)
    assert isinstance(estimate_rate_curve(np.ones(50), rng.normal(size=50), seed=1), NotEstimable)
    assert isinstance(estimate_rate_curve([1.0], [1.0], seed=1), NotEstimable)
    assert isinstance(estimate_rate_curve([math.nan] * 20, np.arange(20.0), seed=1), NotEstimable)
    with pytest.raises(ValueError, match="weighting"):
        estimate_rate_curve([1.0], [1.0], seed=1, weighting="gini")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="one value"):
        estimate_rate_curve([1.0], [1.0, 2.0], seed=1)


@pytest.mark.slow
def test_a_worthless_ranking_is_called_useful_as_often_as_alpha_says() -> None:
    """600 rankings unrelated to the effect, 800 units each."""
    rng = np.random.default_rng(384)
    called = sum(
        estimated(rng.normal(0.5, 1.0, 800), rng.normal(size=800), bootstraps=100).p_value < 0.05
        for _ in range(600)
    )
    low, high = binomial_band(600, 0.05)
    assert low <= called / 600 <= high
