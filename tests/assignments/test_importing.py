"""Importing an experiment from a file: everything or nothing, twice the same as once."""

import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from accounts.audit import SYSTEM
from assignments.models import Exposure
from events.models import Event, Profile
from experiments.models import Experiment, Metric, Status
from tests.factories import ProjectFactory, SegmentFactory, production_of

MAPPING = {
    "unit": "person",
    "variant": "arm",
    "control": "old",
    "exposed_at": "2024-03-01T00:00:00Z",
    "ended_at": "2024-04-01T00:00:00Z",
    "attributes": {"country": {"type": "string", "purpose": "reporting"}},
    "outcomes": [
        {"column": "orders", "event": "order", "as": "count", "role": "primary"},
        {"column": "spend", "event": "spend", "as": "value"},
        {"column": "refund", "event": "refund", "as": "flag", "role": "guardrail", "margin": 0.1},
    ],
    "segments": ["germans"],
}
BUYERS = {"event": "order", "aggregate": "count", "op": "gte", "value": 1, "window_days": 30}
ROWS = """person,arm,country,orders,spend,refund
1,old,DE,2,10.5,0
2,new,FR,0,0,1
3,new,DE,1,3.25,0
"""


@pytest.fixture
def project(db: None):
    project = ProjectFactory(slug="shop")
    SegmentFactory(project=project, key="germans", rule={"attribute": "country", "op": "eq", "value": "DE"})
    return project


def run(tmp_path: Path, rows: str = ROWS, mapping: dict | None = None, *options: str) -> None:
    data, plan = tmp_path / "past.csv", tmp_path / "mapping.json"
    data.write_text(rows, encoding="utf-8")
    plan.write_text(json.dumps(mapping or MAPPING), encoding="utf-8")
    call_command(
        "experiment_import", data, mapping=plan, project="shop", key="past", **dict.fromkeys(options, True)
    )


def nothing_was_written() -> bool:
    return not (Profile.objects.exists() or Exposure.objects.exists() or Experiment.objects.exists())


def test_a_file_becomes_profiles_exposures_events_and_a_started_experiment(project, tmp_path):
    run(tmp_path)
    experiment = Experiment.objects.get(key="past")
    assert (experiment.status, experiment.origin) == (Status.RUNNING, "imported")
    assert list(experiment.variants.values_list("key", flat=True)) == ["old", "new"]
    assert dict(Exposure.objects.values_list("unit_id", "variant_index")) == {"1": 0, "2": 1, "3": 1}
    events = Event.objects.order_by("unit_id", "name").values_list("unit_id", "name", "value")
    assert list(events) == [
        ("1", "order", None),
        ("1", "order", None),
        ("1", "spend", 10.5),
        ("2", "refund", None),
        ("3", "order", None),
        ("3", "spend", 3.25),
    ]
    kinds = dict(Metric.objects.values_list("event_name", "kind"))
    assert kinds == {"order": "count", "spend": "sum", "refund": "conversion"}


def test_segments_are_frozen_from_the_imported_attributes(project, tmp_path):
    run(tmp_path)
    version = project.segments.get(key="germans").latest_version
    frozen = dict(Exposure.objects.values_list("unit_id", "segments"))
    assert frozen == {"1": [version.pk], "2": [], "3": [version.pk]}


def test_the_same_file_twice_changes_nothing(project, tmp_path):
    run(tmp_path)
    before = (Event.objects.count(), Exposure.objects.count(), project.audit_entries.count())
    run(tmp_path)
    assert (Event.objects.count(), Exposure.objects.count(), project.audit_entries.count()) == before


def test_profiles_only_stores_profiles_and_no_experiment(project, tmp_path):
    run(tmp_path, ROWS, MAPPING, "profiles_only")
    assert Profile.objects.get(unit_id="2").attributes == {"country": "FR"}
    assert not Experiment.objects.exists()


def test_a_dry_run_writes_nothing(project, tmp_path, capsys):
    run(tmp_path, ROWS, MAPPING, "dry_run")
    assert nothing_was_written()
    assert "3 units in 2 arms" in capsys.readouterr().out


def test_a_missing_column_is_named_with_its_nearest_and_nothing_is_written(project, tmp_path):
    with pytest.raises(CommandError, match=r'no column "arm".*Did you mean arms\?'):
        run(tmp_path, ROWS.replace("arm", "arms"))
    assert nothing_was_written()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (ROWS + "1,old,DE,0,0,0\n", r'Line 5: unit "1" stands already in line 2'),
        (ROWS.replace("3,new,DE,1", "3,new,DE,-1"), r"orders = -1 is not a whole number"),
        (ROWS.replace("old", "older"), r'the control "old" has no row; the arms are: new, older'),
        (ROWS.splitlines()[0] + "\n", r"The file has no rows"),
        (ROWS.replace("2,new", ",new"), r"Line 3: the unit id must have"),
    ],
)
def test_a_bad_row_is_named_and_nothing_is_written(project, tmp_path, rows, message):
    with pytest.raises(CommandError, match=message):
        run(tmp_path, rows)
    assert nothing_was_written()


def test_a_segment_of_behaviour_is_refused_as_a_breakdown(project, tmp_path):
    SegmentFactory(project=project, key="germans-who-buy", rule=BUYERS)
    with pytest.raises(CommandError, match="may have happened after the exposure"):
        run(tmp_path, ROWS, {**MAPPING, "segments": ["germans-who-buy"]})
    assert nothing_was_written()


def test_a_key_of_another_experiment_is_refused(project, tmp_path):
    run(tmp_path)
    with pytest.raises(CommandError, match="Import it under another --key"):
        run(tmp_path, ROWS.replace("new", "newer"))
    assert production_of(project).experiments.count() == 1


def test_an_unknown_segment_says_how_to_get_it(project, tmp_path):
    with pytest.raises(CommandError, match="--profiles-only"):
        run(tmp_path, ROWS, {**MAPPING, "segments": ["nobody"]})
    assert nothing_was_written()


def test_planned_shares_let_the_split_be_tested(project, tmp_path):
    run(tmp_path, ROWS, {**MAPPING, "planned_shares": {"old": 0.4, "new": 0.6}})
    assert Experiment.objects.get().phases.get().shares == {"0": [4000, 6000]}


def test_the_audit_trail_tells_what_was_imported(project, tmp_path):
    run(tmp_path)
    entry = project.audit_entries.get(action="experiment.data_imported")
    assert entry.after == {"profiles": 3, "exposures": 3, "events": 6}
    assert entry.actor != SYSTEM.label
