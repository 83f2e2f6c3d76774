"""The compiled configuration as JSON and back: the disk snapshot of a server."""

from collections.abc import Mapping
from typing import Any

from assignments.document import (
    ExperimentConfig,
    FlagConfig,
    KeyConfig,
    OverrideConfig,
    RolloutConfig,
    SegmentConfig,
    SlotRanges,
    Snapshot,
    TargetConfig,
    VariantConfig,
)
from core.errors import DomainError
from core.strict_json import JsonValue
from experiments.allocation import parse_allocation
from segments.rules import compile_rule, parse, references

FORMAT = 1


class UnreadableSnapshot(DomainError):
    """A stored snapshot is damaged, or of a format this code does not know."""

    code = "unreadable_snapshot"


def live_segment(version_id: int, rule: JsonValue) -> SegmentConfig:
    """Make a segment ready that attributes alone decide. Raises InvalidRule when the rule is malformed."""
    tree = parse(rule)
    return SegmentConfig(version_id, rule, frozenset(references(tree).attributes), compile_rule(tree))


def dump_snapshot(snapshot: Snapshot) -> dict[str, Any]:
    """Return plain JSON values that `load_snapshot` reads back to an equal snapshot."""
    return {
        "format": FORMAT,
        "environment_id": snapshot.environment_id,
        "project_id": snapshot.project_id,
        "environment": snapshot.environment,
        "revision": snapshot.revision,
        "flags": [_dump_flag(flag) for flag in snapshot.flags.values()],
        "keys": {
            digest: {"id": key.public_id, "kind": key.kind, "origins": list(key.allowed_origins)}
            for digest, key in snapshot.keys.items()
        },
    }


def load_snapshot(data: Mapping[str, Any]) -> Snapshot:
    """Read what `dump_snapshot` wrote. Raises UnreadableSnapshot for anything else."""
    if data.get("format") != FORMAT:
        raise UnreadableSnapshot(
            f"Snapshot format {data.get('format')!r} is unknown; this code reads {FORMAT}."
        )
    try:
        flags = [_load_flag(flag) for flag in data["flags"]]
        return Snapshot(
            environment_id=data["environment_id"],
            project_id=data["project_id"],
            environment=data["environment"],
            revision=data["revision"],
            flags={flag.key: flag for flag in flags},
            keys={
                digest: KeyConfig(key["id"], key["kind"], tuple(key["origins"]))
                for digest, key in data["keys"].items()
            },
        )
    except (DomainError, KeyError, TypeError, ValueError) as error:
        raise UnreadableSnapshot(f"The snapshot is damaged: {type(error).__name__}: {error}") from error


def _dump_flag(flag: FlagConfig) -> dict[str, Any]:
    return {
        "key": flag.key,
        "type": flag.type,
        "enabled": flag.enabled,
        "default": flag.default,
        "auto_exposure": flag.auto_exposure,
        "experiment": _dump_experiment(flag.experiment) if flag.experiment else None,
        "overrides": {
            unit_id: {"experiment": override.experiment, "variant": _dump_variant(override.variant)}
            for unit_id, override in flag.overrides.items()
        },
        "rollouts": [
            {"segment": _dump_segment(rollout.segment), "variant": _dump_variant(rollout.variant)}
            for rollout in flag.rollouts
        ],
    }


def _load_flag(data: Mapping[str, Any]) -> FlagConfig:
    return FlagConfig(
        key=data["key"],
        type=data["type"],
        enabled=data["enabled"],
        default=data["default"],
        auto_exposure=data["auto_exposure"],
        experiment=_load_experiment(data["experiment"]) if data["experiment"] else None,
        overrides={
            unit_id: OverrideConfig(override["experiment"], _load_variant(override["variant"]))
            for unit_id, override in data["overrides"].items()
        },
        rollouts=tuple(
            RolloutConfig(_load_segment(rollout["segment"]), _load_variant(rollout["variant"]))
            for rollout in data["rollouts"]
        ),
    )


def _dump_experiment(experiment: ExperimentConfig) -> dict[str, Any]:
    return {
        "id": experiment.id,
        "public_id": experiment.public_id,
        "key": experiment.key,
        "salt": experiment.salt,
        "unit_type": experiment.unit_type,
        "hash_version": experiment.hash_version,
        "paused": experiment.paused,
        "frozen": experiment.frozen,
        "phase": experiment.phase,
        "variants": [_dump_variant(variant) for variant in experiment.variants],
        "targets": [
            {
                "position": target.position,
                "segment": _dump_segment(target.segment),
                "allocation": target.allocation.to_json(),
            }
            for target in experiment.targets
        ],
        "layer": _dump_ranges(experiment.layer),
        "holdout": _dump_ranges(experiment.holdout),
        "consent_required": experiment.consent_required,
        "breakdowns": list(experiment.breakdowns),
    }


def _load_experiment(data: Mapping[str, Any]) -> ExperimentConfig:
    variants = tuple(_load_variant(variant) for variant in data["variants"])
    return ExperimentConfig(
        id=data["id"],
        public_id=data["public_id"],
        key=data["key"],
        salt=data["salt"],
        unit_type=data["unit_type"],
        hash_version=data["hash_version"],
        paused=data["paused"],
        frozen=data["frozen"],
        phase=data["phase"],
        variants=variants,
        targets=tuple(
            TargetConfig(
                position=target["position"],
                segment=_load_segment(target["segment"]),
                allocation=parse_allocation(target["allocation"], variants=len(variants)),
            )
            for target in data["targets"]
        ),
        layer=_load_ranges(data["layer"]),
        holdout=_load_ranges(data["holdout"]),
        consent_required=data["consent_required"],
        breakdowns=tuple(data["breakdowns"]),
    )


def _dump_variant(variant: VariantConfig) -> dict[str, Any]:
    return {"key": variant.key, "value": variant.value}


def _load_variant(data: Mapping[str, Any]) -> VariantConfig:
    return VariantConfig(data["key"], data["value"])


def _dump_segment(segment: SegmentConfig | None) -> dict[str, Any] | None:
    return {"version": segment.version_id, "rule": segment.rule} if segment else None


def _load_segment(data: Mapping[str, Any] | None) -> SegmentConfig | None:
    if data is None:
        return None
    return (
        SegmentConfig(data["version"])
        if data["rule"] is None
        else live_segment(data["version"], data["rule"])
    )


def _dump_ranges(part: SlotRanges | None) -> dict[str, Any] | None:
    return {"salt": part.salt, "ranges": [list(pair) for pair in part.ranges]} if part else None


def _load_ranges(data: Mapping[str, Any] | None) -> SlotRanges | None:
    return SlotRanges(data["salt"], tuple((start, end) for start, end in data["ranges"])) if data else None
