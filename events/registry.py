"""The attribute registry: which fields of profiles and events may be stored at all, and why."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from django.db import connection, transaction

from accounts.access import Action, allows
from accounts.audit import Actor, record
from accounts.models import Project
from core.errors import Conflict, InvalidInput, Problem
from events.models import Attribute, AttributeType, Profile, Sensitivity, Subject

MAX_ATTRIBUTES = 1_000
MAX_RETENTION_DAYS = 3_650
_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,59}")
EDITABLE = ("description", "purpose", "sensitivity", "retention_days")
PRIVACY_FIELDS = frozenset({"sensitivity", "retention_days"})


class AttributeExists(Conflict):
    """The key is registered already."""

    code = "attribute_exists"


@dataclass(frozen=True, slots=True)
class Registry:
    """Registered keys and their types, of profiles and of the properties of events."""

    profile: Mapping[str, str]
    event: Mapping[str, str]


def read_registry(project_id: int) -> Registry:
    """Return a project's registry: one indexed query, so that a change counts from the very next batch."""
    types: dict[str, dict[str, str]] = {Subject.PROFILE: {}, Subject.EVENT: {}}
    rows = Attribute.objects.filter(project_id=project_id).values_list("subject", "key", "type")
    for subject, key, attribute_type in rows:
        types[subject][key] = attribute_type
    return Registry(
        profile=MappingProxyType(types[Subject.PROFILE]), event=MappingProxyType(types[Subject.EVENT])
    )


@transaction.atomic
def register_attribute(
    *,
    project: Project,
    key: str,
    value_type: str,
    purpose: str,
    actor: Actor,
    subject: str = Subject.PROFILE,
    description: str = "",
    sensitivity: str = Sensitivity.NONE,
    retention_days: int = 365,
) -> Attribute:
    """Register a field, so that it is stored from now on.

    Raises InvalidInput naming every fault; AttributeExists.
    """
    attribute = Attribute(
        project=project,
        subject=subject,
        key=key,
        type=value_type,
        purpose=purpose.strip(),
        description=description.strip(),
        sensitivity=sensitivity,
        retention_days=retention_days,
    )
    _check(attribute)
    # Two registrations of one key come one by one.
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    if project.attributes.filter(subject=subject, key=key).exists():
        raise AttributeExists(
            f"The {subject} attribute {key!r} is registered already. Edit it, or choose another key.",
            pointer="/key",
        )
    if project.attributes.count() >= MAX_ATTRIBUTES:
        raise Conflict(f"A project has at most {MAX_ATTRIBUTES:,} attributes. Delete some that are not used.")
    attribute.save(force_insert=True)
    record(
        project=project,
        actor=actor,
        action="attribute.registered",
        target=attribute,
        after=describe(attribute),
    )
    return attribute


@transaction.atomic
def update_attribute(*, attribute: Attribute, actor: Actor, **changes: str | int) -> Attribute:
    """Change description, purpose, sensitivity or retention; key and type stay, for stored values have them.

    Raises InvalidInput.
    """
    attribute = Attribute.objects.select_for_update().get(pk=attribute.pk)
    fixed = [
        Problem(
            f"/{name}", "cannot_change", f"{name} cannot change. Delete the attribute and register it anew."
        )
        for name, value in changes.items()
        if name not in EDITABLE and value != getattr(attribute, name)
    ]
    if fixed:
        raise InvalidInput(fixed)
    before = describe(attribute)
    for name, value in changes.items():
        setattr(attribute, name, value.strip() if isinstance(value, str) else value)
    _check(attribute)
    if describe(attribute) != before:
        attribute.save()
        record(
            project=attribute.project,
            actor=actor,
            action="attribute.changed",
            target=attribute,
            before=before,
            after=describe(attribute),
        )
    return attribute


@transaction.atomic
def delete_attribute(*, attribute: Attribute, actor: Actor) -> int:
    """Forget a field and remove its values from every profile; return how many profiles held one.

    Values inside stored events go with those events' retention.
    """
    erased = 0
    if attribute.subject == Subject.PROFILE:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE events_profile SET attributes = attributes - %(key)s, updated_at = now() "
                "WHERE attributes ? %(key)s AND environment_id IN "
                "(SELECT id FROM accounts_environment WHERE project_id = %(project)s)",
                {"key": attribute.key, "project": attribute.project_id},
            )
            erased = cursor.rowcount
    record(
        project=attribute.project,
        actor=actor,
        action="attribute.deleted",
        target=attribute,
        before=describe(attribute),
        after={"profiles_erased": erased},
    )
    attribute.delete()
    return erased


def has_values(attribute: Attribute) -> bool:
    """Whether any profile holds a value of this attribute."""
    return Profile.objects.filter(
        environment__project_id=attribute.project_id, attributes__has_key=attribute.key
    ).exists()


def editable_fields(role: str) -> tuple[str, ...]:
    """Return the fields of an attribute that a role may change: privacy officers all, editors most."""
    if allows(role, Action.PRIVACY):
        return EDITABLE
    if allows(role, Action.EDIT):
        return tuple(name for name in EDITABLE if name not in PRIVACY_FIELDS)
    return ()


def may_delete(role: str, attribute: Attribute) -> bool:
    """Tell whether a role may delete an attribute; erasing values is for the privacy officer."""
    return allows(role, Action.PRIVACY) or (allows(role, Action.EDIT) and not has_values(attribute))


def describe(attribute: Attribute) -> dict[str, str | int]:
    """Return what the audit trail keeps of an attribute."""
    return {
        "subject": attribute.subject,
        "key": attribute.key,
        "type": attribute.type,
        "description": attribute.description,
        "purpose": attribute.purpose,
        "sensitivity": attribute.sensitivity,
        "retention_days": attribute.retention_days,
    }


def _check(attribute: Attribute) -> None:
    problems: list[Problem] = []

    def require(holds: bool, field: str, detail: str) -> None:
        if not holds:
            problems.append(Problem(f"/{field}", f"bad_{field}", detail))

    require(
        bool(_KEY.fullmatch(attribute.key)),
        "key",
        "A key starts with a letter and has letters, digits and underscores only, 60 at most.",
    )
    require(
        attribute.subject in Subject.values, "subject", f"The subject is one of: {', '.join(Subject.values)}."
    )
    require(
        attribute.type in AttributeType.values,
        "type",
        f"The type is one of: {', '.join(AttributeType.values)}.",
    )
    require(
        attribute.sensitivity in Sensitivity.values,
        "sensitivity",
        f"The sensitivity is one of: {', '.join(Sensitivity.values)}.",
    )
    require(
        0 < len(attribute.purpose) <= 200,
        "purpose",
        "Say in 1 to 200 characters what the attribute is needed for.",
    )
    require(
        isinstance(attribute.retention_days, int) and 1 <= attribute.retention_days <= MAX_RETENTION_DAYS,
        "retention_days",
        f"The retention is 1 to {MAX_RETENTION_DAYS:,} days.",
    )
    if problems:
        raise InvalidInput(problems)
