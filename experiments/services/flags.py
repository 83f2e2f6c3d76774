"""Flags: made once, switched and changed often."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from accounts.access import Action, allows
from accounts.audit import Actor, record
from accounts.models import Project
from core.errors import DomainError, Forbidden
from core.strict_json import JsonValue
from experiments.documents import flag_document
from experiments.errors import KeyTaken
from experiments.models import FLAG_KEY, Flag, FlagType
from experiments.queries import LIVE
from experiments.services.changes import bump_project
from experiments.values import check_value

MAX_KEY = 100


@transaction.atomic
def create_flag(
    *,
    project: Project,
    key: str,
    type: str,  # noqa: A002
    default_value: JsonValue,
    actor: Actor,
    name: str = "",
    description: str = "",
    enabled: bool = True,
    auto_exposure: bool = False,
) -> Flag:
    """Make a flag; `name` "" takes the key. Raises KeyTaken and InvalidFlagValue."""
    require_flag_key(key, pointer="/key")
    if type not in FlagType.values:
        raise DomainError(
            f"There is no flag type {type!r:.40}. Use one of: {', '.join(FlagType.values)}.", pointer="/type"
        )
    if Flag.objects.filter(project=project, key=key).exists():
        raise KeyTaken(
            f"A flag with the key {key} exists already. Use it, or choose another key.", pointer="/key"
        )
    flag = Flag.objects.create(
        project=project,
        key=key,
        name=name or key,
        description=description,
        type=type,
        default_value=check_value(type, default_value, pointer="/default_value"),
        enabled=enabled,
        auto_exposure=auto_exposure,
    )
    bump_project(project)
    record(project=project, actor=actor, action="flag.created", target=flag, after=flag_document(flag))
    return flag


@transaction.atomic
def update_flag(*, flag: Flag, actor: Actor, role: str | None = None, **changes: Any) -> Flag:
    """Change name, description, default_value, enabled or auto_exposure; key and type are fixed.

    Takes effect at once in every environment. Nothing is written when nothing changes.
    role: of who asks; None is the system itself. Raises Forbidden when what a live experiment in production
    serves would change and the role may not start and stop experiments.
    """
    unknown = set(changes) - {"name", "description", "default_value", "enabled", "auto_exposure"}
    if unknown:
        raise DomainError(f"{', '.join(sorted(unknown))} of a flag cannot change; make a new flag instead.")
    flag.refresh_from_db(from_queryset=Flag.objects.select_for_update(no_key=True))
    before = flag_document(flag)
    if "default_value" in changes:
        changes["default_value"] = check_value(flag.type, changes["default_value"], pointer="/default_value")
    for field, value in changes.items():
        setattr(flag, field, value)
    after = flag_document(flag)
    if after == before:
        return flag
    served = any(before[field] != after[field] for field in ("enabled", "default_value"))
    if served and role is not None and not allows(role, Action.RUN) and _is_live_in_production(flag):
        raise Forbidden(
            "A live experiment in production runs behind this flag, so what it serves is changed by an admin. "
            "Ask one, or pause the experiment first."
        )
    flag.save(update_fields=list(changes))
    bump_project(flag.project)
    record(project=flag.project, actor=actor, action="flag.changed", target=flag, before=before, after=after)
    return flag


def _is_live_in_production(flag: Flag) -> bool:
    return flag.experiments.filter(status__in=LIVE, environment__is_production=True).exists()


def require_flag_key(key: str, *, pointer: str) -> None:
    """Raise a DomainError unless `key` can stand unescaped in the address of an evaluation."""
    try:
        FLAG_KEY(key)
    except ValidationError as error:
        raise DomainError(
            f"{key!r:.80} is not a key. {error.messages[0]}", code="invalid_key", pointer=pointer
        ) from None
    if len(key) > MAX_KEY:
        raise DomainError(
            f"The key has {len(key)} characters; at most {MAX_KEY} are allowed.",
            code="invalid_key",
            pointer=pointer,
        )
