"""The whole way from rows to results, against independent results on the same people (statsmodels, scipy, R)."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction

from analysis.result import EffectResult, Result
from analysis.services.runs import compute_result
from analysis.stats.compare import Comparison, Lift, fieller_interval
from analysis.stats.estimable import Interval
from tests.analysis.people import ARMS, FILE, WATERMARK, import_people, read_people
from tests.paths import SHARED

Z_975 = 1.959963984540054

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(not FILE.exists(), reason="the shared data folder is absent: nothing to compare with"),
]
METRICS = {"mdvis": "visits", "any_use": "any-use", "meddol": "medical-spending"}


@pytest.fixture
def reference() -> dict[str, Any]:
    document = json.loads((SHARED / "data" / "reference_results.json").read_text())
    return document["rand_hie"]["year1_person_level"]


@pytest.fixture(scope="module")
def result(django_db_setup: None, django_db_blocker: Any) -> Iterator[Result]:
    """The analysis of all people, made once: their rows are rolled back at the end of this module."""
    with django_db_blocker.unblock(), transaction.atomic():
        imported = import_people(read_people())
        yield compute_result(experiment=imported.experiment, watermark=WATERMARK)
        transaction.set_rollback(True)


def _effect(result: Result, metric: str, arm: str) -> EffectResult:
    found = next(m for m in result.metrics if m.facts.spec.key == metric)
    return found.effects[ARMS.index(arm) - 1]


def _comparison(effect: EffectResult) -> Comparison:
    assert isinstance(effect.comparison, Comparison)
    return effect.comparison


def test_counts_and_means_equal_the_reference(result: Result, reference: dict[str, Any]) -> None:
    for name, key in METRICS.items():
        arms = next(m for m in result.metrics if m.facts.spec.key == key).arms
        for arm, expected in reference["metrics"][name]["arms"].items():
            got = arms[ARMS.index(arm)]
            assert got.units == expected["n"]
            assert got.estimate.mean == pytest.approx(expected["mean"], rel=1e-9)
            assert got.estimate.variance == pytest.approx(expected["variance"], rel=1e-9)


def test_intervals_and_p_values_equal_the_reference(result: Result, reference: dict[str, Any]) -> None:
    for name, key in METRICS.items():
        for versus, expected in reference["metrics"][name]["comparisons"].items():
            comparison = _comparison(_effect(result, key, versus.split(" vs ")[0]))
            assert comparison.difference == pytest.approx(expected["abs_lift"], rel=1e-8)
            assert comparison.df == pytest.approx(expected["welch_df"], rel=1e-6)
            assert comparison.p_value == pytest.approx(expected["p_welch_t"], rel=1e-6)
            bounds = (comparison.absolute.low, comparison.absolute.high)
            assert bounds == pytest.approx(expected["abs_ci95_welch_t"], abs=1e-6)
            assert isinstance(comparison.relative, Lift)
            assert comparison.relative.value == pytest.approx(expected["rel_lift"], abs=1e-6)
            fieller = fieller_interval(comparison.control, comparison.treatment, Z_975)
            assert isinstance(fieller, Interval)
            assert (fieller.low, fieller.high) == pytest.approx(expected["rel_ci95_fieller"], abs=1e-6)


def test_primary_is_adjusted_by_holm_over_the_arms(result: Result, reference: dict[str, Any]) -> None:
    for versus, expected in reference["metrics"]["mdvis"]["comparisons"].items():
        effect = _effect(result, "visits", versus.split(" vs ")[0])
        # The reference adjusts over the same four arms, each by its Welch p-value.
        assert effect.p_adjusted == pytest.approx(expected["p_holm_over_arms"], rel=1e-6)


def test_segments_and_interaction_equal_the_reference(result: Result, reference: dict[str, Any]) -> None:
    for table in result.segments:
        expected = reference["segments"]["sex"]["mdvis"][ARMS[table.variant]]
        assert table.disjoint
        assert table.interaction.q == pytest.approx(expected["cochran_Q"], rel=1e-6)
        assert table.interaction.p_value == pytest.approx(expected["p_heterogeneity"], rel=1e-6)
        levels = {level["level"]: level for level in expected["levels"]}
        for row in table.rows:
            level = levels[row.segment.name.lower()]
            assert row.units == (level["n_control"], level["n_treatment"])
            comparison = row.effect.comparison
            assert comparison.difference == pytest.approx(level["abs_lift"], rel=1e-8)
            assert comparison.se == pytest.approx(level["se_welch"], rel=1e-8)


def test_an_unknown_split_is_said_not_to_be_tested(result: Result) -> None:
    assert result.health.split.reason == "no planned split is known, so it is not tested"
    assert result.health.problems == ()


def test_the_verdict_names_the_rule_and_reads_as_a_sentence(result: Result) -> None:
    assert result.verdict.kind in ("ship", "stop")
    assert result.verdict.sentence.endswith(".")
    assert result.is_final
