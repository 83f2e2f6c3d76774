"""Taking in exposures: each item accepted, a duplicate, or refused with its reason."""

import logging
from collections.abc import Sequence
from datetime import datetime

from django.db import DatabaseError, InterfaceError, transaction
from django.db.models import Q
from django.utils import timezone

from accounts.models import Environment
from assignments.document import SegmentConfig
from assignments.evaluation import Evaluation
from assignments.exposure_items import Experiments, ExposableExperiment, ExposureRow, read_exposure
from assignments.exposure_segments import known_segments
from assignments.exposure_storage import Stored, insert_exposures
from assignments.snapshot import segment_configs
from core.strict_json import JsonValue
from events.bodies import Item
from events.ingestion import ACCEPTED, DUPLICATE, REJECTED, ItemResult, letter_for
from events.items import EventRow, Refusal
from events.storage import NO_CONSENT, Letter, insert_batch
from experiments.models import Experiment, Origin, Override, Status

log = logging.getLogger(__name__)

EXPOSURE_EVENT = "$exposure"
SOURCE = "exposure"
_NO_CONSENT = Refusal(
    NO_CONSENT, "The unit's stored consent does not allow experiments; the exposure was not kept."
)


def ingest_exposures(*, environment: Environment, items: Sequence[Item], now: datetime) -> list[ItemResult]:
    """Store a batch of exposures and return the result of each item, in order.

    The first exposure of a unit also becomes a `$exposure` event. When this returns outside a transaction,
    what was accepted is committed.
    """
    found = _experiments(environment, items)
    experiments = _exposable_by_name(environment, found, items)
    readings = [read_exposure(item, experiments, now=now) for item in items]
    rows = [(n, reading) for n, reading in enumerate(readings) if isinstance(reading, ExposureRow)]
    refused = [(items[n], reading) for n, reading in enumerate(readings) if isinstance(reading, Refusal)]
    letters = [letter_for(SOURCE, item, refusal) for item, refusal in refused]
    with transaction.atomic():
        stored = Stored(frozenset(), frozenset())
        if rows:
            stored = insert_exposures(
                environment_id=environment.pk,
                rows=rows,
                known=known_segments(environment.pk, rows, _pinned_segments(found)),
                consent_required=environment.project.consent_required,
            )
        # Nothing of a unit that did not consent is kept, not even in its dead letter.
        letters += [Letter(SOURCE, _NO_CONSENT.code, _NO_CONSENT.detail, b"") for _ in stored.unconsented]
        events = _events([row for n, row in rows if n in stored.first], experiments)
        if events or letters:
            insert_batch(environment_id=environment.pk, rows=events, letters=letters, check_consent=False)
    return [_result(n, reading, stored) for n, reading in enumerate(readings)]


def record_evaluation(environment_id: int, unit_id: str, evaluation: Evaluation) -> None:
    """Count an evaluation as an exposure, for a flag set so. A failure is logged: the app gets its answer."""
    item: Item = {
        "experiment": evaluation.experiment,
        "variant": evaluation.variant,
        "unit_id": unit_id,
        "target": evaluation.target,
        "phase": evaluation.phase,
        "reason_code": evaluation.reason_code,
        "sdk": "ofrep",
    }
    try:
        environment = Environment.objects.select_related("project").get(pk=environment_id)
        ingest_exposures(environment=environment, items=[item], now=timezone.now())
    except (DatabaseError, InterfaceError) as error:
        log.error("an exposure of %s was not stored: %s", evaluation.experiment, error)


def _experiments(environment: Environment, items: Sequence[Item]) -> list[Experiment]:
    """Return the experiments that the items name by public id or key, with all an exposure is checked against."""
    names = {
        name for item in items if isinstance(item, dict) and isinstance(name := item.get("experiment"), str)
    }
    return list(
        Experiment.objects.filter(
            Q(public_id__in=names) | Q(key__in=names), environment=environment
        ).prefetch_related("variants", "phases", "targets__segment_version", "breakdowns__segment_version")
    )


def _exposable_by_name(
    environment: Environment, found: Sequence[Experiment], items: Sequence[Item]
) -> Experiments:
    units = {
        unit for item in items if isinstance(item, dict) and isinstance(unit := item.get("unit_id"), str)
    }
    overrides: dict[int, set[str]] = {}
    for override in Override.objects.filter(experiment__environment=environment, unit_id__in=units):
        overrides.setdefault(override.experiment_id, set()).add(override.unit_id)
    by_name: dict[str, ExposableExperiment | Refusal] = {}
    for experiment in found:
        known = _exposable(experiment, frozenset(overrides.get(experiment.pk, ())))
        by_name[experiment.public_id] = by_name[experiment.key] = known
    return by_name


def _pinned_segments(found: Sequence[Experiment]) -> dict[int, list[SegmentConfig]]:
    """Return the segments of each experiment's targets and breakdowns, made ready to be decided."""
    pinned = {
        experiment.pk: [
            *(target.segment_version for target in experiment.targets.all() if target.segment_version),
            *(breakdown.segment_version for breakdown in experiment.breakdowns.all()),
        ]
        for experiment in found
    }
    ready = segment_configs(version for versions in pinned.values() for version in versions)
    return {pk: [ready[version.pk] for version in versions] for pk, versions in pinned.items()}


def _exposable(experiment: Experiment, override_units: frozenset[str]) -> ExposableExperiment | Refusal:
    if experiment.origin != Origin.STRATA:
        return Refusal(
            "assigned_elsewhere", "This experiment was assigned elsewhere; its exposures are imported."
        )
    if experiment.status == Status.ARCHIVED:
        return Refusal("experiment_archived", "This experiment is archived; it takes no more exposures.")
    phases = tuple((phase.number, phase.started_at) for phase in experiment.phases.all())
    if experiment.started_at is None or not phases:
        return Refusal("experiment_not_started", "This experiment has not started; nobody can have met it.")
    return ExposableExperiment(
        id=experiment.pk,
        public_id=experiment.public_id,
        key=experiment.key,
        salt=experiment.salt,
        unit_type=experiment.unit_type,
        hash_version=experiment.hash_version,
        started_at=experiment.started_at,
        ended_at=experiment.ended_at,
        variants=tuple(variant.key for variant in experiment.variants.all()),
        targets=tuple(target.position for target in experiment.targets.all()),
        phases=phases,
        override_units=override_units,
    )


def _events(rows: Sequence[ExposureRow], experiments: Experiments) -> list[EventRow]:
    """Return one event for each exposure; of two with one id the first counts."""
    known = {e.id: e for e in experiments.values() if isinstance(e, ExposableExperiment)}
    events: dict[str, EventRow] = {}
    for row in rows:
        experiment = known[row.experiment_id]
        properties: dict[str, JsonValue] = {
            "experiment": experiment.public_id,
            "variant": experiment.variants[row.variant_index],
            "target": row.target_position,
        }
        event = EventRow(
            row.event_id, row.unit_type, row.unit_id, EXPOSURE_EVENT, row.occurred_at, None, properties
        )
        events.setdefault(row.event_id, event)
    return list(events.values())


def _result(index: int, reading: ExposureRow | Refusal, stored: Stored) -> ItemResult:
    if isinstance(reading, Refusal):
        return ItemResult(index, REJECTED, refusal=reading)
    if index in stored.unconsented:
        return ItemResult(index, REJECTED, reading.event_id, refusal=_NO_CONSENT)
    return ItemResult(index, ACCEPTED if index in stored.first else DUPLICATE, reading.event_id)
