import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.stats.brownian import exit_probabilities
from analysis.stats.group_sequential import (
    Boundary,
    equal_looks,
    obrien_fleming_boundary,
    pocock_boundary,
    shape_boundary,
    spend_boundary,
)
from analysis.stats.group_sequential_design import characterise_plan, power_at_drift
from analysis.stats.spending import Spending, spent_alpha

SPENDINGS: list[Spending] = ["obrien_fleming", "pocock", "kim_demets"]
steps = st.lists(st.floats(0.02, 1.0), min_size=1, max_size=6)


def rising(increments: list[float]) -> list[float]:
    """Looks that end at 1, at irregular times."""
    total = sum(increments)
    return [sum(increments[: i + 1]) / total for i in range(len(increments) - 1)] + [1.0]


def inside_by_cubature(fractions: list[float], critical: list[float], drift: float = 0.0) -> float:
    """P(|Z_k| < c_k at every look) by scipy's multivariate normal: another algorithm altogether."""
    covariance = [[math.sqrt(min(s, t) / max(s, t)) for t in fractions] for s in fractions]
    means = [drift * math.sqrt(t) for t in fractions]
    upper = [c - m for c, m in zip(critical, means, strict=True)]
    lower = [-c - m for c, m in zip(critical, means, strict=True)]
    rng = np.random.default_rng(1)
    inside = stats.multivariate_normal.cdf(
        upper, cov=covariance, lower_limit=lower, maxpts=400_000, abseps=1e-8, releps=1e-8, rng=rng
    )
    return float(inside)


# Jennison & Turnbull 2000, tables 2.1 and 2.3 (alpha .05).
@pytest.mark.parametrize(("looks", "constant"), [(1, 1.960), (3, 2.289), (10, 2.555)])
def test_pocock_constants_are_those_of_the_book(looks: int, constant: float) -> None:
    found = pocock_boundary(looks, 0.05).critical
    assert found == pytest.approx([constant] * looks, abs=6e-4)


@pytest.mark.parametrize(("looks", "last"), [(1, 1.960), (4, 2.024), (10, 2.087)])
def test_obrien_fleming_constants_are_those_of_the_book(looks: int, last: float) -> None:
    found = obrien_fleming_boundary(looks, 0.05).critical
    assert found[-1] == pytest.approx(last, abs=6e-4)
    assert found[0] == pytest.approx(found[-1] * math.sqrt(looks))


# Jennison & Turnbull 2000, tables 2.2 and 2.4 (alpha .05, power .8).
@pytest.mark.parametrize(("looks", "pocock", "obrien"), [(2, 1.110, 1.008), (4, 1.202, 1.024)])
def test_inflation_factors_are_those_of_the_book(looks: int, pocock: float, obrien: float) -> None:
    assert characterise_plan(pocock_boundary(looks, 0.05), 0.8).inflation == pytest.approx(pocock, abs=6e-4)
    boundary = obrien_fleming_boundary(looks, 0.05)
    assert characterise_plan(boundary, 0.8).inflation == pytest.approx(obrien, abs=6e-4)


@pytest.mark.parametrize("drift", [0.0, 1.3, 3.0])
def test_exit_probabilities_agree_with_multivariate_normal_cubature(drift: float) -> None:
    fractions, critical = [0.1, 0.35, 0.4, 1.0], [3.0, 2.6, 2.5, 2.0]
    found = exit_probabilities(fractions, critical, drift=drift)
    assert 1.0 - found.total == pytest.approx(inside_by_cubature(fractions, critical, drift), abs=2e-6)


@given(steps, st.sampled_from(SPENDINGS), st.sampled_from([0.2, 0.05, 0.001]))
@settings(deadline=None, max_examples=40)
def test_alpha_is_spent_exactly_at_whatever_times_the_looks_take_place(
    increments: list[float], spending: Spending, alpha: float
) -> None:
    boundary = spend_boundary(rising(increments), alpha, spending=spending)
    total = exit_probabilities(boundary.fractions, boundary.critical).total
    assert total == pytest.approx(alpha, rel=1e-6)


@given(steps, st.sampled_from(SPENDINGS))
@settings(deadline=None, max_examples=25)
def test_one_side_at_half_alpha_is_one_side_of_the_symmetric_test_up_to_double_crossing(
    increments: list[float], spending: Spending
) -> None:
    """The two differ only by paths that cross one boundary and would have crossed the other later."""
    both = spend_boundary(rising(increments), 0.05, spending=spending)
    one = spend_boundary(rising(increments), 0.025, spending=spending, alternative="greater")
    finite = [(a, b) for a, b in zip(both.critical, one.critical, strict=True) if math.isfinite(b)]
    assert [a for a, _ in finite] == pytest.approx([b for _, b in finite], abs=2e-3)


def test_both_directions_of_a_one_sided_plan_are_mirror_images() -> None:
    up = spend_boundary(equal_looks(4), 0.025, alternative="greater")
    down = spend_boundary(equal_looks(4), 0.025, alternative="less")
    assert up.critical == down.critical
    assert power_at_drift(up, 2.0) == pytest.approx(power_at_drift(down, -2.0))


def test_a_look_after_the_planned_end_spends_what_is_left() -> None:
    early, over = spend_boundary([0.5, 1.0], 0.05), spend_boundary([0.5, 1.3], 0.05)
    assert over.critical[0] == early.critical[0]
    assert exit_probabilities(over.fractions, over.critical).total == pytest.approx(0.05)


def test_a_test_that_ends_early_spends_everything_at_its_last_look() -> None:
    boundary = spend_boundary([0.3, 0.6], 0.05, is_final=True)
    assert exit_probabilities(boundary.fractions, boundary.critical).total == pytest.approx(0.05)
    assert boundary.critical[1] < spend_boundary([0.3, 0.6], 0.05).critical[1]


def test_very_early_there_is_no_room_for_a_decision() -> None:
    assert math.isinf(spend_boundary([0.01, 1.0], 0.05).critical[0])


@given(st.floats(0.05, 0.95), st.sampled_from(SPENDINGS), st.sampled_from(["two-sided", "greater"]))
def test_spending_rises_from_nothing_to_alpha(t: float, spending: Spending, alternative: str) -> None:
    values = [
        spent_alpha(s, 0.05, spending=spending, alternative=alternative)  # type: ignore[arg-type]
        for s in (1e-9, t, 0.99, 1.0, 1.5)
    ]
    assert values[0] == pytest.approx(0.0, abs=1e-9)
    assert values == sorted(values)
    assert values[3] == values[4] == pytest.approx(0.05, rel=1e-12)


def test_one_look_is_the_fixed_test() -> None:
    for boundary in (spend_boundary([1.0], 0.05), shape_boundary([1.0], 0.05, shape=0.2)):
        assert boundary.critical == pytest.approx([1.959963984540054])
        found = characterise_plan(boundary, 0.9)
        assert found.inflation == pytest.approx(1.0)
        assert found.expected_under_null == pytest.approx(1.0)
    assert found.stop_shares == (1.0,)


def test_expected_sizes_lie_between_the_first_look_and_the_end() -> None:
    found = characterise_plan(spend_boundary(equal_looks(5), 0.05, spending="pocock"), 0.9)
    assert found.expected_under_effect < 1.0 < found.inflation
    assert found.expected_under_effect < found.expected_under_null < found.inflation
    assert math.fsum(found.stop_shares) == pytest.approx(1.0)


def test_wrong_arguments_are_refused() -> None:
    for fractions in ([], [0.5, 0.5], [0.5, 0.4], [0.0, 1.0], [math.nan], [math.inf]):
        with pytest.raises(ValueError, match=r"look|fraction"):
            spend_boundary(fractions, 0.05)
    with pytest.raises(ValueError, match="alpha"):
        spend_boundary([1.0], 1.0)
    with pytest.raises(ValueError, match="unknown spending"):
        spend_boundary([1.0], 0.05, spending="haybittle")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="alternative"):
        spend_boundary([1.0], 0.05, alternative="both")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="Kim-DeMets"):
        spend_boundary([1.0], 0.05, spending="kim_demets", power=0.0)
    with pytest.raises(ValueError, match="one critical value"):
        exit_probabilities([0.5, 1.0], [2.0])
    with pytest.raises(ValueError, match="at least one"):
        equal_looks(0)
    with pytest.raises(ValueError, match="above alpha"):
        characterise_plan(Boundary((1.0,), (1.96,), 0.05, "two-sided"), 0.04)
