"""The draw against the shared vectors, and its evenness within and across experiments."""

import json
from itertools import combinations

import numpy as np
import pytest
from scipy.stats import chi2

from assignments.bucketing import draw, slot_of
from tests.paths import SHARED

ID_STYLES = {
    "counter": [str(i) for i in range(20_000)],
    "padded": [f"user-{i:08d}" for i in range(20_000)],
    "hex": [f"{i * 2654435761 % 2**32:08x}" for i in range(20_000)],
    "mail": [f"person{i}@example.com" for i in range(20_000)],
}
SALTS = [f"salt-{i}" for i in range(6)]


def test_every_shared_vector_agrees() -> None:
    path = SHARED / "vectors" / "draw.json"
    if not path.exists():
        pytest.skip(f"NOT RUN: the shared vectors are not at {path}")
    vectors = json.loads(path.read_text(encoding="utf-8"))
    wrong = [v for v in vectors if (draw(*v[:3]), slot_of(*v[:3])) != (v[3], v[4])]
    assert len(vectors) >= 3_000
    assert wrong == []


def test_ids_are_not_normalised() -> None:
    assert draw("variant", "s", "1") != draw("variant", "s", "\uff11")
    assert draw("variant", "s", "\u00e9") != draw("variant", "s", "e\u0301")


def test_purposes_and_salts_are_separated_from_the_id() -> None:
    assert len({draw("variant", "s", "1"), draw("layer", "s", "1"), draw("holdout", "s", "1")}) == 3
    assert draw("variant", "ab", "c") != draw("variant", "a", "bc")


@pytest.mark.parametrize("style", ID_STYLES)
def test_slots_are_uniform(style: str) -> None:
    """Pearson chi-squared over 100 bins; the bound is the 1 - 1e-6 quantile, so chance alone cannot fail it."""
    for salt in SALTS:
        slots = np.array([slot_of("variant", salt, unit_id) for unit_id in ID_STYLES[style]])
        observed = np.bincount(slots // 100, minlength=100)
        statistic = ((observed - 200) ** 2 / 200).sum()
        assert statistic < chi2.ppf(1 - 1e-6, df=99)


@pytest.mark.parametrize("style", ID_STYLES)
def test_experiments_are_jointly_independent(style: str) -> None:
    """10 x 10 cells of two experiments over the same units: each cell holds n/100, for every pair of salts."""
    drawn = [np.array([slot_of("variant", s, u) for u in ID_STYLES[style]]) // 1000 for s in SALTS]
    for first, second in combinations(drawn, 2):
        observed = np.bincount(first * 10 + second, minlength=100)
        statistic = ((observed - 200) ** 2 / 200).sum()
        assert statistic < chi2.ppf(1 - 1e-6, df=99)
