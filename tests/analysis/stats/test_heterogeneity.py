import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from analysis.stats.compare import Comparison, compare_arms
from analysis.stats.estimable import NotEstimable
from analysis.stats.heterogeneity import (
    Interaction,
    RandomEffects,
    SignChange,
    detect_interaction,
    detect_sign_change,
    fit_random_effects,
)
from analysis.stats.segments import SegmentInput, analyse_segments, check_simpson
from tests.analysis.stats.makers import compared, mean_arm

effects = st.lists(
    st.tuples(st.floats(min_value=-10, max_value=10), st.floats(min_value=0.01, max_value=5)),
    min_size=2,
    max_size=12,
)


@pytest.mark.parametrize(("segments", "critical"), [(2, 2.71), (3, 4.23), (4, 5.43), (5, 6.50), (6, 7.48)])
def test_gail_simon_has_its_published_critical_values(segments: int, critical: float) -> None:
    """Gail & Simon 1985, table 1, level 0.05."""
    d = [-np.sqrt(critical)] + [np.sqrt(critical)] + [0.0] * (segments - 2)
    found = detect_sign_change(d, [1.0] * segments)
    assert isinstance(found, SignChange)
    assert found.statistic == pytest.approx(critical)
    assert found.p_value == pytest.approx(0.05, abs=2e-4)


def test_effects_of_one_sign_show_no_sign_change() -> None:
    assert detect_sign_change([1.0, 2.0, 0.5], [1.0] * 3) == SignChange(0.0, 1.0)


@given(effects)
def test_the_order_of_segments_does_not_matter(pairs: list[tuple[float, float]]) -> None:
    d, v = [p[0] for p in pairs], [p[1] for p in pairs]
    one, other = detect_interaction(d, v), detect_interaction(d[::-1], v[::-1])
    assert isinstance(one, Interaction)
    assert isinstance(other, Interaction)
    assert other.q == pytest.approx(one.q, rel=1e-9, abs=1e-9)


@given(effects)
def test_paule_mandel_solves_its_equation(pairs: list[tuple[float, float]]) -> None:
    d, v = np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])
    fit = fit_random_effects(d.tolist(), v.tolist())
    assert isinstance(fit, RandomEffects)
    w = 1.0 / (v + fit.tau2)
    q = float(w @ (d - fit.mean) ** 2)
    if fit.tau2 > 0.0:
        assert q == pytest.approx(len(d) - 1, rel=1e-6)
    else:
        assert q <= len(d) - 1 + 1e-9


def test_dersimonian_laird_equals_its_closed_form_for_equal_variances() -> None:
    """With equal v: tau2 = sample variance of the effects - v."""
    d = [1.0, 4.0, 2.0, 7.0]
    fit = fit_random_effects(d, [0.5] * 4, "dersimonian_laird")
    assert isinstance(fit, RandomEffects)
    assert fit.tau2 == pytest.approx(float(np.var(d, ddof=1)) - 0.5)


def test_one_segment_has_no_interaction() -> None:
    assert isinstance(detect_interaction([1.0], [1.0]), NotEstimable)
    assert isinstance(fit_random_effects([], []), NotEstimable)


def test_wrong_arguments_are_value_errors() -> None:
    with pytest.raises(ValueError, match="positive variance"):
        detect_interaction([1.0, 2.0], [1.0, 0.0])
    with pytest.raises(ValueError, match="unknown method"):
        fit_random_effects([1.0, 2.0], [1.0, 1.0], "hedges")  # type: ignore[arg-type]


def segment(key: str, effect: float, rest: float = 1.0, n: int = 5_000) -> SegmentInput:
    """A segment whose control has mean 10, sd 10, and everybody else with effect `rest`."""
    inside = compared(mean_arm(n, 10.0, 10.0), mean_arm(n, 10.0 + effect, 10.0))
    outside = compared(mean_arm(50_000, 10.0, 10.0), mean_arm(50_000, 10.0 + rest, 10.0))
    return SegmentInput(key, inside, outside)


def test_equal_effects_are_pulled_together_and_nobody_is_harmed() -> None:
    found = analyse_segments([segment("a", 1.1), segment("b", 0.9), segment("c", 1.0)], disjoint=True)
    assert isinstance(found.interaction, Interaction)
    assert found.interaction.p_value > 0.5
    for effect in found.effects:
        assert not isinstance(effect.pooled, NotEstimable)
        assert effect.pooled.difference == pytest.approx(1.0, abs=0.01)
        assert effect.pooled.weight == 0.0
        assert not effect.is_harmed("increase")


def test_a_segment_that_is_really_harmed_stays_harmed_after_pooling() -> None:
    found = analyse_segments([segment("a", 1.0), segment("b", 1.2), segment("c", -1.5)], disjoint=True)
    harmed = {effect.key: effect.is_harmed("increase") for effect in found.effects}
    assert harmed == {"a": False, "b": False, "c": True}
    reacting = [
        e.key
        for e in found.effects
        if isinstance(e.differs_p_adjusted, float) and e.differs_p_adjusted < 0.05
    ]
    assert reacting == ["c"]
    assert isinstance(found.sign_change, SignChange)
    assert found.sign_change.p_value < 0.001


def test_a_noisy_small_segment_is_not_called_harmed() -> None:
    """-1 with a standard error of 1.4 beside two precise segments at +1."""
    found = analyse_segments(
        [segment("a", 1.0), segment("b", 1.1), segment("tiny", -1.0, n=100)], disjoint=True
    )
    tiny = found.effects[2]
    assert not tiny.is_harmed("increase")
    assert not isinstance(tiny.pooled, NotEstimable)
    assert tiny.pooled.difference > 0.5


def test_less_is_better_turns_harm_around() -> None:
    found = analyse_segments([segment("a", -1.0), segment("b", -1.2), segment("c", 1.5)], disjoint=True)
    assert [effect.is_harmed("decrease") for effect in found.effects] == [False, False, True]


def test_overlapping_segments_get_no_joint_test() -> None:
    found = analyse_segments([segment("a", 1.0), segment("b", 1.0)], disjoint=False)
    assert isinstance(found.interaction, NotEstimable)
    assert isinstance(found.effects[0].differs, Interaction)


def test_a_segment_without_data_stays_in_the_list_and_out_of_the_families() -> None:
    empty = SegmentInput("empty", NotEstimable("no units"), NotEstimable("no units"))
    found = analyse_segments([segment("a", 1.0), empty, segment("b", 1.0)], disjoint=True)
    assert found.effects[1].comparison == NotEstimable("no units")
    assert found.effects[1].p_adjusted == NotEstimable("no units")
    assert isinstance(found.interaction, Interaction)
    assert found.interaction.df == 1


def test_no_segments_at_all_is_no_error() -> None:
    assert analyse_segments([], disjoint=True).effects == ()


def test_a_reversal_between_crude_and_standardised_effect_is_seen() -> None:
    crude = compared(mean_arm(10_000, 10.0, 10.0), mean_arm(10_000, 10.8, 10.0))
    inside = compared(mean_arm(10_000, 10.0, 10.0), mean_arm(10_000, 9.5, 10.0))
    found = check_simpson(crude, inside)
    assert not isinstance(found, NotEstimable)
    assert found.is_reversed
    same = check_simpson(crude, crude)
    assert not isinstance(same, NotEstimable)
    assert not same.is_reversed


def test_pooling_needs_comparisons_of_the_same_kind_only_in_their_critical_value() -> None:
    """The pooled interval uses the comparison's own critical value, so an always-valid plan stays wide."""
    narrow = segment("a", 1.0)
    assert isinstance(narrow.inside, Comparison)
    wide = compare_arms(narrow.inside.control, narrow.inside.treatment, alpha=0.001)
    found = analyse_segments([narrow, SegmentInput("b", wide, narrow.outside)], disjoint=True)
    first, second = (effect.pooled for effect in found.effects)
    assert not isinstance(first, NotEstimable)
    assert not isinstance(second, NotEstimable)
    assert second.interval.high - second.interval.low > first.interval.high - first.interval.low
    ratio = float(special.ndtri(0.0005) / special.ndtri(0.025))
    assert second.interval.high - second.difference == pytest.approx(
        ratio * (first.interval.high - first.difference), rel=0.01
    )
