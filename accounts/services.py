"""Everything that changes organisations, projects and their members; each change is one audited transaction."""

import secrets
from dataclasses import asdict, dataclass
from typing import Any

from django.db import transaction
from django.utils.text import slugify

from accounts.audit import Actor, record
from accounts.models import Environment, Membership, Organisation, Project, Role, User
from core.errors import Conflict, DomainError

ENVIRONMENTS = (("Production", "production", True), ("Staging", "staging", False))
PASSWORD_BYTES = 15


class LastAdmin(Conflict):
    """A project keeps at least one admin."""

    code = "last_admin"


class AlreadyMember(Conflict):
    """The person is a member already."""

    code = "already_member"


class NameTaken(Conflict):
    """Another object has this name."""

    code = "name_taken"


@dataclass(frozen=True)
class Member:
    """How the trail names a user, who has no public id."""

    public_id: str
    email: str

    def __str__(self) -> str:
        return self.email


@dataclass(frozen=True)
class ProjectSettings:
    """What a project's admin can change."""

    name: str
    description: str
    timezone: str
    currency: str
    consent_required: bool


def create_owner(*, email: str, password: str | None = None) -> tuple[User, str]:
    """Make a user who may create organisations, and return the password (random when none is given)."""
    if User.objects.filter(email=email.lower()).exists():
        raise NameTaken(f"There is a user {email} already. Choose another address, or set a new password.")
    password = password or secrets.token_urlsafe(PASSWORD_BYTES)
    return User.objects.create_superuser(email=email, password=password), password


def create_organisation(*, name: str) -> Organisation:
    """Make an organisation; its address part is derived from the name."""
    return Organisation.objects.create(name=name, slug=_free_slug(Organisation, name))


@transaction.atomic
def create_project(
    *,
    organisation: Organisation,
    name: str,
    actor: Actor,
    slug: str = "",
    timezone: str = "UTC",
    currency: str = "EUR",
    description: str = "",
) -> Project:
    """Make a project with its two environments; the acting user becomes its admin."""
    if slug and Project.objects.filter(slug=slug).exists():
        raise NameTaken(f"There is a project at the address {slug} already. Choose another.", pointer="slug")
    project = Project.objects.create(
        organisation=organisation,
        name=name,
        slug=slug or _free_slug(Project, name),
        timezone=timezone,
        currency=currency,
        description=description,
    )
    for label, key, is_production in ENVIRONMENTS:
        Environment.objects.create(project=project, name=label, slug=key, is_production=is_production)
    record(project=project, actor=actor, action="project.created", target=project, after={"name": name})
    if actor.user:
        _join(project=project, user=actor.user, role=Role.ADMIN, actor=actor)
    return project


@transaction.atomic
def update_project(*, project: Project, settings: ProjectSettings, actor: Actor) -> None:
    """Change a project's settings; what did not change is not written."""
    stored = Project.objects.select_for_update().get(pk=project.pk)
    after = asdict(settings)
    before: dict[str, Any] = {key: getattr(stored, key) for key in after}
    changed = [key for key in after if before[key] != after[key]]
    if not changed:
        return
    for key in changed:
        setattr(stored, key, after[key])
    stored.save(update_fields=changed)
    record(
        project=stored,
        actor=actor,
        action="project.updated",
        target=stored,
        before={key: before[key] for key in changed},
        after={key: after[key] for key in changed},
    )


@transaction.atomic
def add_member(*, project: Project, email: str, role: str, actor: Actor) -> Membership:
    """Give a person a role; a person new to Strata gets a user that cannot log in until invited."""
    email = email.strip().lower()
    user = User.objects.filter(email=email).first() or User.objects.create_user(email)
    if Membership.objects.filter(project=project, user=user).exists():
        raise AlreadyMember(f"{email} is a member already. Change the role in the list.", pointer="email")
    return _join(project=project, user=user, role=role, actor=actor)


@transaction.atomic
def change_role(*, membership: Membership, role: str, actor: Actor) -> None:
    """Give a member another role.

    Raises LastAdmin when nobody could manage the project afterwards.
    """
    stored = _lock_for_change(membership)
    if stored.role == role:
        return
    if role != Role.ADMIN:
        _keep_an_admin(stored)
    before, stored.role = stored.role, Role(role)
    stored.save(update_fields=["role"])
    record(
        project=stored.project,
        actor=actor,
        action="member.role_changed",
        target=_named(stored.user),
        before={"role": before},
        after={"role": str(role)},
    )


@transaction.atomic
def remove_member(*, membership: Membership, actor: Actor) -> None:
    """Take a person's access to a project; their user and their audit lines stay.

    Raises LastAdmin when nobody could manage the project afterwards.
    """
    stored = _lock_for_change(membership)
    _keep_an_admin(stored)
    record(
        project=stored.project,
        actor=actor,
        action="member.removed",
        target=_named(stored.user),
        before={"role": stored.role},
    )
    stored.delete()


def _join(*, project: Project, user: User, role: str, actor: Actor) -> Membership:
    membership = Membership.objects.create(project=project, user=user, role=role)
    record(
        project=project, actor=actor, action="member.added", target=_named(user), after={"role": str(role)}
    )
    return membership


def _named(user: User) -> Member:
    return Member(public_id=f"user_{user.pk}", email=user.email)


def _lock_for_change(membership: Membership) -> Membership:
    # The project row is the lock: two admins who demote each other at once are served one after the other.
    Project.objects.select_for_update().get(pk=membership.project_id)
    return Membership.objects.select_related("project", "user").get(pk=membership.pk)


def _keep_an_admin(membership: Membership) -> None:
    others = Membership.objects.filter(project=membership.project_id, role=Role.ADMIN).exclude(
        pk=membership.pk
    )
    if membership.role == Role.ADMIN and not others.exists():
        raise LastAdmin(
            f"{membership.user} is the only admin of {membership.project}. Make another member an admin first."
        )


def _free_slug(model: type[Organisation] | type[Project], name: str) -> str:
    stem = slugify(name)[:50] or model._meta.model_name or "x"
    taken = set(model._default_manager.filter(slug__startswith=stem).values_list("slug", flat=True))
    candidates = (stem if i == 1 else f"{stem}-{i}" for i in range(1, len(taken) + 2))
    for slug in candidates:
        if slug not in taken:
            return slug
    raise DomainError(f"No free address for {name}.", code="no_free_slug")
