import pytest

from analysis.stats.arms import StratifiedPair, Stratum, stratify_pair
from analysis.stats.compare import Comparison, compare_arms
from analysis.stats.estimable import NotEstimable
from tests.analysis.stats.makers import mean_arm, rate_arm


def pair(*strata: Stratum) -> StratifiedPair:
    result = stratify_pair(strata)
    assert isinstance(result, StratifiedPair)
    return result


def test_one_stratum_changes_nothing() -> None:
    control, treatment = mean_arm(500, 10.0, 3.0), mean_arm(700, 11.0, 3.0)
    result = pair(Stratum(1_200, control, treatment))
    assert (result.control.mean, result.control.se2) == pytest.approx((control.mean, control.se2))
    assert result.treatment.df == pytest.approx(treatment.df)


def test_a_ramp_that_moved_shares_cannot_fake_a_lift() -> None:
    """No effect in either phase, but the weekend converts better and got more treatment."""
    week = Stratum(10_000, rate_arm(9_000, 450), rate_arm(1_000, 50))
    weekend = Stratum(10_000, rate_arm(5_000, 1_000), rate_arm(5_000, 1_000))
    crude = compare_arms(rate_arm(14_000, 1_450), rate_arm(6_000, 1_050))
    assert isinstance(crude, Comparison)
    assert crude.p_value < 1e-20
    result = pair(week, weekend)
    sound = compare_arms(result.control, result.treatment)
    assert isinstance(sound, Comparison)
    assert sound.difference == pytest.approx(0.0, abs=1e-12)
    assert sound.control.mean == pytest.approx(0.125)
    assert sound.control.conversions == 1_450


def test_a_stratum_without_both_arms_is_left_out_and_counted() -> None:
    full = Stratum(900, mean_arm(450, 1.0, 1.0), mean_arm(450, 1.0, 1.0))
    half = Stratum(100, mean_arm(100, 5.0, 1.0), NotEstimable("there are no units"))
    result = pair(full, half)
    assert result.left_out == pytest.approx(0.1)
    assert result.control.mean == 1.0
    assert isinstance(stratify_pair([half]), NotEstimable)


def test_wrong_strata_are_a_value_error() -> None:
    with pytest.raises(ValueError, match="strata"):
        stratify_pair([])
    with pytest.raises(ValueError, match="strata"):
        stratify_pair([Stratum(-1.0, mean_arm(5, 1, 1), mean_arm(5, 1, 1))])
