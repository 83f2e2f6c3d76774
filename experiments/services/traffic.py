"""Shares of an environment's traffic: its holdout, and layers of mutually exclusive experiments."""

from collections.abc import Sequence

from django.db import transaction

from accounts.audit import Actor, record
from accounts.models import Environment
from core.errors import DomainError
from experiments.allocation import SLOTS
from experiments.documents import layer_document
from experiments.errors import HoldoutInUse, KeyTaken
from experiments.models import Experiment, Holdout, Layer
from experiments.queries import live_experiments
from experiments.services.changes import bump_config, lock_draft, note_change

MAX_HOLDOUT_BP = 2_000


@transaction.atomic
def set_holdout(*, environment: Environment, share_bp: int, actor: Actor) -> Holdout | None:
    """Keep a share of an environment's units out of every experiment; 0 ends the holdout.

    Raises HoldoutInUse while experiments run: a new share would move units that take part.
    """
    if not 0 <= share_bp <= MAX_HOLDOUT_BP:
        raise DomainError(
            "A holdout takes 0 to 20 % of the units.", code="invalid_share", pointer="/share_bp"
        )
    Environment.objects.select_for_update(no_key=True).get(pk=environment.pk)
    holdout = Holdout.objects.filter(environment=environment).first()
    before = holdout.share_bp if holdout else 0
    if before == share_bp:
        return holdout
    live = live_experiments(environment).count()
    if live:
        raise HoldoutInUse(
            f"{live} experiments run in {environment.name}; another holdout would move some of their units. "
            "Complete them first.",
            pointer="/share_bp",
        )
    Holdout.objects.filter(environment=environment).delete()
    created = Holdout.objects.create(environment=environment, share_bp=share_bp) if share_bp else None
    bump_config(environment)
    record(
        project=environment.project,
        actor=actor,
        action="holdout.set",
        target=environment,
        before={"share_bp": before},
        after={"share_bp": share_bp},
    )
    return created


@transaction.atomic
def create_layer(*, environment: Environment, key: str, actor: Actor) -> Layer:
    """Make a layer, whose slots experiments can claim so that no unit is in two of them."""
    if Layer.objects.filter(environment=environment, key=key).exists():
        raise KeyTaken(f"A layer {key} exists already in {environment.name}.", pointer="/key")
    layer = Layer.objects.create(environment=environment, key=key)
    record(project=environment.project, actor=actor, action="layer.created", target=layer, after={"key": key})
    return layer


@transaction.atomic
def set_layer(
    *, experiment: Experiment, layer: Layer | None, slots: Sequence[tuple[int, int]], actor: Actor
) -> None:
    """Put a draft into a layer, on half-open slot ranges of 0..10,000; `layer` None takes it out."""
    lock_draft(experiment, "layer slots")
    if layer is not None and layer.environment_id != experiment.environment_id:
        raise DomainError("This layer belongs to another environment.", pointer="/layer")
    ranges = sorted([start, end] for start, end in slots) if layer else []
    ends = [0] + [edge for pair in ranges for edge in pair] + [SLOTS]
    if ends != sorted(ends) or any(start == end for start, end in ranges):
        raise DomainError(
            f"Slot ranges lie within 0 and {SLOTS:,}, start before they end, and do not overlap.",
            code="invalid_slots",
            pointer="/slots",
        )
    before = layer_document(experiment)
    experiment.layer = layer
    experiment.layer_slots = ranges
    experiment.save(update_fields=["layer", "layer_slots"])
    note_change(
        experiment,
        actor=actor,
        action="experiment.layer_set",
        before=before,
        after=layer_document(experiment),
    )
