import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.stats.estimable import NotEstimable
from analysis.stats.moments import (
    Moments,
    empty_moments,
    merge_moments,
    moments_from_summary,
    moments_from_sums,
    moments_from_values,
)

numbers = st.floats(min_value=-1e6, max_value=1e6, allow_nan=False)
columns = st.lists(st.tuples(numbers, numbers), min_size=2, max_size=40)


def assert_same(left: Moments, right: Moments, *, size: float) -> None:
    """Equal but for rounding; size: the largest absolute value that ever went into the sums."""
    assert left.n == right.n
    around = [0.0] * left.columns
    a, b = left.shifted_to(around), right.shifted_to(around)
    assert a.sums == pytest.approx(b.sums, abs=1e-11 * (1.0 + size) * 200)
    for row_a, row_b in zip(a.products, b.products, strict=True):
        assert row_a == pytest.approx(row_b, abs=1e-11 * (1.0 + size) ** 2 * 200)


def largest(rows: list[tuple[float, float]]) -> float:
    return float(np.abs(np.asarray(rows)).max())


@given(columns, columns, columns)
def test_merging_in_any_order_gives_the_moments_of_all_values(a, b, c) -> None:
    parts = [moments_from_values(part) for part in (a, b, c)]
    whole = moments_from_values([*a, *b, *c])
    size = largest([*a, *b, *c])
    assert_same(merge_moments(parts), whole, size=size)
    assert_same(merge_moments(parts[::-1]), whole, size=size)
    assert_same(parts[0] + (parts[1] + parts[2]), whole, size=size)


@given(columns, columns)
def test_taking_a_segment_out_leaves_the_moments_of_the_others(a, b) -> None:
    whole, segment = moments_from_values([*a, *b]), moments_from_values(a)
    assert_same(whole - segment, moments_from_values(b), size=largest([*a, *b]))


@given(columns, st.tuples(numbers, numbers))
def test_mean_and_covariance_equal_numpy_around_any_shift(rows, shift) -> None:
    moments = moments_from_values(rows, shift)
    table = np.asarray(rows)
    assert [moments.mean(i) for i in (0, 1)] == pytest.approx(table.mean(axis=0).tolist(), rel=1e-9, abs=1e-6)
    wanted = np.cov(table.T)
    slack = 1e-9 * (1.0 + float(np.abs(table - np.asarray(shift)).max()) ** 2)
    for i in (0, 1):
        for j in (0, 1):
            assert moments.covariance(i, j) == pytest.approx(float(wanted[i, j]), rel=1e-6, abs=slack)


def test_a_shift_keeps_the_variance_that_raw_sums_of_squares_lose() -> None:
    """STATISTICS principle 4: mean 1e8, sd 1."""
    values = 1e8 + np.random.default_rng(4).standard_normal(10_000)
    shifted = moments_from_values(values, [1e8])
    assert shifted.variance() == pytest.approx(float(values.var(ddof=1)), rel=1e-9)
    raw = moments_from_sums(len(values), [float(values.sum())], [[float((values**2).sum())]])
    assert raw.variance() == 0.0  # lost, and said to be lost: a comparison then answers "do not vary"


@pytest.mark.parametrize("constant", [0.0, 0.1, -3.7, 1e8, 1e-12])
@pytest.mark.parametrize("shift", [0.0, 0.1, 5.0])
def test_values_that_do_not_vary_have_variance_exactly_zero(constant: float, shift: float) -> None:
    assert moments_from_values([constant] * 1000, [shift]).variance() == 0.0


def test_too_few_units_have_a_reason_instead_of_a_number() -> None:
    none, one = empty_moments([0.0]), moments_from_values([3.0])
    assert isinstance(none.mean(), NotEstimable)
    assert one.mean() == 3.0
    assert isinstance(one.variance(), NotEstimable)
    assert moments_from_values([1.0, 3.0]).variance() == 2.0


def test_overflow_is_a_reason_and_not_infinity() -> None:
    huge = moments_from_values([0.0, 1e200, -1e200, 1e308])
    assert isinstance(huge.variance(), NotEstimable)


def test_effective_count_is_the_ones_of_a_rate_and_less_for_lumpy_revenue() -> None:
    assert moments_from_values([1.0] * 7 + [0.0] * 93).effective_count() == pytest.approx(7.0)
    lumpy = moments_from_values([0.0] * 90 + [10.0] * 9 + [500.0]).effective_count()
    assert isinstance(lumpy, float)
    assert 1.0 < lumpy < 2.0
    assert moments_from_values([0.0, 0.0]).effective_count() == 0.0


def test_a_published_table_of_means_and_variances_becomes_moments() -> None:
    moments = moments_from_summary(53, [0.5, 2.0], [[0.8, 0.4], [0.4, 1.0]])
    assert moments.mean(1) == 2.0
    assert moments.covariance(0, 1) == pytest.approx(0.4)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Moments(-1, (0.0,), (0.0,), ((0.0,),)),
        lambda: Moments(1, (0.0,), (0.0, 1.0), ((0.0,),)),
        lambda: Moments(1, (), (), ()),
        lambda: moments_from_values([[[1.0]]]),
        lambda: merge_moments([]),
        lambda: moments_from_values([1.0]) - moments_from_values([1.0, 2.0]),
        lambda: moments_from_values([1.0]) + moments_from_values([[1.0, 2.0]]),
    ],
)
def test_a_wrong_argument_is_a_value_error(make) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        make()


@given(st.lists(numbers, min_size=0, max_size=5))
def test_every_small_set_gives_a_number_or_a_reason(values: list[float]) -> None:
    moments = moments_from_values(values)
    for answer in (moments.mean(), moments.variance(), moments.effective_count()):
        assert isinstance(answer, NotEstimable) or math.isfinite(answer)
