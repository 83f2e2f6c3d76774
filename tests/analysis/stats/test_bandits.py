import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, special, stats

from analysis.stats.bandits import (
    MeanBelief,
    RateBelief,
    believe_arm,
    chance_best,
    share_by_thompson,
    share_by_top_two,
)
from analysis.stats.estimable import NotEstimable
from tests.analysis.stats.makers import mean_arm

means = st.builds(MeanBelief, st.floats(-5, 5), st.sampled_from([1e-4, 0.1, 1.0, 20.0]))
rates = st.builds(RateBelief, st.floats(0.2, 500.0), st.floats(0.2, 500.0))
beliefs = st.lists(st.one_of(means, rates), min_size=1, max_size=5)


# cprior@0c75cf7 tests/test_beta.py; field_test@0a38e56 (the numbers of reference/cases.json)
@pytest.mark.parametrize(
    ("a", "b", "chance"),
    [
        ((10, 50), (60, 250), 0.70889192),
        ((1000, 900), (1200, 1000), 0.8898254504),
        ((1, 2), (3, 4), 0.6428571428571429),
    ],
)
def test_two_rates_agree_with_exact_formulas(a: tuple[int, int], b: tuple[int, int], chance: float) -> None:
    assert chance_best([RateBelief(*a), RateBelief(*b)])[1] == pytest.approx(chance, abs=1e-8)


@pytest.mark.parametrize(("gap", "s0", "s1"), [(0.3, 1.0, 0.001), (1.0, 2.0, 3.0), (-0.05, 1e-3, 1e-3)])
def test_two_normals_agree_with_the_closed_form(gap: float, s0: float, s1: float) -> None:
    wanted = float(special.ndtr(gap / math.hypot(s0, s1)))
    assert chance_best([MeanBelief(0.0, s0), MeanBelief(gap, s1)])[1] == pytest.approx(wanted, abs=1e-6)


def test_three_arms_agree_with_scipys_quadrature() -> None:
    laws = [stats.beta(20, 180), stats.beta(25, 175), stats.beta(5, 30)]
    found = chance_best([RateBelief(20, 180), RateBelief(25, 175), RateBelief(5, 30)])
    for k in range(3):
        law, one, other = laws[k], laws[k - 1], laws[k - 2]
        x = np.linspace(0.0, 1.0, 20_001)
        wanted = integrate.simpson(law.pdf(x) * one.cdf(x) * other.cdf(x), x=x)
        assert found[k] == pytest.approx(wanted, abs=1e-7)


@given(beliefs, st.sampled_from(["increase", "decrease"]))
@settings(max_examples=60, deadline=None)
def test_chances_add_up_and_follow_the_order_of_the_arms(
    arms: list[RateBelief | MeanBelief], way: str
) -> None:
    found = chance_best(arms, way)  # type: ignore[arg-type]
    assert math.fsum(found) == pytest.approx(1.0)
    assert min(found) >= 0.0
    backwards = chance_best(arms[::-1], way)  # type: ignore[arg-type]
    assert backwards[::-1] == pytest.approx(found, abs=1e-6)


def test_less_is_better_turns_the_question_round() -> None:
    arms = [MeanBelief(1.0, 1.0), MeanBelief(2.0, 1.0)]
    assert chance_best(arms, "decrease") == pytest.approx(chance_best(arms)[::-1])


@given(st.lists(st.floats(0.0, 1.0), min_size=2, max_size=6), st.floats(0.0, 1.0))
def test_shares_keep_the_floor_and_add_up(raw: list[float], fill: float) -> None:
    total = sum(raw)
    chances = [value / total for value in raw] if total > 1e-6 else [1.0 / len(raw)] * len(raw)
    floor = fill / len(raw)
    for shares in (share_by_thompson(chances, floor=floor), share_by_top_two(chances, floor=floor)):
        assert math.fsum(shares) == pytest.approx(1.0)
        assert min(shares) >= floor - 1e-12


def test_top_two_is_what_drawing_twice_gives() -> None:
    """200,000 seeded draws by Russo's algorithm."""
    rng, chances = np.random.default_rng(321), (0.6, 0.3, 0.1)
    first = rng.choice(3, 200_000, p=chances)
    second = first.copy()
    while bool((clash := second == first).any()):
        second[clash] = rng.choice(3, int(clash.sum()), p=chances)
    played = np.where(rng.random(200_000) < 0.5, first, second)
    drawn = np.bincount(played, minlength=3) / 200_000
    assert share_by_top_two(chances, floor=0.0) == pytest.approx(drawn.tolist(), abs=0.005)


def test_a_certain_winner_still_shares_half_with_the_challengers() -> None:
    assert share_by_top_two((0.0, 1.0, 0.0), floor=0.0) == (0.25, 0.5, 0.25)
    assert share_by_top_two((1.0,), floor=0.0) == (1.0,)


def test_beliefs_far_apart_leave_no_nan() -> None:
    assert chance_best([MeanBelief(0.0, 0.1), MeanBelief(1e9, 1e-3)]) == (0.0, 1.0)
    assert chance_best([MeanBelief(0.0, 1e-9)] * 3) == pytest.approx((1 / 3,) * 3)


def test_a_prior_and_an_estimate_meet_by_precision() -> None:
    found = believe_arm(mean_arm(100, 2.0, 10.0), prior_mean=0.0, prior_sd=1.0)
    assert (found.mean, found.sd) == (pytest.approx(1.0), pytest.approx(math.sqrt(0.5)))
    assert believe_arm(NotEstimable("x"), prior_mean=0.5, prior_sd=1.0) == MeanBelief(0.5, 1.0)


def test_wrong_arguments_are_refused() -> None:
    for call in (
        lambda: chance_best([]),
        lambda: share_by_thompson((0.5, 0.4), floor=0.0),
        lambda: share_by_thompson((0.5, 0.5), floor=0.6),
        lambda: share_by_top_two((0.5, 0.5), floor=0.0, leader=1.5),
        lambda: RateBelief(0.0, 1.0),
        lambda: MeanBelief(0.0, 0.0),
        lambda: chance_best([MeanBelief(0.0, 1.0)], "up"),  # type: ignore[arg-type]
    ):
        with pytest.raises(ValueError, match=r"needs|add up|lies? between|must"):
            call()
