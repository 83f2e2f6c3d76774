import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.stats.adaptive_arms import Batch, estimate_adaptive_arms
from analysis.stats.arms import ArmEstimate
from analysis.stats.bandits import MeanBelief, chance_best, share_by_thompson
from analysis.stats.compare import Comparison, compare_arms
from analysis.stats.estimable import NotEstimable
from analysis.stats.moments import empty_moments, moments_from_sums, moments_from_values
from tests.analysis.stats.makers import binomial_band


def estimated(batches: list[Batch], **options: float) -> list[ArmEstimate]:
    found = estimate_adaptive_arms(batches, **options)
    assert all(isinstance(arm, ArmEstimate) for arm in found)
    return [arm for arm in found if isinstance(arm, ArmEstimate)]


def test_the_estimate_is_the_weighted_mean_of_unit_scores() -> None:
    """The paper's formulas, unit by unit (Hadad et al. 2021, equations 5, 8 and 9)."""
    rng = np.random.default_rng(331)
    batches, scores, weights, history = [], [], [], []
    for share in (0.5, 0.2, 0.7):
        model = float(np.mean(history)) if history else 0.0
        n, others = 40, rng.normal(3.0, 1.0, 25)
        own = rng.normal(2.0, 1.5, n)
        batches.append(Batch((share, 1.0 - share), (moments_from_values(own), moments_from_values(others))))
        scores += [model + (y - model) / share for y in own] + [model] * 25
        weights += [math.sqrt(share)] * 65
        history += own.tolist()
    s, h = np.array(scores), np.array(weights)
    mean = float(h @ s / h.sum())
    found = estimated(batches)[0]
    assert found.mean == pytest.approx(mean)
    assert found.se2 == pytest.approx(float((h * h) @ (s - mean) ** 2 / h.sum() ** 2))


@given(st.floats(-1e3, 1e3), st.floats(1e-3, 1e3))
def test_shifting_and_scaling_the_metric_shifts_and_scales_the_estimate(shift: float, scale: float) -> None:
    rng = np.random.default_rng(332)
    values = [[rng.normal(size=30), rng.normal(size=20)] for _ in range(3)]
    shares = [(0.5, 0.5), (0.6, 0.4), (0.3, 0.7)]

    def batches(a: float, b: float) -> list[Batch]:
        return [
            Batch(share, tuple(moments_from_values(a + b * arm) for arm in arms))
            for share, arms in zip(shares, values, strict=True)
        ]

    plain, moved = estimated(batches(0.0, 1.0)), estimated(batches(shift, scale), prior_mean=shift)
    for before, after in zip(plain, moved, strict=True):
        assert after.mean == pytest.approx(shift + scale * before.mean, abs=1e-6 * scale)
        assert after.se2 == pytest.approx(scale * scale * before.se2, rel=1e-5)


def test_empty_arms_and_batches_give_a_reason_or_a_number() -> None:
    some, none = moments_from_values([1.0, 2.0, 4.0]), empty_moments([0.0])
    first, second = estimate_adaptive_arms([Batch((0.5, 0.5), (some, none)), Batch((0.9, 0.1), (none, none))])
    assert isinstance(first, ArmEstimate)
    assert isinstance(second, NotEstimable)
    huge = moments_from_sums(2, [1e308], [[1e308]])
    assert estimate_adaptive_arms([Batch((1e-9, 1.0 - 1e-9), (huge, huge))])


def test_wrong_arguments_are_refused() -> None:
    some = moments_from_values([1.0, 2.0])
    with pytest.raises(ValueError, match="add up"):
        Batch((0.5, 0.4), (some, some))
    with pytest.raises(ValueError, match="positive"):
        Batch((1.0, 0.0), (some, some))
    with pytest.raises(ValueError, match="at least 2"):
        Batch((1.0,), (some,))
    with pytest.raises(ValueError, match="batches"):
        estimate_adaptive_arms([])


def run_bandit(
    rng: np.random.Generator, rates: tuple[float, ...], size: int
) -> tuple[list[ArmEstimate], list[float]]:
    """12 batches of `size` units under Thompson sampling with a floor of 5 %; adaptive and naive means."""
    shares = (1.0 / len(rates),) * len(rates)
    n, ones, batches = np.zeros(len(rates)), np.zeros(len(rates)), []
    for _ in range(12):
        units = rng.multinomial(size, shares)
        hits = rng.binomial(units, rates)
        arms = [moments_from_sums(int(u), [float(h)], [[float(h)]]) for u, h in zip(units, hits, strict=True)]
        batches.append(Batch(shares, tuple(arms)))
        n, ones = n + units, ones + hits
        p = (ones + 1.0) / (n + 4.0)
        beliefs = [MeanBelief(m, math.sqrt(m * (1.0 - m) / (k + 4.0))) for m, k in zip(p, n, strict=True)]
        shares = share_by_thompson(chance_best(beliefs), floor=0.05)
    return estimated(batches), (ones / n).tolist()


@pytest.mark.slow
def test_adaptive_estimates_cover_and_are_less_biased_than_naive_means() -> None:
    """400 bandits over three equal arms of 20 %, 12 batches of 1,000: coverage 94-96 %, differences at 5 %."""
    rng = np.random.default_rng(333)
    covered = called = 0
    means, naive_means, runs = [], [], 400
    for _ in range(runs):
        found, naive = run_bandit(rng, (0.2, 0.2, 0.2), 1_000)
        covered += sum(abs(arm.mean - 0.2) <= 1.96 * math.sqrt(arm.se2) for arm in found)
        comparison = compare_arms(found[0], found[1], reference="normal")
        assert isinstance(comparison, Comparison)
        called += comparison.p_value < 0.05
        means.append(np.mean([arm.mean for arm in found]))
        naive_means.append(np.mean(naive))
    naive_bias = float(np.mean(naive_means)) - 0.2
    assert naive_bias < -3.5 * float(np.std(naive_means)) / math.sqrt(runs)
    assert abs(float(np.mean(means)) - 0.2) < 0.75 * abs(naive_bias)
    assert binomial_band(3 * runs, 0.94)[0] <= covered / (3 * runs) <= binomial_band(3 * runs, 0.96)[1]
    assert called / runs <= binomial_band(runs, 0.05)[1]
