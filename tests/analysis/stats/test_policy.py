import csv
import gzip
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.stats.compare import compare_arms
from analysis.stats.estimable import NotEstimable
from analysis.stats.policy import PolicyValue, estimate_logged_value, estimate_policy_gain, score_effects
from analysis.stats.segment_policy import SegmentChoice, value_segment_policy
from tests.analysis.stats.makers import binomial_band, compared, mean_arm, values_arm
from tests.paths import SHARED

BANDIT = SHARED / "data" / "open_bandit_small.csv.gz"


def gain(scores: np.ndarray, rule: object, **options: object) -> PolicyValue:
    found = estimate_policy_gain(scores, rule, **options)  # type: ignore[arg-type]
    assert isinstance(found, PolicyValue)
    return found


def test_with_arm_means_as_predictions_the_average_score_is_the_difference_of_means() -> None:
    rng = np.random.default_rng(371)
    w = (np.arange(400) % 2).astype(float)
    y = rng.normal(2.0 + w)
    c, t = values_arm(y[w == 0].tolist()), values_arm(y[w == 1].tolist())
    found = gain(score_effects(y, w, 0.5, c.mean, t.mean), 1.0)
    plain = compared(c, t)
    assert found.value == pytest.approx(plain.difference)
    assert found.se == pytest.approx(plain.se, rel=0.01)


def test_a_rule_over_everybody_is_minus_everybody_over_the_rule() -> None:
    rng = np.random.default_rng(372)
    scores, rule = rng.normal(size=200), rng.random(200) < 0.4
    forth, back = gain(scores, rule, against=1.0), gain(scores, np.ones(200), against=rule)
    assert forth.value == pytest.approx(-back.value)
    assert forth.interval.low == pytest.approx(-back.interval.high)
    assert gain(scores, rule).value == pytest.approx(gain(scores, 1.0).value + forth.value)


def test_segments_are_worth_what_unit_scores_say() -> None:
    """The moments-only value against doubly robust scores with segment means as predictions."""
    rng = np.random.default_rng(373)
    segment = np.repeat([0, 1, 2], [600, 300, 100])
    w = np.tile([0.0, 1.0], 500)
    y = rng.normal(size=1_000) + w * np.array([0.5, -0.4, 1.0])[segment]
    m0, m1 = np.zeros(1_000), np.zeros(1_000)
    choices = []
    for s in range(3):
        own = segment == s
        c, t = values_arm(y[own & (w == 0)].tolist()), values_arm(y[own & (w == 1)].tolist())
        m0[own], m1[own] = c.mean, t.mean
        choices.append(SegmentChoice(str(s), int(own.sum()), compared(c, t), s != 1))
    scores = score_effects(y, w, 0.5, m0, m1)
    found = value_segment_policy(choices)
    for mine, theirs in (
        (found.over_nobody, gain(scores, segment != 1)),
        (found.over_everybody, gain(scores, segment != 1, against=1.0)),
    ):
        assert isinstance(mine, PolicyValue)
        assert mine.value == pytest.approx(theirs.value)
        assert mine.se == pytest.approx(theirs.se, rel=0.02)


def test_a_segment_without_a_number_matters_only_where_it_is_asked_about() -> None:
    good = compare_arms(mean_arm(100, 1.0, 1.0), mean_arm(100, 1.2, 1.0))
    choices = [SegmentChoice("a", 200, good, True), SegmentChoice("b", 50, NotEstimable("tiny"), False)]
    found = value_segment_policy(choices)
    assert isinstance(found.over_nobody, PolicyValue)
    assert found.over_everybody == NotEstimable("segment b: tiny")
    assert isinstance(value_segment_policy([]).over_nobody, NotEstimable)
    with pytest.raises(ValueError, match="negative"):
        value_segment_policy([SegmentChoice("a", -1, good, True)])


@pytest.mark.skipif(not BANDIT.exists(), reason=f"the shared data are not here: {BANDIT}")
@pytest.mark.parametrize("campaign", ["all", "men", "women"])
def test_the_bandits_log_predicts_what_the_random_policy_really_earned(campaign: str) -> None:
    """Open Bandit: random and Thompson ran side by side; the value of "random" from Thompson's log agrees."""
    rows: dict[str, list[tuple[float, float, float]]] = {"random": [], "bts": []}
    with gzip.open(BANDIT, "rt") as file:
        for row in csv.DictReader(file):
            if row["campaign"] == campaign:
                values = (float(row["click"]), float(row["propensity_score"]), float(row["position"]))
                rows[row["policy"]].append(values)
    click, share, _ = (np.array(v) for v in zip(*rows["random"], strict=True))
    onsite = estimate_logged_value(click, share, share)
    log_click, log_share, _ = (np.array(v) for v in zip(*rows["bts"], strict=True))
    offsite = estimate_logged_value(log_click, log_share, float(share[0]), predicted_logged=0.0)
    assert isinstance(onsite, PolicyValue)
    assert isinstance(offsite, PolicyValue)
    assert onsite.value == pytest.approx(float(click.mean()))
    assert abs(offsite.value - onsite.value) <= 3.0 * math.hypot(offsite.se, onsite.se)
    predicted = estimate_logged_value(
        log_click, log_share, float(share[0]), predicted_logged=0.004, predicted_target=0.004
    )
    assert isinstance(predicted, PolicyValue)
    assert abs(predicted.value - onsite.value) <= 3.0 * math.hypot(predicted.se, onsite.se)


@given(st.lists(st.floats(-1e308, 1e308), max_size=6), st.floats(0.0, 1.0))
@settings(max_examples=60)
def test_any_scores_give_a_number_or_a_reason(scores: list[float], share: float) -> None:
    found = estimate_policy_gain(np.array(scores), share)
    assert isinstance(found, PolicyValue | NotEstimable)


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        score_effects([1.0], [1.0], 1.0)
    with pytest.raises(ValueError, match="0 or 1"):
        score_effects([1.0], [0.5], 0.5)
    with pytest.raises(ValueError, match="per unit"):
        score_effects(1.0, 1.0, 0.5)
    with pytest.raises(ValueError, match="share"):
        estimate_policy_gain([1.0, 2.0], 1.5)
    with pytest.raises(ValueError, match="propensities"):
        estimate_logged_value([1.0, 0.0], 0.0, 0.5)
    with pytest.raises(ValueError, match="per row"):
        estimate_logged_value(1.0, 0.5, 0.5)


@pytest.mark.slow
def test_a_policy_interval_covers_with_wrong_predictions_and_uneven_propensities() -> None:
    """2,000 experiments: propensity 0.2 or 0.7 by segment, predictions plainly wrong; true gain of the rule 0.3."""
    rng = np.random.default_rng(374)
    covered = 0
    for _ in range(2_000):
        inside = rng.random(600) < 0.5
        e = np.where(inside, 0.2, 0.7)
        w = (rng.random(600) < e).astype(float)
        y = rng.exponential(1.0, 600) + w * np.where(inside, 0.6, -0.2)
        covered += not gain(score_effects(y, w, e, 1.3, 1.1), inside).interval.excludes(0.3)
    assert binomial_band(2_000, 0.93)[0] <= covered / 2_000 <= binomial_band(2_000, 0.96)[1]
