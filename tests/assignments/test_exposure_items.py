"""One exposure, checked: what is taken, what is filled in, what is refused and why."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from assignments.bucketing import slot_of
from assignments.exposure_items import ExposableExperiment, ExposureRow, read_exposure
from events.items import Refusal

START = datetime(2026, 3, 1, tzinfo=UTC)
NOW = START + timedelta(days=10)
EXPERIMENT = ExposableExperiment(
    id=7,
    public_id="exp_a",
    key="checkout",
    salt="salt",
    unit_type="user",
    hash_version=1,
    started_at=START,
    ended_at=START + timedelta(days=20),
    variants=("control", "treatment"),
    targets=(0,),
    phases=((1, START), (2, START + timedelta(days=5))),
    override_units=frozenset({"tester"}),
)
TWO_TARGETS = ExposableExperiment(
    **{**{f: getattr(EXPERIMENT, f) for f in EXPERIMENT.__slots__}, "targets": (0, 1)}
)
KNOWN = {
    "exp_a": EXPERIMENT,
    "checkout": EXPERIMENT,
    "two": TWO_TARGETS,
    "draft": Refusal("experiment_not_started", "Not started."),
}
GOOD = {"experiment": "checkout", "variant": "treatment", "unit_id": "u1"}


def read(**changes: Any) -> ExposureRow | Refusal:
    return read_exposure({**GOOD, **changes}, KNOWN, now=NOW)


def test_the_least_that_can_be_sent_is_filled_in() -> None:
    row = read()
    assert isinstance(row, ExposureRow)
    assert (row.experiment_id, row.variant_index, row.target_position, row.phase_number) == (7, 1, 0, 2)
    assert (row.occurred_at, row.unit_type, row.hash_version) == (NOW, "user", 1)
    assert len(row.event_id) == 36


def test_the_metadata_of_an_evaluation_is_taken_but_the_slot_is_drawn_anew() -> None:
    row = read(
        event_id="0F8FAD5B-D9CB-469F-A165-70867728950E",
        target=0,
        phase=1,
        slot=3,
        hash_version=1,
        snapshot_version=12,
        reason_code="assigned",
        sdk="python 0.1",
        occurred_at="2026-03-02T10:00:00Z",
    )
    assert isinstance(row, ExposureRow)
    assert row.slot == slot_of("variant", "salt", "u1") != 3
    assert (row.phase_number, row.snapshot_version, row.reason_code, row.sdk) == (
        1,
        12,
        "assigned",
        "python 0.1",
    )
    assert row.event_id == "0f8fad5b-d9cb-469f-a165-70867728950e"
    assert row.occurred_at == datetime(2026, 3, 2, 10, tzinfo=UTC)


def test_the_phase_is_that_of_the_time_of_exposure() -> None:
    early = read(occurred_at="2026-03-02T00:00:00Z")
    assert isinstance(early, ExposureRow)
    assert early.phase_number == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"experiment": None}, "bad_experiment"),
        ({"experiment": "chekout"}, "unknown_experiment"),
        ({"experiment": "draft"}, "experiment_not_started"),
        ({"variant": "b"}, "unknown_variant"),
        ({"variant": None}, "unknown_variant"),
        ({"variant": ["control"]}, "unknown_variant"),
        ({"unit_id": ""}, "bad_unit"),
        ({"unit_id": 3}, "bad_unit"),
        ({"unit_id": "x" * 257}, "bad_unit"),
        ({"unit_id": "tester"}, "override"),
        ({"target": 1}, "unknown_target"),
        ({"target": True}, "unknown_target"),
        ({"experiment": "two"}, "unknown_target"),
        ({"phase": 3}, "unknown_phase"),
        ({"phase": "1"}, "unknown_phase"),
        ({"hash_version": 2}, "wrong_hash_version"),
        ({"snapshot_version": -1}, "bad_snapshot_version"),
        ({"snapshot_version": 2**63}, "bad_snapshot_version"),
        ({"reason_code": "x" * 41}, "bad_reason_code"),
        ({"sdk": "a\nb"}, "bad_sdk"),
        ({"event_id": "nope"}, "bad_event_id"),
        ({"event_id": 1}, "bad_event_id"),
        ({"occurred_at": 12}, "bad_occurred_at"),
        ({"occurred_at": "yesterday"}, "bad_occurred_at"),
        ({"occurred_at": "2026-03-12T00:00:01Z"}, "clock_skew"),
        ({"occurred_at": "2026-02-27T00:00:00Z"}, "before_start"),
        ({"occured_at": "2026-03-02T00:00:00Z"}, "unknown_field"),
    ],
)
def test_a_bad_item_is_refused_with_its_reason(changes: dict[str, Any], code: str) -> None:
    refusal = read(**changes)
    assert isinstance(refusal, Refusal)
    assert refusal.code == code
    assert refusal.detail


def test_after_the_end_nothing_counts() -> None:
    refusal = read_exposure(
        {**GOOD, "occurred_at": "2026-03-21T00:00:01Z"}, KNOWN, now=START + timedelta(days=30)
    )
    assert isinstance(refusal, Refusal)
    assert refusal.code == "after_end"


def test_a_misspelt_name_is_answered_with_its_neighbour() -> None:
    refusal = read(experiment="chekout")
    assert isinstance(refusal, Refusal)
    assert "Did you mean checkout?" in refusal.detail


@pytest.mark.parametrize("item", [None, 3, "x", []])
def test_an_item_that_is_no_object_is_refused(item: Any) -> None:
    refusal = read_exposure(item, KNOWN, now=NOW)
    assert isinstance(refusal, Refusal)
    assert refusal.code == "bad_item"
