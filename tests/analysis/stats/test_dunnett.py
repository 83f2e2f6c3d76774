import math

import numpy as np
import pytest
from scipy import stats

from analysis.stats.dunnett import ManyToOne, compare_with_control, critical_value, exceedance
from analysis.stats.estimable import NotEstimable
from analysis.stats.multiplicity import adjust_p_values
from tests.analysis.stats.makers import binomial_band, compared, mean_arm, values_arm


# Dunnett, Biometrics 1964, table IIa: two-sided 5 %, equal group sizes (k treatments, df).
@pytest.mark.parametrize(
    ("k", "df", "wanted"),
    [(2, 5, 3.03), (3, 10, 2.76), (2, 20, 2.38), (5, 20, 2.73), (3, math.inf, 2.35), (9, math.inf, 2.69)],
)
def test_critical_values_match_dunnetts_table(k: int, df: float, wanted: float) -> None:
    assert critical_value(np.full(k, math.sqrt(0.5)), df, 0.05) == pytest.approx(wanted, abs=0.0075)


def test_it_matches_the_sampling_of_scipy_for_raw_values() -> None:
    rng = np.random.default_rng(1)
    groups = [rng.normal(mean, 2.0, n) for mean, n in ((5.0, 12), (6.0, 9), (7.5, 15), (5.2, 7))]
    wanted = stats.dunnett(*groups[1:], control=groups[0], random_state=np.random.default_rng(2))
    found = compare_with_control(
        values_arm(groups[0].tolist()), [values_arm(g.tolist()) for g in groups[1:]], variance="pooled"
    )
    for result, p_value, statistic in zip(found, wanted.pvalue, wanted.statistic, strict=True):
        assert isinstance(result, ManyToOne)
        assert result.statistic == pytest.approx(float(statistic))
        assert result.p_adjusted == pytest.approx(float(p_value), abs=5e-4)


def test_one_treatment_is_the_welch_comparison() -> None:
    control, treatment = mean_arm(80, 10.0, 3.0), mean_arm(50, 11.5, 4.0)
    (found,) = compare_with_control(control, [treatment])
    wanted = compared(control, treatment)
    assert isinstance(found, ManyToOne)
    assert found.p_adjusted == pytest.approx(wanted.p_value, rel=1e-6)
    assert found.interval.low == pytest.approx(wanted.absolute.low, rel=1e-6)


def test_it_is_sharper_than_holm_for_the_best_arm_and_never_below_the_raw_p() -> None:
    control = mean_arm(4_000, 10.0, 5.0)
    arms = [mean_arm(4_000, 10.0 + effect, 5.0) for effect in (0.27, 0.1, 0.05, -0.05)]
    raw = [compared(control, arm).p_value for arm in arms]
    found = compare_with_control(control, arms)
    holm = adjust_p_values(raw, "holm")
    p_values = [r.p_adjusted for r in found if isinstance(r, ManyToOne)]
    assert all(p >= q - 1e-9 for p, q in zip(p_values, raw, strict=True))
    assert p_values[0] < holm[0]  # type: ignore[operator]
    for result in found:
        assert isinstance(result, ManyToOne)
        assert result.interval.excludes(0.0) == (result.p_adjusted < 0.05)


def test_an_arm_without_an_estimate_keeps_its_reason_and_does_not_count() -> None:
    control, treatment = mean_arm(500, 10.0, 3.0), mean_arm(500, 10.5, 3.0)
    missing = NotEstimable("there are no units")
    with_gap = compare_with_control(control, [missing, treatment])
    assert with_gap[0] == NotEstimable("treatment: there are no units")
    assert with_gap[1] == compare_with_control(control, [treatment])[0]
    assert all(isinstance(r, NotEstimable) for r in compare_with_control(missing, [treatment]))
    with pytest.raises(ValueError, match="at least one treatment"):
        compare_with_control(control, [])


def test_tiny_and_huge_statistics_give_probabilities() -> None:
    loadings = np.full(4, math.sqrt(0.5))
    assert exceedance(0.0, loadings, 10.0) == pytest.approx(1.0)
    assert 0.0 <= exceedance(60.0, loadings, math.inf) < 1e-15


@pytest.mark.slow
def test_the_chance_of_any_false_finding_is_alpha() -> None:
    """2,000 experiments of 3 treatments and control without effect, unequal sizes and variances."""
    rng = np.random.default_rng(3)
    shapes = ((120, 2.0), (60, 4.0), (90, 2.0), (200, 1.0))
    false = 0
    for _ in range(800):
        arms = [values_arm(rng.normal(5.0, sd, n).tolist()) for n, sd in shapes]
        found = compare_with_control(arms[0], arms[1:])
        false += any(isinstance(r, ManyToOne) and r.p_adjusted < 0.05 for r in found)
    low, high = binomial_band(800, 0.05)
    assert low <= false / 800 <= high
