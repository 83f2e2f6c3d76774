"""Bring in an experiment that was randomised elsewhere: profiles, exposures with their arm, outcomes as events.

One transaction: everything or nothing. Event ids are derived from the experiment and the unit, so the same
file twice changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction

from accounts.audit import Actor, record
from accounts.models import Environment, Project
from assignments.import_mapping import ImportMapping
from assignments.import_rows import UnitRows
from assignments.import_setup import UNIT_TYPE, Description, create_from
from assignments.import_storage import freeze_segments, outcome_events, store_exposures
from core.errors import Conflict
from events.items import ProfileChange
from events.models import Attribute, Subject
from events.profiles import merge_profiles
from events.registry import register_attribute
from events.storage import copy_batch
from experiments.models import Experiment, Origin


@dataclass(frozen=True)
class Imported:
    """What an import added; all zero when the same file came a second time."""

    experiment: Experiment
    profiles: int
    exposures: int
    events: int


@transaction.atomic
def import_profiles(*, environment: Environment, mapping: ImportMapping, rows: UnitRows, actor: Actor) -> int:
    """Register the mapped attributes and store the profiles; return how many were made or changed.

    Segments can then be built on them before the experiment itself is imported.
    """
    _register(environment.project, mapping, actor)
    statuses = merge_profiles(
        environment=environment,
        changes=[ProfileChange(UNIT_TYPE, row.unit_id, row.attributes, {}) for row in rows.rows],
        first_seen_at=min(row.exposed_at for row in rows.rows),
    )
    return sum(status != "unchanged" for status in statuses.values())


@transaction.atomic
def import_experiment(
    *, environment: Environment, mapping: ImportMapping, rows: UnitRows, about: Description, actor: Actor
) -> Imported:
    """Store profiles, exposures and outcomes, and make the experiment ready to be analysed.

    Raises Conflict when the key belongs to an experiment that Strata assigned or whose arms differ.
    """
    profiles = import_profiles(environment=environment, mapping=mapping, rows=rows, actor=actor)
    experiment = _existing(environment, about.key, rows.variants)
    fresh = experiment is None
    if experiment is None:
        experiment = create_from(environment, mapping, rows, about, actor)
    exposures = store_exposures(experiment, rows)
    events, _ = copy_batch(
        environment_id=environment.pk, rows=outcome_events(experiment, mapping.outcomes, rows.rows)
    )
    if fresh or exposures:
        freeze_segments(experiment)
        record(
            project=environment.project,
            actor=actor,
            action="experiment.data_imported",
            target=experiment,
            after={"profiles": profiles, "exposures": exposures, "events": events},
        )
    return Imported(experiment, profiles, exposures, events)


def _register(project: Project, mapping: ImportMapping, actor: Actor) -> None:
    known = dict(
        Attribute.objects.filter(project=project, subject=Subject.PROFILE).values_list("key", "type")
    )
    for column in mapping.attributes:
        if column.key not in known:
            register_attribute(
                project=project,
                key=column.key,
                value_type=column.type,
                purpose=column.purpose,
                description=column.description,
                actor=actor,
            )
        elif known[column.key] != column.type:
            raise Conflict(
                f"Attribute {column.key} is registered as {known[column.key]}; the mapping says {column.type}. "
                "Change the mapping, or map the column to another key.",
                pointer=f"/attributes/{column.key}/type",
            )


def _existing(environment: Environment, key: str, variants: Sequence[str]) -> Experiment | None:
    experiment = Experiment.objects.filter(project=environment.project, key=key).first()
    if experiment is None:
        return None
    if experiment.origin != Origin.IMPORTED or experiment.environment_id != environment.pk:
        raise Conflict(f"The key {key} belongs to another experiment of this project. Choose another --key.")
    arms = tuple(experiment.variants.order_by("index").values_list("key", flat=True))
    if set(variants) - set(arms):
        raise Conflict(
            f"Experiment {key} has the arms {', '.join(arms)}; the file has {', '.join(variants)}. "
            "Import it under another --key."
        )
    return experiment
