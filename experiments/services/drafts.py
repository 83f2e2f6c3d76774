"""Drafts: a short form makes one, and each part of the set-up is then given as a whole."""

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.utils.text import slugify

from accounts.audit import Actor
from accounts.models import Environment, User
from core.errors import DomainError, InvalidInput, Problem
from experiments.documents import description_document
from experiments.errors import KeyTaken, NotADraft
from experiments.models import Experiment, Flag, Status
from experiments.services.changes import lock_experiment, note_change
from experiments.services.flags import create_flag
from experiments.services.inputs import FlagChoice, NewFlag, TargetInput, VariantInput
from experiments.services.setup import store_targets
from experiments.services.variants import check_variants, store_variants

MAX_KEY = 60
_LIMITS = {"name": 120, "key": MAX_KEY, "unit_type": 30}
RESERVED_KEYS = {"new"}  # an address of the pages already


@transaction.atomic
def create_experiment(
    *,
    environment: Environment,
    name: str,
    hypothesis: str,
    flag: FlagChoice,
    variants: Sequence[VariantInput],
    actor: Actor,
    targets: Sequence[TargetInput] = (TargetInput(),),
    key: str = "",
    unit_type: str = "user",
    owner: User | None = None,
    note: str = "",
) -> Experiment:
    """Make a draft; without `targets` everyone takes part, evenly split; `key` "" is made from the name.

    A NewFlag is created with the control's value as its default. Raises InvalidInput with every fault found.
    """
    if isinstance(flag, Flag) and flag.project_id != environment.project_id:
        raise DomainError("This flag belongs to another project.", pointer="/flag")
    checked = check_variants(variants, flag.type)
    experiment = Experiment(
        project=environment.project,
        environment=environment,
        flag=flag if isinstance(flag, Flag) else _make_flag(flag, environment, checked, actor),
        key=key or free_key(environment, name),
        name=name,
        hypothesis=hypothesis,
        unit_type=unit_type,
        owner=owner or actor.user,
        note=note,
    )
    save_new(experiment, checked)
    store_targets(experiment, targets)
    note_change(
        experiment,
        actor=actor,
        action="experiment.created",
        before=None,
        after={
            **description_document(experiment),
            "flag": experiment.flag.key,
            "environment": environment.slug,
        },
    )
    return experiment


@transaction.atomic
def update_experiment(*, experiment: Experiment, actor: Actor, **changes: Any) -> Experiment:
    """Change name, hypothesis, note or unit_type; after launch only name and note. An archive is read-only."""
    unknown = set(changes) - {"name", "hypothesis", "note", "unit_type"}
    if unknown:
        raise DomainError(f"{', '.join(sorted(unknown))} of an experiment cannot change this way.")
    lock_experiment(experiment)
    before = description_document(experiment)
    changed = {field: value for field, value in changes.items() if before[field] != value}
    if not changed:
        return experiment
    if experiment.status == Status.ARCHIVED:
        raise NotADraft("This experiment is archived and stays as it is.")
    fixed = set(changed) & {"hypothesis", "unit_type"}
    if experiment.status != Status.DRAFT and fixed:
        raise NotADraft(
            f"{' and '.join(sorted(fixed))} are fixed at launch. Put what you learnt since into the note.",
            pointer=f"/{min(fixed)}",
        )
    for field, value in changed.items():
        setattr(experiment, field, value)
    require_words(experiment)
    experiment.save(update_fields=list(changed))
    note_change(
        experiment,
        actor=actor,
        action="experiment.described",
        before=before,
        after=description_document(experiment),
    )
    return experiment


def save_new(experiment: Experiment, variants: Sequence[VariantInput]) -> None:
    """Store a new draft and its variants. Raises KeyTaken."""
    require_words(experiment)
    if Experiment.objects.filter(project=experiment.project, key=experiment.key).exists():
        raise KeyTaken(
            f"An experiment with the key {experiment.key} exists already. Choose another.", pointer="/key"
        )
    experiment.save()
    store_variants(experiment, variants)


def require_words(experiment: Experiment) -> None:
    """Raise InvalidInput unless name, key and unit type can be stored."""
    problems = []
    if not experiment.name.strip():
        problems.append(Problem("/name", "required", "Give the experiment a name."))
    for field, limit in _LIMITS.items():
        if len(getattr(experiment, field)) > limit:
            problems.append(
                Problem(f"/{field}", "too_long", f"{field} has more than {limit} characters; shorten it.")
            )
    if slugify(experiment.key) != experiment.key.lower() or not experiment.key:
        problems.append(
            Problem("/key", "invalid_key", "A key has letters, digits, hyphens and underscores only.")
        )
    if experiment.key in RESERVED_KEYS:
        problems.append(
            Problem("/key", "invalid_key", f"The key {experiment.key} is taken by a page. Choose another.")
        )
    if not experiment.unit_type:
        problems.append(Problem("/unit_type", "required", "Say what is randomised: user, device, account …"))
    if problems:
        raise InvalidInput(problems)


def free_key(environment: Environment, name: str) -> str:
    """Return a key made from a name that no experiment of the project has yet."""
    base = slugify(name)[: MAX_KEY - 5] or "experiment"
    taken = set(
        Experiment.objects.filter(project=environment.project, key__startswith=base).values_list(
            "key", flat=True
        )
    )
    taken |= RESERVED_KEYS
    candidates = (base if number == 1 else f"{base}-{number}" for number in range(1, len(taken) + 2))
    return next(key for key in candidates if key not in taken)


def _make_flag(
    flag: NewFlag, environment: Environment, variants: Sequence[VariantInput], actor: Actor
) -> Flag:
    return create_flag(
        project=environment.project,
        key=flag.key,
        type=flag.type,
        name=flag.name,
        default_value=variants[0].value,
        actor=actor,
    )
