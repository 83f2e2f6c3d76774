import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from analysis.stats.adjustment import AdjustedPair, adjust_pair
from analysis.stats.arms import ArmEstimate, contrast_variance, estimate_mean, estimate_ratio
from analysis.stats.compare import Comparison, Lift, compare_arms, contrast_statistic
from analysis.stats.estimable import NotEstimable
from analysis.stats.moments import Moments, moments_from_values
from analysis.stats.predictions import cross_fit, fit_ridge
from tests.analysis.stats.makers import binomial_band

Array = NDArray[np.float64]


def table(seed: int, n: int, effect: float = 0.0, covariates: int = 1, r2: float = 0.6) -> Array:
    """Outcome and covariates of one arm, shape (n, 1 + covariates)."""
    rng = np.random.default_rng(seed)
    x = rng.normal(3.0, 2.0, (n, covariates))
    signal = (x - 3.0).sum(axis=1) / 2.0 / math.sqrt(covariates) * math.sqrt(r2)
    return np.column_stack([10.0 + effect + signal + rng.normal(0.0, math.sqrt(1.0 - r2), n), x])


def adjusted(control: Array, treatment: Array, **options: object) -> AdjustedPair:
    result = adjust_pair(moments_from_values(control), moments_from_values(treatment), **options)  # type: ignore[arg-type]
    assert isinstance(result, AdjustedPair)
    return result


def compared(pair: AdjustedPair) -> Comparison:
    result = compare_arms(pair.control, pair.treatment)
    assert isinstance(result, Comparison)
    return result


def plain(values: Array) -> ArmEstimate:
    estimate = estimate_mean(moments_from_values(values[:, 0]))
    assert isinstance(estimate, ArmEstimate)
    return estimate


def test_it_equals_the_fully_interacted_regression_of_statsmodels() -> None:
    """OLS of y on arm, centred covariates and their products: the coefficient of the arm (Lin 2013)."""
    control, treatment = table(1, 300, covariates=2), table(2, 200, effect=0.3, covariates=2)
    rows = np.vstack([control, treatment])
    arm = np.repeat([0.0, 1.0], [300, 200])
    centred = rows[:, 1:] - rows[:, 1:].mean(axis=0)
    design = np.column_stack([np.ones(500), arm, centred, centred * arm[:, None]])
    fitted = sm.OLS(rows[:, 0], design).fit()
    pair = adjusted(control, treatment, covariates=(1, 2))
    assert pair.treatment.mean - pair.control.mean == pytest.approx(fitted.params[1], rel=1e-10)
    assert pair.control.mean == pytest.approx(fitted.params[0], rel=1e-10)
    assert pair.coefficients[0] == pytest.approx(fitted.params[2:4], rel=1e-9)
    robust = fitted.get_robustcov_results("HC1").bse[1]
    assert compared(pair).se == pytest.approx(robust, rel=0.01)


@pytest.mark.parametrize("covariate", [np.zeros, np.ones])
def test_a_covariate_that_says_nothing_gives_exactly_the_plain_comparison(covariate: object) -> None:
    control, treatment = table(3, 120), table(4, 90, effect=0.2)
    control[:, 1], treatment[:, 1] = covariate(120), covariate(90)  # type: ignore[operator]
    pair = adjusted(control, treatment)
    wanted = compare_arms(plain(control), plain(treatment))
    assert isinstance(wanted, Comparison)
    found = compared(pair)
    assert (found.difference, found.se, found.df) == pytest.approx((wanted.difference, wanted.se, wanted.df))
    assert isinstance(found.relative, Lift)
    assert isinstance(wanted.relative, Lift)
    assert found.relative.interval.low == pytest.approx(wanted.relative.interval.low)
    assert pair.variance_reduction == pytest.approx(0.0, abs=1e-12)


def test_a_covariate_given_twice_counts_once() -> None:
    control, treatment = table(5, 200), table(6, 200)
    twice = [np.column_stack([arm, 2.0 * arm[:, 1] - 5.0]) for arm in (control, treatment)]
    once, doubled = adjusted(control, treatment), adjusted(twice[0], twice[1], covariates=(1, 2))
    assert doubled.treatment.mean == pytest.approx(once.treatment.mean)
    assert doubled.treatment.se2 == pytest.approx(once.treatment.se2)
    assert doubled.treatment.df == once.treatment.df


def test_swapping_the_arms_flips_the_sign_and_nothing_else() -> None:
    control, treatment = table(7, 150), table(8, 240, effect=0.4)
    forth, back = compared(adjusted(control, treatment)), compared(adjusted(treatment, control))
    assert forth.difference == pytest.approx(-back.difference)
    assert (forth.se, forth.p_value) == pytest.approx((back.se, back.p_value))


@given(
    st.floats(min_value=1e-3, max_value=1e3),
    st.floats(min_value=-1e4, max_value=1e4),
    st.floats(min_value=1e-3, max_value=1e3),
)
def test_the_covariates_unit_and_origin_do_not_matter(scale: float, shift: float, outcome: float) -> None:
    control, treatment = table(9, 80), table(10, 60, effect=0.4)
    wanted = adjusted(control, treatment)
    moved = [
        np.column_stack([arm[:, 0] * outcome, arm[:, 1] * scale + shift]) for arm in (control, treatment)
    ]
    found = adjusted(moved[0], moved[1])
    assert found.treatment.mean == pytest.approx(outcome * wanted.treatment.mean, rel=1e-6)
    assert found.treatment.se2 == pytest.approx(outcome**2 * wanted.treatment.se2, rel=1e-5)
    assert found.variance_reduction == pytest.approx(wanted.variance_reduction, abs=1e-5)


def test_an_outcome_that_the_covariate_explains_completely_leaves_no_variance() -> None:
    control, treatment = table(11, 50), table(12, 50)
    for arm in (control, treatment):
        arm[:, 0] = 1.0 + 2.0 * arm[:, 1]
    pair = adjusted(control, treatment)
    assert pair.treatment.mean == pytest.approx(pair.control.mean)
    assert pair.variance_reduction == pytest.approx(1.0)
    assert compare_arms(pair.control, pair.treatment) == NotEstimable("the values do not vary in either arm")


def test_a_ratio_of_totals_is_adjusted_through_its_linearisation() -> None:
    """Against CUPED on raw linearised values, z = (N - R D) / mean D, arm by arm."""
    rng = np.random.default_rng(13)
    arms = []
    for n, effect in ((400, 0.0), (300, 0.2)):
        sessions = 1.0 + rng.poisson(3.0, n)
        before = 1.0 + rng.poisson(2.0, n)
        taste = rng.normal(0.0, 0.5, n)
        arms.append(
            np.column_stack(
                [sessions * (2.0 + effect + taste), sessions, before * (2.0 + taste), before]
            ).astype(float)
        )
    options = {"numerator": 0, "denominator": 1, "covariates": (2, 3)}
    pair = adjusted(arms[0], arms[1], **options)
    linear = []
    for arm in arms:
        ratio = arm[:, 0].sum() / arm[:, 1].sum()
        z = ratio + (arm[:, 0] - ratio * arm[:, 1]) / arm[:, 1].mean()
        linear.append(np.column_stack([z, arm[:, 2:]]))
    wanted = adjusted(linear[0], linear[1], covariates=(1, 2))
    assert pair.treatment.mean == pytest.approx(wanted.treatment.mean, rel=1e-9)
    assert pair.treatment.se2 == pytest.approx(wanted.treatment.se2, rel=1e-9)
    assert pair.variance_reduction > 0.3
    unadjusted = estimate_ratio(moments_from_values(arms[0]))
    assert isinstance(unadjusted, ArmEstimate)
    assert pair.control.se2 < unadjusted.se2


def test_means_of_1e8_keep_their_digits() -> None:
    control, treatment = table(14, 100), table(15, 100, effect=0.5)
    wanted, far = adjusted(control, treatment), adjusted(control + 1e8, treatment + 1e8)
    assert far.treatment.mean - far.control.mean == pytest.approx(
        wanted.treatment.mean - wanted.control.mean, abs=1e-6
    )
    assert far.treatment.se2 == pytest.approx(wanted.treatment.se2, rel=1e-5)


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_too_few_units_are_answered_with_a_reason(n: int) -> None:
    result = adjust_pair(moments_from_values(table(16, n)), moments_from_values(table(17, 50)))
    if n < 3:
        assert isinstance(result, NotEstimable)
        assert "units" in result.reason
    else:
        assert isinstance(result, AdjustedPair)


def test_columns_that_do_not_exist_or_repeat_are_value_errors() -> None:
    two = moments_from_values(table(18, 20))
    with pytest.raises(ValueError, match="do not exist"):
        adjust_pair(two, two, covariates=(2,))
    with pytest.raises(ValueError, match="twice"):
        adjust_pair(two, two, covariates=(0,))
    with pytest.raises(ValueError, match="do not exist"):
        adjust_pair(two, Moments(0, (0.0,), (0.0,), ((0.0,),)))


def test_what_the_arms_share_drops_out_of_the_difference_but_not_out_of_the_lift() -> None:
    """V(m1 - c m0) by the covariance equals the variance of the influence function itself."""
    control, treatment = table(19, 4_000), table(20, 3_000, effect=10.0)
    pair = adjusted(control, treatment)
    assert pair.control.covariance > 0.0
    b0, b1 = pair.coefficients[0][0], pair.coefficients[1][0]
    w0, w1 = 4 / 7, 3 / 7
    for factor in (0.0, 1.0, 2.0):
        slope = w0 * b1 + factor * w1 * b0
        treated = np.var(treatment[:, 0] - slope * treatment[:, 1], ddof=1) / 3_000
        untreated = np.var(factor * control[:, 0] - slope * control[:, 1], ddof=1) / 4_000
        assert contrast_variance(pair.control, pair.treatment, factor) == pytest.approx(
            treated + untreated, rel=2e-3
        )
    statistic = contrast_statistic(pair.control, pair.treatment, 0.0)
    assert statistic == pytest.approx(compared(pair).statistic)


def test_cross_fitted_predictions_never_see_their_own_unit() -> None:
    rng = np.random.default_rng(21)
    features, noise = rng.normal(size=(300, 4)), rng.normal(size=300)
    folds = rng.integers(0, 5, 300)
    before = cross_fit(features, noise, folds)
    changed = noise.copy()
    changed[0] += 100.0
    after = cross_fit(features, changed, folds)
    assert not isinstance(before, NotEstimable)
    assert not isinstance(after, NotEstimable)
    same_fold = folds == folds[0]
    assert before[same_fold] == pytest.approx(after[same_fold])
    assert not np.allclose(before[~same_fold], after[~same_fold])


def test_cross_fitting_needs_another_fold_and_fitting_shapes() -> None:
    assert isinstance(cross_fit(np.ones((5, 1)), np.ones(5), np.zeros(5, dtype=int)), NotEstimable)
    with pytest.raises(ValueError, match="same units"):
        cross_fit(np.ones((5, 1)), np.ones(4), np.zeros(4, dtype=int))
    with pytest.raises(ValueError, match="finite"):
        cross_fit(np.full((5, 1), np.nan), np.ones(5), np.zeros(5, dtype=int))
    constant = fit_ridge(np.ones((6, 2)), np.full(6, 4.0))
    assert constant(np.zeros((2, 2))) == pytest.approx([4.0, 4.0])


@pytest.mark.slow
def test_cuped_is_unbiased_covers_and_cuts_the_variance_as_promised() -> None:
    """2,000 tests of 300 + 200 units, true difference 0.5 and lift 5 %, R^2 = 0.6."""
    covered = lifts = 0
    estimates, before, promised = [], [], []
    for run in range(2_000):
        control, treatment = table(2 * run, 300), table(2 * run + 1, 200, effect=0.5)
        pair = adjusted(control, treatment)
        result = compared(pair)
        covered += not result.absolute.excludes(0.5)
        assert isinstance(result.relative, Lift)
        lifts += not result.relative.interval.excludes(0.05)
        estimates.append(result.difference)
        before.append(treatment[:, 0].mean() - control[:, 0].mean())
        promised.append(pair.variance_reduction)
    assert np.mean(estimates) == pytest.approx(0.5, abs=4.0 * np.std(estimates) / math.sqrt(2_000))
    assert np.var(estimates) / np.var(before) == pytest.approx(0.4, abs=0.05)
    assert np.mean(promised) == pytest.approx(0.6, abs=0.01)
    low, high = binomial_band(2_000, 0.95)
    assert low <= covered / 2_000 <= high
    assert low <= lifts / 2_000 <= high


@pytest.mark.slow
def test_the_adjusted_lift_of_a_doubling_covers_as_often_as_it_says() -> None:
    """1,500 tests of 2 x 200 units, lift +100 %, R^2 = 0.9; arms taken as independent would cover 99.9 %."""
    covered = 0
    for run in range(1_500):
        control, treatment = table(2 * run, 200, r2=0.9), table(2 * run + 1, 200, r2=0.9)
        for arm in (control, treatment):
            arm[:, 0] -= 5.0
        treatment[:, 0] *= 2.0
        relative = compared(adjusted(control, treatment)).relative
        assert isinstance(relative, Lift)
        covered += not relative.interval.excludes(1.0)
    low, high = binomial_band(1_500, 0.95)
    assert low <= covered / 1_500 <= high


@pytest.mark.slow
def test_cupac_keeps_its_level_even_when_the_model_fits_the_outcome() -> None:
    """1,000 A/A tests with a cross-fitted prediction from 5 features as the covariate: 5 % false positives."""
    rng = np.random.default_rng(22)
    found, reductions = 0, []
    for _ in range(1_000):
        features = rng.normal(size=(400, 5))
        outcome = features[:, 0] + 0.5 * features[:, 1] ** 2 + rng.normal(size=400)
        predicted = cross_fit(features, outcome, rng.integers(0, 5, 400))
        rows = np.column_stack([outcome, predicted])
        pair = adjusted(rows[:200], rows[200:])
        found += compared(pair).p_value < 0.05
        reductions.append(pair.variance_reduction)
    low, high = binomial_band(1_000, 0.05)
    assert low <= found / 1_000 <= high
    assert np.mean(reductions) > 0.3
