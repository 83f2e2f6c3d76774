"""Experiments that were randomised outside Strata: described and analysed here, never served."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db import transaction

from accounts.audit import Actor
from accounts.models import Environment, User
from experiments.allocation import validate_weights
from experiments.documents import description_document, status_document
from experiments.lifecycle import Step, next_status
from experiments.models import Experiment, FlagType, Origin, Phase
from experiments.services.changes import lock_experiment, note_change
from experiments.services.drafts import free_key, save_new
from experiments.services.flags import create_flag
from experiments.services.inputs import TargetInput, VariantInput
from experiments.services.lifecycle import require_launchable
from experiments.services.membership import watch_segments
from experiments.services.setup import store_targets
from experiments.services.variants import check_variants


@transaction.atomic
def create_imported_experiment(
    *,
    environment: Environment,
    name: str,
    hypothesis: str,
    variants: Sequence[str],
    actor: Actor,
    names: Mapping[str, str] | None = None,
    key: str = "",
    unit_type: str = "user",
    owner: User | None = None,
    note: str = "",
) -> Experiment:
    """Make the draft of an experiment that was assigned elsewhere; `variants` are the keys of its arms,
    control first; `names` gives them names.

    It gets a flag of its own that stays switched off. Give it metrics, breakdowns and a plan as any draft,
    then call `start_imported_experiment`.
    """
    arms = check_variants(
        [VariantInput(arm, arm, (names or {}).get(arm, "")) for arm in variants], FlagType.STRING
    )
    key = key or free_key(environment, name)
    flag = create_flag(
        project=environment.project,
        key=f"imported.{key}",
        type=FlagType.STRING,
        name=name,
        description="Belongs to an imported experiment; it is never served.",
        default_value=arms[0].value,
        enabled=False,
        actor=actor,
    )
    experiment = Experiment(
        project=environment.project,
        environment=environment,
        flag=flag,
        key=key,
        name=name,
        hypothesis=hypothesis,
        unit_type=unit_type,
        origin=Origin.IMPORTED,
        owner=owner or actor.user,
        note=note,
    )
    save_new(experiment, arms)
    store_targets(experiment, [TargetInput()])
    note_change(
        experiment,
        actor=actor,
        action="experiment.imported",
        before=None,
        after={
            **description_document(experiment),
            "environment": environment.slug,
            "variants": list(variants),
        },
    )
    return experiment


@transaction.atomic
def start_imported_experiment(
    *,
    experiment: Experiment,
    started_at: datetime,
    actor: Actor,
    ended_at: datetime | None = None,
    planned_weights_bp: Sequence[int] | None = None,
) -> Experiment:
    """Declare when it ran, so that it can be analysed; no slot is opened and nothing is published.

    `planned_weights_bp` is the split that was intended: phase 1 carries it for the test of the split.
    None: it is not known, phase 1 has no shares, and the split cannot be tested.
    Raises LaunchBlocked with every blocker of the launch check.
    """
    lock_experiment(experiment)
    status = next_status(experiment.status, Step.START)
    if planned_weights_bp is not None:
        validate_weights(planned_weights_bp)
        experiment.targets.update(weights_bp=list(planned_weights_bp))
    require_launchable(experiment)
    before = status_document(experiment)
    shares = {} if planned_weights_bp is None else {"0": list(planned_weights_bp)}
    Phase.objects.create(
        experiment=experiment, number=1, started_at=started_at, shares=shares, reason="Import"
    )
    watch_segments(experiment)
    experiment.status = status
    experiment.started_at = started_at
    experiment.ended_at = ended_at
    experiment.save(update_fields=["status", "started_at", "ended_at"])
    note_change(
        experiment,
        actor=actor,
        action="experiment.started",
        before=before,
        after={**status_document(experiment), "started_at": started_at.isoformat(), "shares": shares},
    )
    return experiment
