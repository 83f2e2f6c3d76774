"""Pure: one item of a batch becomes an exposure, or a refusal with its reason."""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from assignments.bucketing import slot_of
from core.strict_json import JsonValue
from events.bodies import Item, Unreadable
from events.items import Refusal, Refused, nearest
from events.values import BadValue, check_unit_id, parse_moment

CLOCK_TOLERANCE = timedelta(hours=24)
MAX_TEXT_CHARS = {"reason_code": 40, "sdk": 60}
FIELDS = frozenset(
    {
        "event_id",
        "experiment",
        "variant",
        "unit_id",
        "target",
        "phase",
        "hash_version",
        "slot",
        "snapshot_version",
        "reason_code",
        "sdk",
        "occurred_at",
        # The rest of an evaluation's metadata, so that an app may pass it on as it came.
        "exposure",
        "facts_unavailable",
    }
)


@dataclass(frozen=True, slots=True)
class ExposableExperiment:
    """What an exposure is checked against. phases: number and start, in order of number."""

    id: int
    public_id: str
    key: str
    salt: str
    unit_type: str
    hash_version: int
    started_at: datetime
    ended_at: datetime | None
    variants: tuple[str, ...]
    targets: tuple[int, ...]
    phases: tuple[tuple[int, datetime], ...]
    override_units: frozenset[str]


@dataclass(frozen=True, slots=True)
class ExposureRow:
    """An exposure ready to be stored."""

    experiment_id: int
    unit_type: str
    unit_id: str
    variant_index: int
    target_position: int
    phase_number: int
    slot: int
    hash_version: int
    snapshot_version: int | None
    reason_code: str
    sdk: str
    event_id: str
    occurred_at: datetime


Experiments = Mapping[str, ExposableExperiment | Refusal]
"""By public id and by key: the experiment, or why it takes no exposures."""


def read_exposure(item: Item, experiments: Experiments, *, now: datetime) -> ExposureRow | Refusal:
    """Check one exposure; its slot is drawn anew, never believed. occurred_at defaults to `now`."""
    try:
        fields = _fields(item)
        experiment = _experiment(fields.get("experiment"), experiments)
        unit_id = check_unit_id(fields.get("unit_id"))
        if unit_id in experiment.override_units:
            raise Refused("override", "This unit has a QA override in this experiment; it is never analysed.")
        occurred_at = _occurred_at(fields.get("occurred_at"), experiment, now)
        _check_hash_version(fields.get("hash_version"), experiment)
        return ExposureRow(
            experiment_id=experiment.id,
            unit_type=experiment.unit_type,
            unit_id=unit_id,
            variant_index=_variant(fields.get("variant"), experiment),
            target_position=_target(fields.get("target"), experiment),
            phase_number=_phase(fields.get("phase"), experiment, occurred_at),
            slot=slot_of("variant", experiment.salt, unit_id),
            hash_version=experiment.hash_version,
            snapshot_version=_whole_number(fields, "snapshot_version"),
            reason_code=_text(fields, "reason_code"),
            sdk=_text(fields, "sdk"),
            event_id=_event_id(fields.get("event_id")),
            occurred_at=occurred_at,
        )
    except Refused as refused:
        return refused.refusal
    except BadValue as error:
        return Refusal("bad_unit", f"{error}.")


def _fields(item: Item) -> dict[str, JsonValue]:
    if isinstance(item, Unreadable):
        raise Refused("malformed_json", item.reason)
    if not isinstance(item, dict):
        raise Refused("bad_item", "An item must be a JSON object.")
    unknown = next((key for key in item if key not in FIELDS), None)
    if unknown is not None:
        raise Refused(
            "unknown_field", f"{unknown[:100]!r} is not a field of an exposure.{nearest(unknown, FIELDS)}"
        )
    return item


def _experiment(name: JsonValue, experiments: Experiments) -> ExposableExperiment:
    if not isinstance(name, str):
        raise Refused("bad_experiment", "experiment is missing: send the key or the id of the experiment.")
    found = experiments.get(name)
    if found is None:
        raise Refused(
            "unknown_experiment",
            f"This environment has no experiment {name[:100]!r}.{nearest(name, frozenset(experiments))}",
        )
    if isinstance(found, Refusal):
        raise Refused(found.code, found.detail)
    return found


def _occurred_at(value: JsonValue, experiment: ExposableExperiment, now: datetime) -> datetime:
    moment = now if value is None else _moment(value)
    if moment > now + CLOCK_TOLERANCE:
        raise Refused(
            "clock_skew", "occurred_at is more than 24 hours in the future. Check the sender's clock."
        )
    if moment < experiment.started_at - CLOCK_TOLERANCE:
        raise Refused(
            "before_start", "occurred_at lies before the start of the experiment. Check the sender's clock."
        )
    if experiment.ended_at and moment > experiment.ended_at:
        raise Refused("after_end", "The experiment had ended by then; later exposures do not count.")
    return moment


def _moment(value: JsonValue) -> datetime:
    if not isinstance(value, str):
        raise Refused("bad_occurred_at", "occurred_at must be text like 2026-11-24T09:30:00Z.")
    try:
        return parse_moment(value)
    except BadValue as error:
        raise Refused("bad_occurred_at", f"occurred_at: {error}.") from error


def _check_hash_version(value: JsonValue, experiment: ExposableExperiment) -> None:
    if value is not None and value != experiment.hash_version:
        raise Refused(
            "wrong_hash_version", f"This experiment is drawn with hash version {experiment.hash_version}."
        )


def _variant(key: JsonValue, experiment: ExposableExperiment) -> int:
    if key not in experiment.variants:
        raise Refused("unknown_variant", f"variant must be one of: {', '.join(experiment.variants)}.")
    return experiment.variants.index(str(key))


def _target(position: JsonValue, experiment: ExposableExperiment) -> int:
    if position is None and len(experiment.targets) == 1:
        return experiment.targets[0]
    if type(position) is not int or position not in experiment.targets:
        known = ", ".join(str(target) for target in experiment.targets)
        raise Refused("unknown_target", f"target must be that of the evaluation's metadata, one of: {known}.")
    return position


def _phase(number: JsonValue, experiment: ExposableExperiment, occurred_at: datetime) -> int:
    known = [phase for phase, _ in experiment.phases]
    if number is None:
        begun = [phase for phase, started_at in experiment.phases if started_at <= occurred_at]
        return begun[-1] if begun else known[0]
    if type(number) is not int or number not in known:
        raise Refused("unknown_phase", "phase must be that of the evaluation's metadata.")
    return number


def _whole_number(fields: Mapping[str, JsonValue], name: str) -> int | None:
    value = fields.get(name)
    if value is None:
        return None
    if type(value) is not int or not 0 <= value < 2**63:
        raise Refused(f"bad_{name}", f"{name} must be a whole number.")
    return value


def _text(fields: Mapping[str, JsonValue], name: str) -> str:
    value = fields.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > MAX_TEXT_CHARS[name] or not value.isprintable():
        raise Refused(
            f"bad_{name}", f"{name} must be a printable text of at most {MAX_TEXT_CHARS[name]} characters."
        )
    return value


_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")


def _event_id(value: JsonValue) -> str:
    if value is None:
        return str(uuid.uuid4())
    if not isinstance(value, str) or not _UUID.fullmatch(value):
        raise Refused("bad_event_id", "event_id must be a UUID like 0f8fad5b-d9cb-469f-a165-70867728950e.")
    return value.lower()
