"""The arms of a draft, and the units that always get one of them."""

from collections.abc import Sequence

from django.db import transaction

from accounts.audit import Actor, record
from core.errors import DomainError, InvalidInput, NotFound, Problem
from experiments.documents import variants_document
from experiments.errors import NotADraft
from experiments.models import Experiment, Override, Status, Variant
from experiments.services.changes import bump_config, lock_draft, lock_experiment, note_change
from experiments.services.flags import require_flag_key
from experiments.services.inputs import VariantInput
from experiments.splits import equal_weights
from experiments.values import check_value

MAX_VARIANTS = 20
MAX_KEY = 60
MAX_UNIT_ID_BYTES = 256


@transaction.atomic
def set_variants(*, experiment: Experiment, variants: Sequence[VariantInput], actor: Actor) -> None:
    """Replace the arms; the first is the control.

    When their number changes, every target goes back to an even split. Overrides of arms that stay are kept.
    Raises InvalidInput with the place of every fault.
    """
    lock_draft(experiment, "variants")
    checked = check_variants(variants, experiment.flag.type)
    before = variants_document(experiment)
    overrides = list(Override.objects.filter(experiment=experiment).values_list("unit_id", "variant__key"))
    if experiment.variants.count() != len(checked):
        experiment.targets.update(weights_bp=equal_weights(len(checked)))
    experiment.variants.all().delete()
    arms = {arm.key: arm for arm in store_variants(experiment, checked)}
    Override.objects.bulk_create(
        Override(experiment=experiment, unit_id=unit_id, variant=arms[key])
        for unit_id, key in overrides
        if key in arms
    )
    note_change(
        experiment,
        actor=actor,
        action="experiment.variants_set",
        before=before,
        after=variants_document(experiment),
    )


def check_variants(variants: Sequence[VariantInput], flag_type: str) -> list[VariantInput]:
    """Return the variants ready to store. Raises InvalidInput with the place of every fault."""
    if not 1 <= len(variants) <= MAX_VARIANTS:
        raise InvalidInput(
            [
                Problem(
                    "/variants",
                    "variant_count",
                    f"An experiment has 2 to {MAX_VARIANTS} variants; add or remove some.",
                )
            ]
        )
    problems: list[Problem] = []
    checked: list[VariantInput] = []
    seen: set[str] = set()
    for index, variant in enumerate(variants):
        pointer = f"/variants/{index}"
        try:
            require_flag_key(variant.key, pointer=f"{pointer}/key")
            value = check_value(flag_type, variant.value, pointer=f"{pointer}/value")
            checked.append(VariantInput(variant.key, value, variant.name or variant.key))
        except DomainError as error:
            problems.append(Problem(error.pointer, error.code, error.message))
        if len(variant.key) > MAX_KEY:
            problems.append(
                Problem(f"{pointer}/key", "invalid_key", f"A variant's key has at most {MAX_KEY} characters.")
            )
        if variant.key in seen:
            problems.append(
                Problem(f"{pointer}/key", "key_taken", f"Two variants have the key {variant.key}.")
            )
        seen.add(variant.key)
    if problems:
        raise InvalidInput(problems)
    return checked


def store_variants(experiment: Experiment, variants: Sequence[VariantInput]) -> list[Variant]:
    """Store checked variants of an experiment that has none."""
    return Variant.objects.bulk_create(
        Variant(experiment=experiment, index=index, key=v.key, name=v.name, value=v.value)
        for index, v in enumerate(variants)
    )


@transaction.atomic
def set_override(*, experiment: Experiment, unit_id: str, variant_key: str, actor: Actor) -> Override:
    """Give one unit a variant whatever the draw says, for QA; its data are never analysed."""
    lock_experiment(experiment)
    if experiment.status in (Status.COMPLETED, Status.ARCHIVED):
        raise NotADraft(f"This experiment is {experiment.status}; an override would do nothing.")
    _require_unit_id(unit_id)
    variant = experiment.variants.filter(key=variant_key).first()
    if variant is None:
        known = ", ".join(experiment.variants.values_list("key", flat=True))
        raise DomainError(
            f"There is no variant {variant_key!r:.80} here. Use one of: {known}.",
            code="unknown_variant",
            pointer="/variant",
        )
    override, _ = Override.objects.update_or_create(
        experiment=experiment, unit_id=unit_id, defaults={"variant": variant}
    )
    bump_config(experiment.environment)
    record(
        project=experiment.project,
        actor=actor,
        action="experiment.override_set",
        target=experiment,
        after={"unit_id": unit_id, "variant": variant_key},
    )
    return override


@transaction.atomic
def remove_override(*, experiment: Experiment, unit_id: str, actor: Actor) -> None:
    """Let a unit be drawn like every other. Raises NotFound."""
    _require_unit_id(unit_id)
    lock_experiment(experiment)
    removed, _ = Override.objects.filter(experiment=experiment, unit_id=unit_id).delete()
    if not removed:
        raise NotFound(f"The unit {unit_id!r:.80} has no override here.", pointer="/unit_id")
    bump_config(experiment.environment)
    record(
        project=experiment.project,
        actor=actor,
        action="experiment.override_removed",
        target=experiment,
        before={"unit_id": unit_id},
    )


def _require_unit_id(unit_id: str) -> None:
    size = len(unit_id.encode("utf-8", "surrogatepass"))
    if not 1 <= size <= MAX_UNIT_ID_BYTES or "\x00" in unit_id:
        raise DomainError(
            f"A unit id has 1 to {MAX_UNIT_ID_BYTES} bytes and no NUL; this one has {size}.",
            code="invalid_unit_id",
            pointer="/unit_id",
        )
