import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.stats.estimable import NotEstimable
from analysis.stats.repeat_purchases import BgNbd, BgNbdFit, fit_bg_nbd

CDNOW = BgNbd(0.243, 4.414, 0.793, 2.426)  # Fader, Hardie & Lee 2005, table 2
models = st.builds(BgNbd, *[st.floats(0.1, 8.0)] * 4)


def draw_histories(
    rng: np.random.Generator, model: BgNbd, n: int, age: float
) -> tuple[list[int], list[float], list[bool]]:
    """Customers as the model describes them, purchase by purchase: frequency, recency, still active."""
    counts, recencies, active = [], [], []
    rates, leaving = rng.gamma(model.r, 1.0 / model.alpha, n), rng.beta(model.a, model.b, n)
    for rate, p in zip(rates, leaving, strict=True):
        now, last, count, stays = 0.0, 0.0, 0, True
        while stays and (now := now + rng.exponential(1.0 / rate)) <= age:
            last, count = now, count + 1
            stays = bool(rng.random() >= p)
        counts.append(count)
        recencies.append(last)
        active.append(stays)
    return counts, recencies, active


@given(models, st.floats(0.1, 50.0))
@settings(max_examples=60, deadline=None)
def test_counts_add_up_to_one_and_to_the_expected_count(model: BgNbd, age: float) -> None:
    chances = [model.chance_of_count(k, age) for k in range(3_000)]
    covered = sum(chances)
    assert covered <= 1.0 + 1e-9
    if covered > 1.0 - 1e-12:
        assert sum(k * p for k, p in enumerate(chances)) == pytest.approx(model.expected_count(age), rel=1e-5)


@given(models, st.integers(1, 40), st.floats(0.0, 1.0))
@settings(max_examples=60, deadline=None)
def test_the_chance_to_be_active_is_bayes_rule_on_the_likelihood(model: BgNbd, x: int, share: float) -> None:
    """P(active | history) = the active term of the likelihood over both (paper, equation 6)."""
    age = 30.0
    t_x = max(0.1, share * age)
    total = float(model.log_likelihood([x], [t_x], [age])[0])
    from scipy import special

    log_active = (
        special.betaln(model.a, model.b + x)
        - special.betaln(model.a, model.b)
        + special.gammaln(model.r + x)
        - special.gammaln(model.r)
        + model.r * np.log(model.alpha)
        - (model.r + x) * np.log(model.alpha + age)
    )
    assert model.chance_active(x, t_x, age) == pytest.approx(float(np.exp(log_active - total)), rel=1e-8)


@given(models)
@settings(max_examples=40, deadline=None)
def test_a_new_customer_expects_what_a_random_one_does(model: BgNbd) -> None:
    assert model.expected_purchases(0, 0.0, 1e-9, ahead=20.0) == pytest.approx(
        model.expected_count(20.0), rel=1e-5
    )


@pytest.mark.parametrize("a", [1.0, 1.0 + 1e-9, 0.5])
def test_the_removable_poles_are_removed(a: float) -> None:
    near = BgNbd(0.5, 4.0, a + 1e-4, 0.5)
    assert BgNbd(0.5, 4.0, a, 0.5).expected_count(10.0) == pytest.approx(near.expected_count(10.0), rel=1e-3)


def test_the_unit_of_time_does_not_matter() -> None:
    rng = np.random.default_rng(341)
    x, t_x, _ = draw_histories(rng, CDNOW, 600, 40.0)
    weeks = fit_bg_nbd(x, t_x, [40.0] * 600)
    days = fit_bg_nbd(x, [7.0 * t for t in t_x], [280.0] * 600)
    assert isinstance(weeks, BgNbdFit)
    assert isinstance(days, BgNbdFit)
    assert days.model.alpha == pytest.approx(7.0 * weeks.model.alpha, rel=1e-3)
    assert days.model.r == pytest.approx(weeks.model.r, rel=1e-3)


@pytest.mark.slow
def test_fit_and_forecast_recover_a_simulated_world() -> None:
    """6,000 customers watched for 40 weeks: parameters within 20 %, next 40 weeks' purchases within 5 %."""
    rng = np.random.default_rng(342)
    truth = BgNbd(0.8, 6.0, 0.9, 3.0)
    x, t_x, active = draw_histories(rng, truth, 6_000, 40.0)
    found = fit_bg_nbd(x, t_x, [40.0] * 6_000)
    assert isinstance(found, BgNbdFit)
    m = found.model
    assert [m.r, m.alpha] == pytest.approx([0.8, 6.0], rel=0.2)
    assert m.a / (m.a + m.b) == pytest.approx(0.9 / 3.9, rel=0.1)
    assert sum(m.chance_active(*h, 40.0) for h in zip(x, t_x, strict=True)) == pytest.approx(
        sum(active), rel=0.05
    )
    ahead = sum(m.expected_purchases(*h, 40.0, ahead=40.0) for h in zip(x, t_x, strict=True))
    both = draw_histories(np.random.default_rng(343), truth, 6_000, 80.0)[0]
    assert ahead == pytest.approx(sum(both) - sum(x), rel=0.12)


def test_histories_that_do_not_determine_the_model_give_a_reason() -> None:
    assert isinstance(fit_bg_nbd([1.0] * 5, [1.0] * 5, [2.0] * 5), NotEstimable)
    assert isinstance(fit_bg_nbd([0.0] * 50, [0.0] * 50, [2.0] * 50), NotEstimable)
    assert isinstance(fit_bg_nbd([], [], []), NotEstimable)
    assert isinstance(fit_bg_nbd([3.0] * 50, [1.9] * 50, [2.0] * 50), NotEstimable | BgNbdFit)


def test_wrong_arguments_are_refused() -> None:
    for history in (
        ([1.0], [3.0], [2.0]),
        ([-1.0], [0.0], [2.0]),
        ([1.5], [1.0], [2.0]),
        ([1.0], [1.0], [0.0]),
    ):
        with pytest.raises(ValueError, match=r"recency|observed"):
            fit_bg_nbd(*history)
    with pytest.raises(ValueError, match="one value"):
        fit_bg_nbd([1.0], [1.0, 2.0], [3.0])
    with pytest.raises(ValueError, match="finite"):
        fit_bg_nbd([1.0], [1.0], [float("nan")])
    with pytest.raises(ValueError, match="positive"):
        BgNbd(0.0, 1.0, 1.0, 1.0)
    with pytest.raises(ValueError, match="negative"):
        CDNOW.expected_purchases(1, 1.0, 2.0, ahead=-1.0)
