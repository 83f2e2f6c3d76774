import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.stats.estimable import NotEstimable
from analysis.stats.multiplicity import METHODS, AdjustMethod, adjust_p_values

p_lists = st.lists(st.floats(min_value=0.0, max_value=1.0), min_size=1, max_size=20)


@given(p_lists, st.sampled_from(sorted(METHODS)))
def test_an_adjusted_p_value_is_never_below_the_raw_one(p_values: list[float], method: AdjustMethod) -> None:
    for raw, adjusted in zip(p_values, adjust_p_values(p_values, method), strict=True):
        assert isinstance(adjusted, float)
        assert raw - 1e-12 <= adjusted <= 1.0


@given(p_lists)
def test_order_is_kept_and_bh_is_the_milder_one(p_values: list[float]) -> None:
    holm, bh = adjust_p_values(p_values, "holm"), adjust_p_values(p_values, "bh")
    assert all(float(b) <= float(h) + 1e-12 for h, b in zip(holm, bh, strict=True))  # type: ignore[arg-type]
    assert adjust_p_values(p_values[::-1], "holm") == pytest.approx(holm[::-1])


def test_what_is_not_estimable_stays_and_does_not_count() -> None:
    missing = NotEstimable("no data")
    assert adjust_p_values([0.01, missing, 0.04], "bonferroni") == pytest.approx((0.02, missing, 0.08))
    assert adjust_p_values([missing], "bh") == (missing,)
    assert adjust_p_values([], "holm") == ()


def test_a_wrong_p_value_or_method_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        adjust_p_values([1.2], "holm")
    with pytest.raises(ValueError, match="unknown method"):
        adjust_p_values([0.2], "tukey")  # type: ignore[arg-type]
