import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from analysis.stats.bayes import (
    NormalPrior,
    Posterior,
    compare_arms_bayes,
    expected_losses,
    learn_prior,
    update_prior,
)
from analysis.stats.bayes_rates import (
    JEFFREYS,
    BetaBelief,
    chance_to_win,
    compare_rates_bayes,
    difference_quantile,
    expected_excess,
)
from analysis.stats.estimable import NotEstimable
from analysis.stats.rate_score import RateCount
from tests.analysis.stats.makers import binomial_band, compared, mean_arm, rate_arm

beliefs = st.builds(
    BetaBelief, st.floats(min_value=0.3, max_value=3e3), st.floats(min_value=0.3, max_value=3e3)
)


def posterior(*arguments: object, **options: object) -> Posterior:
    result = update_prior(*arguments, **options)  # type: ignore[arg-type]
    assert isinstance(result, Posterior)
    return result


def test_precisions_add_and_the_mean_is_drawn_toward_the_prior() -> None:
    """Gelman et al., Bayesian Data Analysis, equation 2.10: N(0, 1) and 2 with se 1 give N(1, 1/2)."""
    found = posterior(2.0, 1.0, NormalPrior(0.0, 1.0))
    assert (found.mean, found.sd**2, found.weight) == pytest.approx((1.0, 0.5, 0.5))
    assert found.chance_to_win == pytest.approx(float(stats.norm.cdf(math.sqrt(2.0))))
    assert "not peeking-proof" in found.label


def test_a_flat_prior_repeats_the_frequentist_interval() -> None:
    control, treatment = mean_arm(5_000, 10.0, 4.0), mean_arm(5_000, 10.3, 4.0)
    found = compare_arms_bayes(control, treatment, prior=NormalPrior(), scale="absolute")
    wanted = compared(control, treatment)
    assert isinstance(found, Posterior)
    assert found.mean == pytest.approx(wanted.difference)
    assert found.interval.low == pytest.approx(wanted.absolute.low, abs=1e-4)
    assert found.chance_to_win == pytest.approx(1.0 - wanted.p_value / 2.0, abs=1e-4)


def test_swapping_directions_swaps_chances_and_losses() -> None:
    up = posterior(0.02, 0.03, NormalPrior(0.0, 0.05))
    down = posterior(0.02, 0.03, NormalPrior(0.0, 0.05), direction="decrease")
    assert up.chance_to_win == pytest.approx(1.0 - down.chance_to_win)
    assert up.loss_of_treatment == pytest.approx(down.loss_of_control)


@given(st.floats(min_value=-50.0, max_value=50.0), st.floats(min_value=1e-3, max_value=1e3))
def test_expected_losses_differ_by_the_mean_and_are_never_negative(z: float, sd: float) -> None:
    of_control, of_treatment = expected_losses(z * sd, sd)
    assert min(of_control, of_treatment) >= 0.0
    assert of_control - of_treatment == pytest.approx(z * sd, rel=1e-9, abs=1e-12)


def test_a_tiny_loss_keeps_its_digits() -> None:
    """E[max(-x, 0)] at z = 12 by quadrature of the tail: about 1e-35, where phi - z Phi(-z) cancels."""
    wanted = integrate.quad(lambda x: stats.norm.sf(12.0 + x), 0.0, 4.0, epsabs=0.0)[0]
    assert expected_losses(12.0, 1.0)[1] == pytest.approx(wanted, rel=1e-6)


def test_data_without_an_answer_get_a_reason() -> None:
    flat = NormalPrior()
    assert isinstance(compare_arms_bayes(NotEstimable("x"), mean_arm(9, 1, 1), prior=flat), NotEstimable)
    near_zero = compare_arms_bayes(mean_arm(9, 0.1, 1.0), mean_arm(9, 0.2, 1.0), prior=flat)
    assert isinstance(near_zero, NotEstimable)
    negative = compare_arms_bayes(mean_arm(900, -5.0, 1.0), mean_arm(900, -4.0, 1.0), prior=flat)
    assert isinstance(negative, NotEstimable)
    assert isinstance(update_prior(1.0, 0.0, flat), NotEstimable)
    with pytest.raises(ValueError, match="sd"):
        NormalPrior(0.0, 0.0)
    with pytest.raises(ValueError, match="scale"):
        compare_arms_bayes(mean_arm(9, 1, 1), mean_arm(9, 1, 1), prior=flat, scale="log")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="not exist"):
        BetaBelief(0.0, 1.0)


def test_a_prior_is_learned_from_the_spread_of_true_effects() -> None:
    rng = np.random.default_rng(1)
    errors = rng.uniform(0.005, 0.03, 400)
    effects = rng.normal(0.004, 0.02, 400) + rng.normal(0.0, errors)
    learned = learn_prior(effects.tolist(), errors.tolist())
    around_zero = learn_prior(effects.tolist(), errors.tolist(), centre="zero")
    assert isinstance(learned, NormalPrior)
    assert isinstance(around_zero, NormalPrior)
    assert (learned.mean, learned.sd) == pytest.approx((0.004, 0.02), abs=0.004)
    assert around_zero.mean == 0.0
    assert around_zero.sd**2 == pytest.approx(learned.sd**2 + learned.mean**2, rel=0.1)


def test_a_prior_is_not_made_of_noise_or_of_a_handful() -> None:
    assert isinstance(learn_prior([0.01, 0.02, 0.0], [0.01] * 3), NotEstimable)
    assert isinstance(learn_prior([0.01, 0.011, 0.009, 0.01, 0.0105], [0.02] * 5), NotEstimable)
    assert isinstance(learn_prior([], []), NotEstimable)
    with pytest.raises(ValueError, match="positive variance"):
        learn_prior([0.1] * 6, [0.0] * 6)


@given(beliefs, beliefs)
def test_chances_of_two_rates_add_up_to_one(a: BetaBelief, b: BetaBelief) -> None:
    assert chance_to_win(a, b) + chance_to_win(b, a) == pytest.approx(1.0, abs=1e-9)
    assert expected_excess(a, b) - expected_excess(b, a) == pytest.approx(b.mean - a.mean, abs=1e-9)


@given(beliefs)
def test_equal_beliefs_are_a_coin(a: BetaBelief) -> None:
    assert chance_to_win(a, a) == pytest.approx(0.5, abs=1e-9)


@pytest.mark.parametrize("size", [1e-2, 1.0, 1e4, 1e8])
def test_beliefs_of_any_size_are_exact(size: float) -> None:
    assert chance_to_win(BetaBelief(size, 9 * size), BetaBelief(size, 9 * size)) == pytest.approx(
        0.5, abs=1e-9
    )


def test_chances_far_in_the_tail_keep_their_digits() -> None:
    """P(B > A) with Beta(1, n): closed form a0 b1 integral; Beta(1, 1) against Beta(1, 99): 1/100."""
    assert chance_to_win(BetaBelief(1.0, 1.0), BetaBelief(1.0, 99.0)) == pytest.approx(0.01, rel=1e-9)
    assert chance_to_win(BetaBelief(500.0, 500.0), BetaBelief(50.0, 950.0)) < 1e-80


def test_the_difference_has_the_quantiles_of_a_simulation() -> None:
    rng = np.random.default_rng(2)
    draws = rng.beta(30, 70, 400_000) - rng.beta(20, 80, 400_000)
    for level in (0.025, 0.5, 0.975):
        found = difference_quantile(BetaBelief(20, 80), BetaBelief(30, 70), level)
        assert found == pytest.approx(float(np.quantile(draws, level)), abs=8e-4)


def test_rates_compare_alike_under_both_views_when_there_is_much_data() -> None:
    found = compare_rates_bayes(RateCount(500, 10_000), RateCount(560, 10_000), prior=JEFFREYS)
    wanted = compared(rate_arm(10_000, 500), rate_arm(10_000, 560))
    assert found.interval.low == pytest.approx(wanted.absolute.low, abs=1e-4)
    assert found.chance_to_win == pytest.approx(1.0 - wanted.p_value / 2.0, abs=2e-3)
    assert found.loss_of_control > found.loss_of_treatment


@pytest.mark.slow
def test_intervals_cover_when_the_prior_is_true_and_stopping_early_breaks_only_the_fixed_look() -> None:
    """10,000 effects from N(0, 0.02^2) with se 0.02: 95 % intervals cover; the best tenth is not overestimated."""
    rng = np.random.default_rng(3)
    truth = rng.normal(0.0, 0.02, 10_000)
    seen = truth + rng.normal(0.0, 0.02, 10_000)
    found = [posterior(float(x), 0.02, NormalPrior(0.0, 0.02)) for x in seen]
    covered = sum(not p.interval.excludes(float(t)) for p, t in zip(found, truth, strict=True))
    low, high = binomial_band(10_000, 0.95)
    assert low <= covered / 10_000 <= high
    best = np.argsort(seen)[-1_000:]
    assert np.mean([found[i].mean for i in best]) == pytest.approx(float(truth[best].mean()), abs=0.0015)
    assert float(seen[best].mean()) > 1.8 * float(truth[best].mean())
