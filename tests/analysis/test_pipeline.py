"""From inputs to the verdict, without a database."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from orjson import loads

from analysis.codec import canonical_json, decode
from analysis.inputs import PhaseFacts, TargetFacts, VariantFacts
from analysis.moments import CellSums, MetricSpec
from analysis.pipeline import analyse
from analysis.result import Result
from analysis.stats.compare import Comparison, compare_arms
from analysis.stats.estimable import NotEstimable
from analysis.stats.small_counts import compare_rates
from analysis.sums import ArmSums, value_moments
from tests.analysis.values import (
    CONVERSION,
    ERRORS,
    STARTED,
    exposure_count,
    make_inputs,
    rate_cell,
    segment,
)


def _cells(control: int = 800, treatment: int = 1_000, n: int = 4_000) -> list[CellSums]:
    return [rate_cell(CONVERSION, 0, n, control), rate_cell(CONVERSION, 1, n, treatment)]


def _comparison(result: Result, metric: int = 0, arm: int = 0) -> Comparison:
    comparison = result.metrics[metric].effects[arm].comparison
    assert isinstance(comparison, Comparison)
    return comparison


def test_a_better_variant_at_the_planned_end_is_shipped() -> None:
    verdict = analyse(make_inputs(_cells())).verdict
    assert (verdict.kind, verdict.winner) == ("ship", "Green")
    assert verdict.sentence == "Ship “Green” to everyone: +25 % conversion (95 % CI 15 to 36)."


def test_equal_inputs_give_the_same_bytes() -> None:
    assert canonical_json(analyse(make_inputs(_cells()))) == canonical_json(analyse(make_inputs(_cells())))


def test_the_order_of_cells_changes_no_byte() -> None:
    phases = [rate_cell(CONVERSION, v, 2_000, 300 + 40 * v, phase=p) for v in (0, 1) for p in (1, 2)]
    forward, backward = (analyse(make_inputs(cells)) for cells in (phases, phases[::-1]))
    assert forward.metrics == backward.metrics


def test_before_the_end_a_fixed_horizon_is_locked_and_shows_always_valid_intervals() -> None:
    result = analyse(make_inputs(_cells(n=3_000), watermark=STARTED + timedelta(days=10)))
    assert result.verdict.rule == "adequacy.locked"
    assert _comparison(result).method == "always_valid"
    assert _comparison(analyse(make_inputs(_cells()))).method == "welch_t"


def test_an_experiment_that_ended_short_of_its_plan_is_judged_by_what_it_has() -> None:
    inputs = make_inputs(_cells(30, 32, n=150), ended_at=STARTED + timedelta(days=3))
    result = analyse(inputs)
    assert result.verdict.kind == "inconclusive"
    assert any("short of" in action for action in result.verdict.next_actions)


def test_a_rate_with_few_conversions_is_compared_by_the_stated_rule_and_the_page_says_so() -> None:
    for counts, method in (((30, 48), "score"), ((1, 7), "exact")):
        result = analyse(make_inputs(_cells(*counts)))
        comparison = _comparison(result)
        control, treatment = (arm.estimate for arm in result.primary.arms)
        assert comparison == compare_rates(control, treatment)
        assert comparison.method == method
        named = [sentence for sentence in result.method if "“Conversion” by" in sentence]
        assert len(named) == 1
        assert ("an exact test" in named[0]) == (method == "exact")
        assert decode(Result, loads(canonical_json(result))) == result


def test_from_fifty_conversions_and_others_welch_answers_and_no_sentence_is_added() -> None:
    result = analyse(make_inputs(_cells(50, 3_950)))
    assert _comparison(result) == compare_arms(*(arm.estimate for arm in result.primary.arms))
    assert not any("Fewer than 50" in sentence for sentence in result.method)


def test_small_counts_of_guardrails_strata_and_early_looks_keep_their_method() -> None:
    guarded = [*_cells(), rate_cell(ERRORS, 0, 4_000, 20), rate_cell(ERRORS, 1, 4_000, 30)]
    assert (
        _comparison(analyse(make_inputs(guarded, metrics=(CONVERSION, ERRORS))), metric=1).method == "welch_t"
    )
    phases = tuple(PhaseFacts(p, STARTED, ((0, (1_000 * p, 1_000)),)) for p in (1, 2))
    cells = [rate_cell(CONVERSION, v, 2_000, 10 + 5 * v, phase=p) for v in (0, 1) for p in (1, 2)]
    assert _comparison(analyse(make_inputs(cells, phases=phases))).method == "welch_t"
    early = analyse(make_inputs(_cells(30, 48, n=3_000), watermark=STARTED + timedelta(days=10)))
    assert _comparison(early).method == "always_valid"
    assert not any("Fewer than 50" in sentence for sentence in early.method)


def test_a_split_that_is_off_makes_everything_invalid_and_says_where() -> None:
    day = STARTED.date()
    days = [
        exposure_count(v, n, day=day + timedelta(days=d))
        for d, pair in enumerate([(1_000, 1_000), (1_000, 600), (1_000, 1_000)])
        for v, n in enumerate(pair)
    ]
    result = analyse(make_inputs(_cells(), exposures=tuple(days)))
    assert result.verdict.rule == "health.srm"
    assert result.health.located[0].level == "2026-03-03"
    assert _comparison(result).difference == pytest.approx(0.05)


def test_a_ramp_with_other_weights_raises_no_false_alarm() -> None:
    phases = (
        PhaseFacts(1, STARTED, ((0, (1_000, 1_000)),)),
        PhaseFacts(2, STARTED + timedelta(days=7), ((0, (7_000, 1_000)),)),
    )
    cells = [
        rate_cell(CONVERSION, 0, 2_000, 400, phase=1),
        rate_cell(CONVERSION, 1, 2_000, 400, phase=1),
        rate_cell(CONVERSION, 0, 7_000, 700, phase=2),
        rate_cell(CONVERSION, 1, 1_000, 100, phase=2),
    ]
    result = analyse(make_inputs(cells, phases=phases))
    assert result.health.problems == ()
    # Pooled, the treatment would look better (16.7 % against 12.2 %) though it is equal in both phases.
    assert _comparison(result).difference == pytest.approx(0.0, abs=1e-12)
    assert any("post-stratification" in sentence for sentence in result.method)


def test_units_that_crossed_over_make_the_numbers_invalid() -> None:
    assert analyse(make_inputs(_cells(), crossover_units=100)).verdict.rule == "health.crossover"


def test_a_primary_metric_without_any_event_is_reported_as_missing() -> None:
    result = analyse(make_inputs(_cells(0, 0)))
    assert result.verdict.rule == "health.missing_data"


def test_a_breached_guardrail_stops_a_better_variant() -> None:
    cells = [*_cells(), rate_cell(ERRORS, 0, 4_000, 200), rate_cell(ERRORS, 1, 4_000, 400)]
    result = analyse(make_inputs(cells, metrics=(CONVERSION, ERRORS)))
    assert result.verdict.rule == "guardrail.breached"
    assert result.guardrails[0].effects[0].guardrail.state == "breached"


def test_several_arms_are_corrected_by_holm() -> None:
    variants = tuple(VariantFacts(i, f"v{i}", f"Variant {i}") for i in range(4))
    cells = [rate_cell(CONVERSION, i, 3_000, ones) for i, ones in enumerate((600, 660, 665, 600))]
    phases = (PhaseFacts(1, STARTED, ((0, (2_500,) * 4),)),)
    effects = analyse(make_inputs(cells, variants=variants, phases=phases)).primary.effects
    raw = sorted(e.comparison.p_value for e in effects)
    adjusted = sorted(e.p_adjusted for e in effects)
    assert adjusted[0] == pytest.approx(3 * raw[0])
    assert adjusted[1] == pytest.approx(max(3 * raw[0], 2 * raw[1]))


def test_an_experiment_for_a_segment_names_it_in_its_verdict() -> None:
    result = analyse(make_inputs(_cells(), targets=(TargetFacts(0, "New customers", False),)))
    assert "to New customers" in result.verdict.sentence


def test_open_windows_are_counted_and_left_out() -> None:
    cells = [rate_cell(CONVERSION, v, 1_000, 100, immature=50) for v in (0, 1)]
    result = analyse(
        make_inputs(cells, plan={"planned_n": 9_000, "stopping_rule": "always_valid", "max_days": 90})
    )
    assert [arm.immature for arm in result.primary.arms] == [50, 50]
    assert result.adequacy.units == 2_000
    assert result.health.units == 2_100


class TestSegments:
    """Rows by segment, and what must not be shown."""

    def _result(self, sizes: list[tuple[str, int, int]], uncovered: int = 0, **changes: Any) -> Result:
        cells = []
        for arm in (0, 1):
            total = sum(size[1 + arm] for size in sizes) + uncovered
            cells.append(rate_cell(CONVERSION, arm, total, total // 5))
            for number, size in enumerate(sizes, start=1):
                cells.append(rate_cell(CONVERSION, arm, size[1 + arm], size[1 + arm] // 5, breakdown=number))
        breakdowns = tuple(segment(i, size[0]) for i, size in enumerate(sizes, start=1))
        return analyse(make_inputs(cells, breakdowns=breakdowns, **changes))

    def _shown(self, result: Result) -> list[str]:
        return [row.segment.name for row in result.segments[0].rows if not row.suppressed]

    def test_disjoint_segments_get_an_interaction_test(self) -> None:
        table = self._result([("New", 500, 500), ("Old", 900, 900)]).segments[0]
        assert table.disjoint
        assert table.interaction.df == 1
        assert self._shown(self._result([("New", 500, 500), ("Old", 900, 900)])) == ["New", "Old"]

    def test_overlapping_segments_get_none_but_each_is_compared_with_the_rest(self) -> None:
        exposures = (exposure_count(0, 1_400, overlapping=3), exposure_count(1, 1_400))
        table = self._result([("New", 500, 500), ("Old", 900, 900)], exposures=exposures).segments[0]
        assert isinstance(table.interaction, NotEstimable)
        assert not isinstance(table.rows[0].effect.differs, NotEstimable)

    def test_a_segment_with_few_conversions_is_compared_by_the_stated_rule(self) -> None:
        result = self._result([("Few", 150, 150), ("Many", 900, 900)])
        rows = {row.segment.name: row.effect.comparison.method for row in result.segments[0].rows}
        assert rows == {"Few": "score", "Many": "welch_t"}
        assert any("in an arm: segment “Few” by the score test" in sentence for sentence in result.method)

    def test_a_small_segment_is_hidden_together_with_the_one_that_would_reveal_it(self) -> None:
        result = self._result([("Tiny", 4, 5), ("New", 500, 500), ("Old", 900, 900)])
        assert self._shown(result) == ["Old"]
        assert b'"Tiny"' in canonical_json(result)
        hidden = [row for row in result.segments[0].rows if row.suppressed]
        assert all(isinstance(row.units, NotEstimable) for row in hidden)

    def test_a_small_segment_beside_units_of_no_segment_reveals_nothing(self) -> None:
        result = self._result([("Tiny", 4, 5), ("New", 500, 500), ("Old", 900, 900)], uncovered=200)
        assert self._shown(result) == ["New", "Old"]

    def test_a_segment_that_nearly_everybody_is_in_is_hidden(self) -> None:
        assert self._shown(self._result([("Nearly all", 900, 900)], uncovered=5)) == []


class TestPrecision:
    """Sums are exact until the last step."""

    def test_variance_survives_a_mean_of_a_hundred_million(self) -> None:
        values = [100_000_000 + step for step in (-1, 0, 1)]
        x, xx = sum(values), sum(v * v for v in values)
        moments = value_moments(ArmSums(n=3, x=Fraction(x), xx=Fraction(xx)))
        assert moments.mean() == 100_000_000.0
        assert moments.variance() == 1.0

    def test_decimal_digits_survive_too(self) -> None:
        metric = replace(CONVERSION, spec=MetricSpec("spend", "sum", "bill"), name="Spend")
        values = [Decimal("100000000.25"), Decimal("100000001.25"), Decimal("99999999.25")] * 100
        x, xx = sum(values, Decimal(0)), sum((v * v for v in values), Decimal(0))
        cells = [CellSums("spend", arm, 1, 0, 0, 300, 0, 300, x, xx) for arm in (0, 1)]
        result = analyse(make_inputs(cells, metrics=(metric,)))
        estimate = result.primary.arms[0].estimate
        assert estimate.mean == 100_000_000.25
        assert estimate.variance == pytest.approx(200 / 299, rel=1e-12)
