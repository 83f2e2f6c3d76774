import math

import numpy as np
import pytest
from scipy import optimize, special

from analysis.stats.compare import compare_arms
from analysis.stats.estimable import NotEstimable
from analysis.stats.heterogeneity import RandomEffects, fit_random_effects
from analysis.stats.robust_pooling import robust_critical
from analysis.stats.segments import SegmentInput, analyse_segments
from tests.analysis.stats.makers import mean_arm

# dat.bcg of R's metafor (Colditz et al. 1994): vaccinated with and without tuberculosis, then unvaccinated.
BCG = [
    (4, 119, 11, 128), (6, 300, 29, 274), (3, 228, 11, 209), (62, 13536, 248, 12619), (33, 5036, 47, 5761),
    (180, 1361, 372, 1079), (8, 2537, 10, 619), (505, 87886, 499, 87892), (29, 7470, 45, 7232),
    (17, 1699, 65, 1600), (186, 50448, 141, 27197), (5, 2493, 3, 2338), (27, 16886, 29, 17825),
]  # fmt: skip


def test_reml_matches_metafor() -> None:
    """rma(measure = "RR", method = "REML"): tau^2 = 0.3132, estimate -0.7145, se 0.1798."""
    effects = [math.log((a / (a + b)) / (c / (c + d))) for a, b, c, d in BCG]
    variances = [1 / a - 1 / (a + b) + 1 / c - 1 / (c + d) for a, b, c, d in BCG]
    found = fit_random_effects(effects, variances, "reml")
    assert isinstance(found, RandomEffects)
    assert (found.tau2, found.mean, found.se) == pytest.approx((0.3132, -0.7145, 0.1798), abs=6e-5)
    moments = fit_random_effects(effects, variances, "dersimonian_laird")
    assert isinstance(moments, RandomEffects)
    assert moments.tau2 == pytest.approx(0.3088, abs=6e-5)  # method = "DL"


def test_reml_is_zero_when_effects_agree_and_scales_with_the_values() -> None:
    same = fit_random_effects([1.0, 1.01, 0.99], [0.1, 0.1, 0.1], "reml")
    assert isinstance(same, RandomEffects)
    assert same.tau2 == 0.0
    found = [fit_random_effects([k * 1.0, k * 3.0, -k], [k * k * 0.1] * 3, "reml") for k in (1.0, 1e4)]
    assert found[1].tau2 == pytest.approx(1e8 * found[0].tau2, rel=1e-6)  # type: ignore[union-attr]


@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.2])
@pytest.mark.parametrize("bias_variance", [0.05, 0.5, 2.0, 9.0])
def test_the_critical_value_leaves_alpha_to_the_worst_distribution(
    bias_variance: float, alpha: float
) -> None:
    """The worst distribution of the bias by linear programming over a fine grid of its support."""
    critical = robust_critical(bias_variance, alpha)
    support = np.linspace(0.0, critical + 8.0, 6_001)
    outside = special.ndtr(-critical - support) + special.ndtr(support - critical)
    constraints = np.vstack([np.ones_like(support), support**2])
    worst = optimize.linprog(-outside, A_eq=constraints, b_eq=[1.0, bias_variance])
    assert -worst.fun == pytest.approx(alpha, rel=2e-3)


def test_it_starts_at_z_rises_and_stays_below_chebyshev() -> None:
    assert robust_critical(0.0) == pytest.approx(1.959963985, abs=1e-6)
    variances = [0.0, 0.01, 0.1, 1.0, 10.0, 1e3, 1e6, 1e9, 1e13]
    found = [robust_critical(v) for v in variances]
    assert found == sorted(found)
    assert all(q <= math.sqrt((1.0 + v) / 0.05) + 1e-9 for q, v in zip(found, variances, strict=True))
    for wrong in (-1.0, math.inf, math.nan):
        with pytest.raises(ValueError, match="finite variance"):
            robust_critical(wrong)


@pytest.mark.slow
def test_pooled_segments_cover_even_when_true_effects_are_far_from_normal() -> None:
    """400 tests of 20 segments, of which only one has an effect: 94 % of the segments are covered at least.

    tau^2 is estimated, which the 95 % of the theory leaves out. The segment that is far off is the one that
    shrinkage hurts: robust intervals hold it far more often than the normal ones around the same estimate.
    """
    rng = np.random.default_rng(1)
    truth = np.zeros(20)
    truth[0] = 2.0
    covered, special_robust, special_normal = 0, 0, 0
    for _ in range(400):
        segments = []
        for i, effect in enumerate(truth):
            control, treatment = (
                mean_arm(400, m + rng.normal(0.0, 0.5), 10.0) for m in (10.0, 10.0 + effect)
            )
            segments.append(SegmentInput(str(i), compare_arms(control, treatment), NotEstimable("not asked")))
        pooled = [effect.pooled for effect in analyse_segments(segments, disjoint=True).effects]
        for found, wanted in zip(pooled, truth, strict=True):
            assert not isinstance(found, NotEstimable)
            covered += not found.interval.excludes(float(wanted))
        far = pooled[0]
        assert not isinstance(far, NotEstimable)
        special_robust += not far.interval.excludes(2.0)
        special_normal += abs(far.difference - 2.0) <= 1.96 * far.se
    assert covered / 8_000 >= 0.94
    assert special_robust > special_normal
