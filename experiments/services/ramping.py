"""Opening more traffic of an experiment that runs, without moving anybody."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from accounts.audit import Actor
from core.errors import Conflict, NotFound
from experiments.allocation import SLOTS, open_slots, parse_allocation, require_append_only
from experiments.documents import targets_document
from experiments.models import Experiment, Origin, Phase, Target
from experiments.queries import LIVE
from experiments.services.changes import bump_config, lock_experiment, note_change
from experiments.splits import RampEffect, plan_ramp


def ramp_effect(
    target: Target, *, share_bp: int | None = None, weights_bp: Sequence[int] | None = None
) -> RampEffect:
    """Return what a change of a target's share or weights would do; what is left out stays as it is.

    Raises RampRefused, AllocationCannotShrink or InvalidWeights with the way out.
    """
    weights = target.weights_bp if weights_bp is None else weights_bp
    return plan_ramp(
        parse_allocation(target.allocation, variants=len(target.weights_bp)),
        weights_bp=weights,
        share_bp=target.share_bp if share_bp is None else share_bp,
    )


@transaction.atomic
def change_allocation(
    *,
    experiment: Experiment,
    position: int,
    actor: Actor,
    share_bp: int | None = None,
    weights_bp: Sequence[int] | None = None,
    reason: str = "",
    now: datetime | None = None,
) -> RampEffect:
    """Open closed slots of one target and begin a new phase; nobody who takes part moves."""
    lock_experiment(experiment)
    if experiment.origin == Origin.IMPORTED or experiment.status not in LIVE:
        raise Conflict(
            f"This experiment is {experiment.status}: only a running or paused one that Strata assigns can be ramped. "
            "Change the targets of a draft instead."
        )
    target = experiment.targets.filter(position=position).first()
    if target is None:
        raise NotFound(f"There is no target {position} here; they are numbered from 0.", pointer="/target")
    before = targets_document(experiment)
    effect = ramp_effect(target, share_bp=share_bp, weights_bp=weights_bp)
    require_append_only(
        parse_allocation(target.allocation, variants=len(target.weights_bp)), effect.allocation
    )
    target.allocation = effect.allocation.to_json()
    target.share_bp = effect.open_share_bp
    target.weights_bp = list(target.weights_bp if weights_bp is None else weights_bp)
    target.save(update_fields=["allocation", "share_bp", "weights_bp"])
    _begin_phase(
        experiment, reason or f"Target {position} opened to {effect.open_share_bp * 100 / SLOTS:g} %", now
    )
    bump_config(experiment.environment)
    note_change(
        experiment,
        actor=actor,
        action="experiment.ramped",
        before=before,
        after=targets_document(experiment),
        reason=reason,
    )
    return effect


def _begin_phase(experiment: Experiment, reason: str, now: datetime | None) -> None:
    shares = {
        str(target.position): list(
            open_slots(
                parse_allocation(target.allocation, variants=len(target.weights_bp)),
                variants=len(target.weights_bp),
            )
        )
        for target in experiment.targets.order_by("position")
    }
    Phase.objects.create(
        experiment=experiment,
        number=experiment.phases.count() + 1,
        started_at=now or timezone.now(),
        shares=shares,
        reason=reason[:200],
    )
