"""Which value a flag has for a unit, and why. Pure: no clock, no I/O, no randomness; never raises.

The order of the steps and their reason codes is DESIGN.md §3.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from assignments.bucketing import HASH_VERSION, slot_of
from assignments.document import ExperimentConfig, FlagConfig, SegmentConfig, SlotRanges, VariantConfig
from core.strict_json import JsonValue
from experiments.allocation import CLOSED
from segments.rules import Profile
from segments.rules.matching import refuse_segments

MAX_UNIT_ID_BYTES = 256
CONSENT_KEY = "consent"

Reason = Literal["STATIC", "TARGETING_MATCH", "SPLIT", "DEFAULT", "DISABLED", "ERROR"]
ErrorCode = Literal["FLAG_NOT_FOUND", "TARGETING_KEY_MISSING", "INVALID_CONTEXT", "GENERAL"]
ReasonCode = Literal[
    "flag_not_found",
    "flag_disabled",
    "override",
    "no_experiment",
    "consent_missing",
    "holdout",
    "unit_id_missing",
    "unit_id_too_long",
    "outside_layer",
    "already_exposed",
    "no_target_matches",
    "slot_closed",
    "assigned",
    "experiment_paused",
    "rollout",
    "evaluation_failed",
]


@dataclass(frozen=True, slots=True)
class FirstExposure:
    variant_index: int
    target: int
    phase: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What is stored of one unit: profile, open memberships (segment versions), exposures by experiment."""

    attributes: Mapping[str, JsonValue] = field(default_factory=dict)
    consent: Mapping[str, JsonValue] = field(default_factory=dict)
    memberships: frozenset[int] = frozenset()
    exposures: Mapping[int, FirstExposure] = field(default_factory=dict)


NO_FACTS = Facts()


@dataclass(frozen=True, slots=True)
class Evaluation:
    """An answer with its reason. `exposure`: a unit that is really shown this value is to be logged."""

    value: JsonValue
    reason: Reason
    reason_code: ReasonCode
    variant: str | None = None
    error_code: ErrorCode | None = None
    error_details: str = ""
    experiment: str | None = None
    target: int | None = None
    phase: int | None = None
    slot: int | None = None
    hash_version: int | None = None
    exposure: bool = False


@dataclass(frozen=True, slots=True)
class _Unit:
    id: str | None
    context: Mapping[str, JsonValue]
    facts: Facts
    now: datetime

    def is_in(self, segment: SegmentConfig | None) -> bool:
        if segment is None:
            return True
        if segment.predicate is None:
            return segment.version_id in self.facts.memberships
        stored = self.facts.attributes
        profile = Profile(attributes={**stored, **self.context} if stored else self.context)
        return segment.predicate(profile, self.now, refuse_segments)


def evaluate(
    flag: FlagConfig | None,
    *,
    unit_id: str | None,
    context: Mapping[str, JsonValue],
    facts: Facts,
    now: datetime,
) -> Evaluation:
    """Answer a flag for a unit; anything unexpected gives the default value with an error.

    context: attributes sent with the call, which go before the stored ones; its `consent` (true, false or
    `{"experiments": true}`) is the consent of the call. now: only for rules that speak of the current time.
    """
    if flag is None:
        return Evaluation(
            None,
            "ERROR",
            "flag_not_found",
            error_code="FLAG_NOT_FOUND",
            error_details="There is no such flag.",
        )
    try:
        return _evaluate(flag, _Unit(unit_id, context, facts, now))
    except Exception as error:
        return _failed(
            flag, "GENERAL", "evaluation_failed", f"Evaluation failed: {type(error).__name__}: {error}"
        )


def facts_needed(flags: Iterable[FlagConfig], *, context: Mapping[str, JsonValue]) -> frozenset[str]:
    """Return the unit types whose stored facts can change an answer; empty when the call says it all."""
    needed: set[str] = set()
    consent = call_consent(context)
    for flag in flags:
        if flag.enabled and (
            (flag.experiment and consent is not False and _needs_facts(flag.experiment, context))
            or any(_segment_needs_facts(rollout.segment, context) for rollout in flag.rollouts)
        ):
            needed.add(flag.unit_type)
    return frozenset(needed)


def call_consent(context: Mapping[str, JsonValue]) -> bool | None:
    """Return the consent to experiments that the call carries, None when it carries none."""
    consent = context.get(CONSENT_KEY)
    if isinstance(consent, dict):
        consent = consent.get("experiments")
    return None if consent is None else consent is True


def _evaluate(flag: FlagConfig, unit: _Unit) -> Evaluation:
    if not flag.enabled:
        return Evaluation(flag.default, "DISABLED", "flag_disabled")
    override = flag.overrides.get(unit.id) if unit.id else None
    if override:
        variant = override.variant
        return Evaluation(
            variant.value, "TARGETING_MATCH", "override", variant.key, experiment=override.experiment
        )
    outcome = _assign(flag, flag.experiment, unit) if flag.experiment else "no_experiment"
    return outcome if isinstance(outcome, Evaluation) else _without_experiment(flag, unit, outcome)


def _assign(flag: FlagConfig, experiment: ExperimentConfig, unit: _Unit) -> Evaluation | ReasonCode:
    """Return the variant's evaluation, or the reason why the experiment does not take this unit."""
    consent = call_consent(unit.context)
    if consent is False:
        return "consent_missing"
    if not unit.id:
        return _failed(
            flag, "TARGETING_KEY_MISSING", "unit_id_missing", "Send targetingKey: this flag is randomised."
        )
    if len(unit.id.encode()) > MAX_UNIT_ID_BYTES:
        return _failed(
            flag,
            "INVALID_CONTEXT",
            "unit_id_too_long",
            f"targetingKey is longer than {MAX_UNIT_ID_BYTES} bytes.",
        )
    if experiment.consent_required and unit.facts.consent.get("experiments") is not True:
        return "consent_missing"
    if experiment.holdout and _owns("holdout", experiment.holdout, unit.id):
        return "holdout"
    if experiment.layer and not _owns("layer", experiment.layer, unit.id):
        return "outside_layer"
    slot = slot_of("variant", experiment.salt, unit.id)
    met = unit.facts.exposures.get(experiment.id) if experiment.frozen else None
    if met and met.variant_index < len(experiment.variants):
        return _serve(experiment, met, "already_exposed", slot)
    target = next((t for t in experiment.targets if unit.is_in(t.segment)), None)
    if target is None:
        return "no_target_matches"
    index = target.allocation.lookup(slot)
    if index == CLOSED:
        return "slot_closed"
    return _serve(experiment, FirstExposure(index, target.position, experiment.phase), "assigned", slot)


def _owns(purpose: Literal["holdout", "layer"], part: SlotRanges, unit_id: str) -> bool:
    return part.contains(slot_of(purpose, part.salt, unit_id))


def _serve(
    experiment: ExperimentConfig, met: FirstExposure, reason_code: ReasonCode, slot: int
) -> Evaluation:
    if experiment.paused:
        control = experiment.variants[0]
        return Evaluation(
            control.value,
            "TARGETING_MATCH",
            "experiment_paused",
            control.key,
            experiment=experiment.public_id,
        )
    variant = experiment.variants[met.variant_index]
    return Evaluation(
        variant.value,
        "SPLIT",
        reason_code,
        variant.key,
        experiment=experiment.public_id,
        target=met.target,
        phase=met.phase,
        slot=slot,
        hash_version=HASH_VERSION,
        exposure=True,
    )


def _without_experiment(flag: FlagConfig, unit: _Unit, reason_code: ReasonCode) -> Evaluation:
    for rollout in flag.rollouts:
        if unit.is_in(rollout.segment):
            variant: VariantConfig = rollout.variant
            return Evaluation(variant.value, "TARGETING_MATCH", "rollout", variant.key)
    return Evaluation(flag.default, "STATIC" if reason_code == "no_experiment" else "DEFAULT", reason_code)


def _failed(flag: FlagConfig, error_code: ErrorCode, reason_code: ReasonCode, details: str) -> Evaluation:
    return Evaluation(flag.default, "ERROR", reason_code, error_code=error_code, error_details=details)


def _needs_facts(experiment: ExperimentConfig, context: Mapping[str, JsonValue]) -> bool:
    return (
        experiment.frozen
        or experiment.consent_required
        or any(_segment_needs_facts(target.segment, context) for target in experiment.targets)
    )


def _segment_needs_facts(segment: SegmentConfig | None, context: Mapping[str, JsonValue]) -> bool:
    if segment is None:
        return False
    return segment.predicate is None or not segment.attributes <= context.keys()
