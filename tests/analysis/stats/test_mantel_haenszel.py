import numpy as np
import pytest
from statsmodels.stats.contingency_tables import StratifiedTable

from analysis.stats.arms import StratifiedPair, Stratum, stratify_pair
from analysis.stats.compare import Comparison, compare_arms
from analysis.stats.estimable import NotEstimable
from analysis.stats.mantel_haenszel import MantelHaenszel, combine_strata
from analysis.stats.rate_score import RateCount
from tests.analysis.stats.makers import binomial_band, compared, rate_arm, values_arm

# Charig et al., BMJ 1986 (kidney stones): open surgery (treatment) against percutaneous (control), by stone size.
STONES = [(RateCount(234, 270), RateCount(81, 87)), (RateCount(55, 80), RateCount(192, 263))]


def combined(strata: list[tuple[RateCount, RateCount]]) -> MantelHaenszel:
    result = combine_strata(strata)
    assert isinstance(result, MantelHaenszel)
    return result


def test_simpsons_kidney_stones_turn_around() -> None:
    crude = 273 / 350 - 289 / 350
    found = combined(STONES)
    assert crude < 0.0 < found.difference


def test_common_ratios_match_statsmodels() -> None:
    tables = [
        np.array([[t.conversions, t.n - t.conversions], [c.conversions, c.n - c.conversions]], dtype=float)
        for c, t in STONES
    ]
    wanted = StratifiedTable(tables)
    found = combined(STONES)
    assert found.odds_ratio == pytest.approx(float(wanted.oddsratio_pooled), rel=1e-12)
    assert found.risk_ratio == pytest.approx(float(wanted.riskratio_pooled), rel=1e-12)
    assert found.chi2 == pytest.approx(float(wanted.test_null_odds(correction=False).statistic), rel=1e-12)


def test_one_stratum_is_the_plain_difference_with_its_plain_variance() -> None:
    found = combined([(RateCount(300, 2_000), RateCount(250, 1_400))])
    wanted = compared(rate_arm(2_000, 300), rate_arm(1_400, 250))
    assert found.difference == pytest.approx(wanted.difference)
    assert found.interval.low == pytest.approx(wanted.absolute.low, abs=2e-4)


def test_swapping_arms_mirrors_and_a_stratum_of_one_arm_outcome_adds_nothing() -> None:
    back = combined([(t, c) for c, t in STONES])
    forth = combined(STONES)
    assert (back.difference, back.chi2) == pytest.approx((-forth.difference, forth.chi2))
    assert combine_strata([(RateCount(0, 5), RateCount(0, 5))]) == NotEstimable(
        "no stratum has both arms with values that vary"
    )
    assert isinstance(combine_strata([(RateCount(1, 1), RateCount(0, 1))]), MantelHaenszel)
    none = combined([(RateCount(0, 50), RateCount(4, 50))])
    assert isinstance(none.risk_ratio, NotEstimable)
    assert isinstance(none.odds_ratio, NotEstimable)
    with pytest.raises(ValueError, match="no strata"):
        combine_strata([])


@pytest.mark.slow
def test_post_stratification_covers_and_cuts_variance_when_strata_differ() -> None:
    """2,000 tests of 2 x 300 units in 4 levels with means 0, 4, 8, 12 and effects 1, 1, 3, 3: true effect 2."""
    rng = np.random.default_rng(1)
    covered = 0
    errors, plain_errors = [], []
    for _ in range(2_000):
        level = rng.integers(0, 4, 600)
        treated = np.repeat([0, 1], 300)
        y = 4.0 * level + treated * np.where(level < 2, 1.0, 3.0) + rng.normal(0.0, 2.0, 600)
        strata = []
        for h in range(4):
            arms = [values_arm(y[(level == h) & (treated == a)].tolist()) for a in (0, 1)]
            strata.append(Stratum(float((level == h).sum()), arms[0], arms[1]))
        pair = stratify_pair(strata, weights="sampled")
        assert isinstance(pair, StratifiedPair)
        result = compare_arms(pair.control, pair.treatment)
        assert isinstance(result, Comparison)
        covered += not result.absolute.excludes(2.0)
        errors.append(result.difference - 2.0)
        plain_errors.append(y[treated == 1].mean() - y[treated == 0].mean() - 2.0)
    low, high = binomial_band(2_000, 0.95)
    assert low <= covered / 2_000 <= high
    assert np.var(errors) < 0.3 * np.var(plain_errors)
