"""The disk form of a snapshot: equal after a round trip, refused when damaged."""

from typing import Any

import orjson
import pytest

from assignments.document import (
    KeyConfig,
    OverrideConfig,
    RolloutConfig,
    SegmentConfig,
    SlotRanges,
    Snapshot,
    VariantConfig,
)
from assignments.document_json import UnreadableSnapshot, dump_snapshot, load_snapshot
from tests.assignments.configs import IN_GERMANY, ask, experiment, flag, target


@pytest.fixture
def snapshot() -> Snapshot:
    full = experiment(
        targets=(target(0, segment=IN_GERMANY, share_bp=700), target(1, segment=SegmentConfig(9)), target(2)),
        layer=SlotRanges("l", ((0, 100), (200, 300))),
        holdout=SlotRanges("h", ((0, 500),)),
        breakdowns=(3, 4),
    )
    flags = {
        "checkout": flag(
            full, overrides={"qa": OverrideConfig("exp_checkout", VariantConfig("treatment", True))}
        ),
        "ratio": flag(
            key="ratio", type="float", default=1.0, rollouts=(RolloutConfig(None, VariantConfig("b", 2.0)),)
        ),
        "theme": flag(key="theme", type="object", default={"colour": ["é", None]}, auto_exposure=True),
    }
    return Snapshot(
        1, 2, "production", 17, flags, {"ab" * 32: KeyConfig("key_1", "sdk_server", ("https://a.b",))}
    )


def test_a_round_trip_through_bytes_gives_an_equal_snapshot(snapshot: Snapshot) -> None:
    again = load_snapshot(orjson.loads(orjson.dumps(dump_snapshot(snapshot))))
    assert again == snapshot
    assert type(again.flags["ratio"].default) is float
    asked = {"country": "DE"}
    assert ask(again.flags["checkout"], "u5", asked) == ask(snapshot.flags["checkout"], "u5", asked)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data.update(format=2),
        lambda data: data.pop("flags"),
        lambda data: data.update(flags=[{}]),
        lambda data: data["flags"][0].update(experiment={"id": 1}),
        lambda data: data["flags"][0]["experiment"]["targets"][0].update(allocation=[[5, 0]]),
        lambda data: data["flags"][0]["experiment"]["targets"][0]["segment"].update(rule={"odd": 1}),
    ],
)
def test_a_damaged_snapshot_is_refused(snapshot: Snapshot, damage: Any) -> None:
    data = orjson.loads(orjson.dumps(dump_snapshot(snapshot)))
    damage(data)
    with pytest.raises(UnreadableSnapshot):
        load_snapshot(data)


def test_a_segment_version_frozen_at_exposure_is_of_a_target_or_a_breakdown(snapshot: Snapshot) -> None:
    found = snapshot.experiment("checkout")
    assert found is not None
    assert found.segment_versions == (3, 4, 7, 9)
    assert snapshot.experiment("exp_checkout") is found
    assert snapshot.experiment("exp_other") is None
