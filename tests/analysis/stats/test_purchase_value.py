import csv
import gzip
from collections import defaultdict
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.stats.estimable import NotEstimable
from analysis.stats.purchase_value import GammaGamma, GammaGammaFit, fit_gamma_gamma
from tests.paths import SHARED

CDNOW = SHARED / "data" / "cdnow_master.csv.gz"
PUBLISHED = GammaGamma(6.25, 3.74, 15.44)  # Fader & Hardie 2013, note 025, section 4


@pytest.mark.skipif(not CDNOW.exists(), reason=f"the shared data are not here: {CDNOW}")
def test_all_cdnow_customers_spend_like_the_published_tenth() -> None:
    """Repeat purchases of 39 weeks; the note's tenth of the customers has p 6.25, q 3.74, v 15.44."""
    spend: dict[int, dict[date, float]] = defaultdict(lambda: defaultdict(float))
    with gzip.open(CDNOW, "rt") as file:
        for row in csv.DictReader(file):
            day = date.fromisoformat(f"{row['date'][:4]}-{row['date'][4:6]}-{row['date'][6:]}")
            if day <= date(1997, 9, 30):
                spend[int(row["customer_id"])][day] += float(row["spend"])
    repeats = [[amount for _, amount in sorted(days.items())[1:]] for days in spend.values()]
    found = fit_gamma_gamma([len(r) for r in repeats], [float(np.mean(r)) if r else 0.0 for r in repeats])
    assert isinstance(found, GammaGammaFit)
    assert found.model.p == pytest.approx(PUBLISHED.p, rel=0.05)
    assert found.model.population_mean == pytest.approx(PUBLISHED.population_mean, rel=0.05)


@given(st.integers(0, 50), st.floats(0.0, 1e4))
def test_the_expected_spend_lies_between_the_own_mean_and_everybodys(x: int, own: float) -> None:
    everybody = PUBLISHED.population_mean
    found = PUBLISHED.expected_spend(x, own)
    assert isinstance(everybody, float)
    assert isinstance(found, float)
    if x == 0:
        assert found == pytest.approx(everybody)
    assert (
        min(own if x else everybody, everybody) - 1e-9
        <= found
        <= max(own if x else everybody, everybody) + 1e-9
    )


def test_a_simulated_world_is_recovered_in_any_currency() -> None:
    rng = np.random.default_rng(351)
    rate = rng.gamma(3.74, 1.0 / 15.44, 4_000)
    x = rng.poisson(2.0, 4_000) + 1
    m = rng.gamma(6.25 * x, 1.0 / rate) / x
    found, cents = fit_gamma_gamma(x, m), fit_gamma_gamma(x, 100.0 * m)
    assert isinstance(found, GammaGammaFit)
    assert isinstance(cents, GammaGammaFit)
    assert found.model.population_mean == pytest.approx(PUBLISHED.population_mean, rel=0.05)
    assert [found.model.p, found.model.q] == pytest.approx([6.25, 3.74], rel=0.2)
    assert cents.model.v == pytest.approx(100.0 * found.model.v, rel=1e-3)


def test_spends_that_do_not_determine_the_model_give_a_reason() -> None:
    assert isinstance(fit_gamma_gamma([1.0] * 10, [5.0] * 10), NotEstimable)
    assert isinstance(fit_gamma_gamma([1.0] * 50, [5.0] * 50), NotEstimable)
    assert isinstance(fit_gamma_gamma([0.0] * 50, [0.0] * 50), NotEstimable)
    assert isinstance(GammaGamma(6.0, 0.9, 15.0).population_mean, NotEstimable)
    assert isinstance(GammaGamma(6.0, 0.9, 15.0).expected_spend(0, 0.0), NotEstimable)


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="positive"):
        GammaGamma(0.0, 1.0, 1.0)
    with pytest.raises(ValueError, match="negative"):
        PUBLISHED.expected_spend(-1, 2.0)
    with pytest.raises(ValueError, match="one value"):
        fit_gamma_gamma([1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="finite"):
        fit_gamma_gamma([1.0], [float("inf")])
