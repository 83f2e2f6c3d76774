import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from analysis.stats.always_valid import sequence_log_evidence
from analysis.stats.estimable import Interval, NotEstimable
from analysis.stats.mixtures import (
    BetaBinomialMixture,
    best_normal_mixture,
    beta_log_evidence,
    msprt_log_ratio,
    rate_sequence,
)
from analysis.stats.srm import split_log_evidence


@given(st.floats(-5, 5), st.floats(0.01, 100), st.integers(1, 100_000), st.floats(1e-4, 10))
def test_the_msprt_equals_the_normal_mixture(d: float, variance: float, n: int, tau2: float) -> None:
    z = d / math.sqrt(variance / n)
    assert msprt_log_ratio(d, variance, n, tau2) == pytest.approx(
        sequence_log_evidence(z, n, tau2 / variance), rel=1e-9, abs=1e-9
    )


def test_the_msprt_is_the_integral_of_likelihood_ratios_over_the_prior() -> None:
    d, variance, n, tau2 = 0.3, 2.0, 40, 0.25

    def weighted(theta: float) -> float:
        log_ratio = n * (theta * d - theta * theta / 2.0) / variance
        return math.exp(log_ratio) * float(stats.norm.pdf(theta, scale=math.sqrt(tau2)))

    value, _ = integrate.quad(weighted, -6.0, 6.0)
    assert msprt_log_ratio(d, variance, n, tau2) == pytest.approx(math.log(value), rel=1e-8)


def test_a_bound_has_exactly_the_evidence_one_over_alpha() -> None:
    normal, beta = best_normal_mixture(200.0, 0.05), BetaBinomialMixture(0.1, 0.9, 30.0)
    assert normal.log_evidence(normal.bound(150.0, 0.05), 150.0) == pytest.approx(math.log(20.0))
    assert beta.log_evidence(beta.bound(20.0, 0.05), 20.0) == pytest.approx(math.log(20.0))


def test_the_beta_binomial_evidence_is_a_martingale() -> None:
    """Under the null the expected e-value of the next observation is the e-value now."""
    rate, strength = 0.3, 12.0
    for ones, zeros in [(0, 0), (3, 1), (10, 40)]:
        now = math.exp(beta_log_evidence(ones, zeros, rate, strength))
        up = math.exp(beta_log_evidence(ones + 1, zeros, rate, strength))
        down = math.exp(beta_log_evidence(ones, zeros + 1, rate, strength))
        assert rate * up + (1.0 - rate) * down == pytest.approx(now, rel=1e-12)


def test_two_variants_have_the_same_evidence_as_the_split_test() -> None:
    assert beta_log_evidence(70, 30, 0.6, 100.0) == pytest.approx(split_log_evidence((70, 30), (0.6, 0.4)))


def test_few_observations_cannot_reach_the_bound() -> None:
    beta = BetaBinomialMixture(0.5, 0.5, 10.0)
    assert beta.bound(0.5, 0.05) == 1.0  # n = 2: both ones is the most there can be


@given(st.integers(0, 400), st.integers(0, 400))
def test_a_rate_sequence_holds_the_rate_and_mirrors(ones: int, zeros: int) -> None:
    found = rate_sequence(ones, ones + zeros)
    if ones + zeros == 0:
        assert isinstance(found, NotEstimable)
        return
    assert isinstance(found, Interval)
    assert 0.0 <= found.low <= ones / (ones + zeros) <= found.high <= 1.0
    mirrored = rate_sequence(zeros, ones + zeros)
    assert isinstance(mirrored, Interval)
    assert mirrored.low == pytest.approx(1.0 - found.high, abs=1e-8)


@pytest.mark.slow
def test_a_rate_sequence_misses_at_any_of_80_looks_at_most_as_often_as_alpha() -> None:
    """4,000 rates of 2 %, looked at after every 25 units."""
    rng = np.random.default_rng(201)
    missed, runs, looks = 0, 4_000, range(25, 2_001, 25)
    for row in rng.binomial(25, 0.02, (runs, len(looks))).cumsum(axis=1).tolist():
        for ones, n in zip(row, looks, strict=True):
            if abs(ones / n - 0.02) > 0.01 and rate_sequence_excludes(ones, n, 0.02):
                missed += 1
                break
    assert missed / runs <= 0.05


def rate_sequence_excludes(ones: int, n: int, rate: float) -> bool:
    found = rate_sequence(ones, n)
    assert isinstance(found, Interval)
    return found.excludes(rate)


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and n"):
        rate_sequence(5, 4)
    with pytest.raises(ValueError, match="alpha"):
        rate_sequence(1, 4, alpha=0.0)
    with pytest.raises(ValueError, match="positive"):
        BetaBinomialMixture(0.0, 1.0, 1.0)
    with pytest.raises(ValueError, match="positive"):
        msprt_log_ratio(0.1, 0.0, 10, 1.0)
