"""Which units and which events count: the queries against PostgreSQL."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.audit import SYSTEM
from analysis.exposed import Scope
from analysis.moments import CellSums, MetricSpec, moments_expression
from analysis.queries import load_inputs
from analysis.queries.inputs import fetch_cells, fetch_exposures
from experiments.models import Experiment, Phase
from experiments.services import set_override
from tests.analysis.world import NOW, STARTED, act, expose, make_experiment

DAY = timedelta(days=1)

pytestmark = pytest.mark.django_db


def _cells(experiment: Experiment, metric: str = "purchase", **where: Any) -> list[CellSums]:
    wanted = {"breakdown": 0, **where}
    return [
        cell
        for cell in load_inputs(experiment, NOW).cells
        if cell.metric == metric and all(getattr(cell, name) == value for name, value in wanted.items())
    ]


def _one(experiment: Experiment, metric: str = "purchase", **where: Any) -> CellSums:
    (cell,) = _cells(experiment, metric, **where)
    return cell


def test_a_unit_without_events_counts_as_zero() -> None:
    experiment = make_experiment()
    expose(experiment, "a", 0)
    expose(experiment, "b", 0)
    act(experiment, "a", "purchase", STARTED + DAY)
    cell = _one(experiment)
    assert (cell.n, cell.x, cell.xx, cell.active) == (2, 1, 1, 1)


def test_a_unit_converts_once_however_often_it_buys() -> None:
    experiment = make_experiment()
    expose(experiment, "a", 0)
    for hour in range(3):
        act(experiment, "a", "purchase", STARTED + timedelta(hours=hour))
    assert _one(experiment).x == 1


def test_events_before_the_exposure_do_not_count() -> None:
    experiment = make_experiment()
    expose(experiment, "a", 0, STARTED + DAY)
    act(experiment, "a", "purchase", STARTED + DAY - timedelta(seconds=1))
    assert _one(experiment).x == 0


def test_an_event_at_the_moment_of_the_exposure_counts() -> None:
    experiment = make_experiment()
    expose(experiment, "a", 0, STARTED + DAY)
    act(experiment, "a", "purchase", STARTED + DAY)
    assert _one(experiment).x == 1


def test_a_window_counts_from_the_exposure_of_each_unit_and_ends_before_its_last_moment() -> None:
    experiment = make_experiment(metrics=[{"key": "purchase", "event_name": "purchase", "window_days": 7}])
    for unit, after in (("inside", 7 * DAY - timedelta(seconds=1)), ("outside", 7 * DAY)):
        expose(experiment, unit, 0, STARTED + DAY)
        act(experiment, unit, "purchase", STARTED + DAY + after)
    assert _one(experiment).x == 1


def test_a_unit_whose_window_is_open_is_left_out_and_counted_as_immature() -> None:
    experiment = make_experiment(metrics=[{"key": "purchase", "event_name": "purchase", "window_days": 7}])
    expose(experiment, "mature", 0, NOW - 7 * DAY)
    expose(experiment, "immature", 0, NOW - 7 * DAY + timedelta(seconds=1))
    act(experiment, "immature", "purchase", NOW - DAY)
    cell = _one(experiment)
    assert (cell.n, cell.immature, cell.x) == (1, 1, 0)


def test_what_was_received_after_the_watermark_does_not_count() -> None:
    experiment = make_experiment()
    expose(experiment, "a", 0)
    expose(experiment, "later", 0, received_at=NOW + DAY)
    act(experiment, "a", "purchase", STARTED + DAY, received_at=NOW + timedelta(seconds=1))
    cell = _one(experiment)
    assert (cell.n, cell.x) == (1, 0)


def test_without_a_window_events_count_until_the_end() -> None:
    experiment = make_experiment()
    experiment.ended_at = STARTED + 10 * DAY
    experiment.status = "completed"
    experiment.save()
    for unit, at in (("before", 9 * DAY), ("after", 10 * DAY)):
        expose(experiment, unit, 0)
        act(experiment, unit, "purchase", STARTED + at)
    assert _one(experiment).x == 1


def test_a_unit_with_an_override_is_not_analysed() -> None:
    experiment = make_experiment()
    set_override(experiment=experiment, unit_id="tester", variant_key="treatment", actor=SYSTEM)
    expose(experiment, "tester", 1)
    expose(experiment, "a", 1)
    assert _one(experiment, variant=1).n == 1


def test_sums_are_capped_per_unit() -> None:
    experiment = make_experiment(metrics=[{"key": "spend", "kind": "sum", "event_name": "bill", "cap": 50.0}])
    expose(experiment, "a", 0)
    for _ in range(3):
        act(experiment, "a", "bill", STARTED + DAY, 20.1)
    cell = _one(experiment, "spend")
    assert (cell.x, cell.xx) == (50, 2_500)


def test_a_sum_of_decimal_amounts_is_exact() -> None:
    experiment = make_experiment(metrics=[{"key": "spend", "kind": "sum", "event_name": "bill"}])
    expose(experiment, "a", 0)
    for value in (0.1, 0.2):
        act(experiment, "a", "bill", STARTED + DAY, value)
    assert str(_one(experiment, "spend").x) == "0.3"


def test_a_mean_is_a_ratio_of_values_to_events_with_a_value() -> None:
    experiment = make_experiment(
        metrics=[{"key": "order", "kind": "mean", "event_name": "bill", "cap": 100.0}]
    )
    for unit in ("a", "b"):
        expose(experiment, unit, 0)
    for value in (10.0, 20.0, 500.0, None):
        act(experiment, "a", "bill", STARTED + DAY, value)
    cell = _one(experiment, "order")
    assert (cell.n, cell.x, cell.d, cell.dd, cell.xd) == (2, 130, 3, 9, 390)


def test_all_metrics_of_a_family_come_from_one_scan() -> None:
    experiment = make_experiment(
        metrics=[
            {"key": "purchase", "event_name": "purchase"},
            {"key": "visits", "kind": "count", "event_name": "visit"},
            {"key": "spend", "kind": "sum", "event_name": "bill"},
            {"key": "order", "kind": "mean", "event_name": "bill"},
            {"key": "fine", "kind": "mean", "event_name": "fine"},
        ]
    )
    with CaptureQueriesContext(connection) as captured:
        load_inputs(experiment, NOW)
    joins = [q for q in captured if "events_event" in q["sql"] and "assignments_exposure" in q["sql"]]
    assert len(joins) == 2


def test_a_breakdown_holds_the_units_that_were_in_it_at_first_exposure() -> None:
    experiment = make_experiment()
    # Any version id serves: membership is an array on the exposure.
    expose(experiment, "new", 0, segments=[41, 42])
    expose(experiment, "old", 0, segments=[42])
    inputs = load_inputs(experiment, NOW)
    scope = Scope(experiment.pk, experiment.environment_id, "user", NOW, breakdowns=(41, 42))
    cells = fetch_cells(scope, [metric.spec for metric in inputs.metrics])
    assert {cell.breakdown: cell.n for cell in cells} == {0: 2, 41: 1, 42: 2}
    assert sum(count.overlapping for count in fetch_exposures(scope)) == 1


def test_the_phase_of_a_unit_is_the_one_that_opened_its_slot() -> None:
    experiment = make_experiment()
    Phase.objects.filter(experiment=experiment).update(shares={"0": [500, 500]})
    Phase.objects.create(
        experiment=experiment, number=2, started_at=STARTED + DAY, shares={"0": [4_500, 1_500]}
    )
    expose(experiment, "early slot, met late", 0, STARTED + 2 * DAY, slot=999, phase_number=2)
    expose(experiment, "late slot", 0, STARTED + 2 * DAY, slot=1_000, phase_number=2)
    assert {cell.phase: cell.n for cell in _cells(experiment)} == {1: 1, 2: 1}
    inputs = load_inputs(experiment, NOW)
    assert [phase.opened for phase in inputs.phases] == [((0, (500, 500)),), ((0, (4_000, 1_000)),)]


def test_an_event_name_is_data_and_never_sql() -> None:
    name = "x'; DROP TABLE events_event; --%s"
    experiment = make_experiment(metrics=[{"key": "purchase", "event_name": name}])
    expose(experiment, "a", 0)
    act(experiment, "a", name, STARTED + DAY)
    assert _one(experiment).x == 1


def test_metrics_of_two_families_do_not_fit_one_expression() -> None:
    specs = [MetricSpec("a", "count", "x"), MetricSpec("b", "mean", "x")]
    with pytest.raises(ValueError, match="exactly one family"):
        moments_expression(Scope(1, 1, "user", NOW), specs)
