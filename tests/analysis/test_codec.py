"""Results as JSON and back."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from analysis.codec import canonical_json, decode, encode, hash_of
from analysis.pipeline import analyse
from analysis.result import Result
from analysis.stats.estimable import NotEstimable
from tests.analysis.values import CONVERSION, ERRORS, make_inputs, rate_cell, segment


def _result() -> Result:
    cells = [rate_cell(m, v, 900, 90 + 30 * v) for m in (CONVERSION, ERRORS) for v in (0, 1)]
    cells += [rate_cell(CONVERSION, v, 300, 30, breakdown=1) for v in (0, 1)]
    return analyse(make_inputs(cells, metrics=(CONVERSION, ERRORS), breakdowns=(segment(1, "New"),)))


def test_a_whole_result_comes_back_equal() -> None:
    result = _result()
    assert decode(Result, encode(result)) == result


def test_the_hash_depends_on_every_number() -> None:
    assert hash_of((1.0, 2.0)) != hash_of((1.0, 2.0000000000000004))


def test_not_estimable_keeps_its_reason() -> None:
    assert encode(NotEstimable("no units")) == {"not_estimable": "no units"}


def test_infinity_has_a_word_and_nan_is_refused() -> None:
    assert encode((math.inf, -math.inf)) == ["Infinity", "-Infinity"]
    with pytest.raises(ValueError, match="NaN"):
        encode(math.nan)


def test_minus_zero_and_zero_are_one_number() -> None:
    assert canonical_json(-0.0) == canonical_json(0.0)


@dataclass(frozen=True)
class Grown:
    at: datetime
    share: float
    added: int = 7


def test_an_older_document_takes_the_default_of_a_field_that_was_added_since() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    assert decode(Grown, {"at": at.isoformat(), "share": 1, "gone": True}) == Grown(at, 1.0)


def test_a_document_without_a_needed_field_is_refused() -> None:
    with pytest.raises(ValueError, match="share"):
        decode(Grown, {"at": "2026-01-01T00:00:00+00:00"})
