"""Reads of the accounts pages."""

from django.db.models import QuerySet

from accounts.access import Action, allows
from accounts.models import ApiKey, AuditEntry, Environment, Membership, Organisation, Project, Role, User

MANAGING_ROLES = [role for role in Role if allows(role, Action.MANAGE)]


def memberships_of(user: User) -> QuerySet[Membership]:
    """Return a user's memberships with their projects, by name."""
    return (
        Membership.objects.filter(user=user).select_related("project__organisation").order_by("project__name")
    )


def members_of(project: Project) -> QuerySet[Membership]:
    """Return a project's members with their users, by address."""
    return Membership.objects.filter(project=project).select_related("user").order_by("user__email")


def organisations_managed_by(user: User) -> QuerySet[Organisation]:
    """Return the organisations in which a user may create projects."""
    if user.is_superuser:
        return Organisation.objects.order_by("name")
    managed = Membership.objects.filter(user=user, role__in=MANAGING_ROLES).values("project__organisation")
    return Organisation.objects.filter(pk__in=managed).order_by("name")


def may_create_projects(user: User) -> bool:
    """Tell whether a user may create a project somewhere."""
    return user.is_superuser or organisations_managed_by(user).exists()


def may_be_invited(membership: Membership) -> bool:
    """Tell whether a project's admin may hand this member a link to set a first password.

    Never for someone who has a password, or who belongs to a project that this admin may not manage.
    """
    if membership.user.has_usable_password():
        return False
    return not Membership.objects.filter(user=membership.user_id).exclude(pk=membership.pk).exists()


def keys_of(project: Project) -> QuerySet[ApiKey]:
    """Return a project's keys: live before revoked, newest first."""
    return (
        ApiKey.objects.filter(environment__project=project)
        .select_related("environment", "created_by")
        .order_by("revoked_at", "-id")
    )


def environments_of(project: Project) -> QuerySet[Environment]:
    """Return a project's environments, production first."""
    return Environment.objects.filter(project=project).order_by("-is_production", "name")


def audit_of(
    project: Project, *, target_type: str = "", target_id: str = "", actor: str = ""
) -> QuerySet[AuditEntry]:
    """Return a project's trail, newest first, narrowed by what was changed and by whom."""
    entries = AuditEntry.objects.filter(project=project).order_by("-id")
    if target_type:
        entries = entries.filter(target_type=target_type)
    if target_id:
        entries = entries.filter(target_id=target_id)
    if actor:
        entries = entries.filter(actor__icontains=actor)
    return entries


def target_types_of(project: Project) -> list[str]:
    """Return the kinds of objects that a project's trail speaks of."""
    kinds = (
        AuditEntry.objects.filter(project=project)
        .order_by("target_type")
        .values_list("target_type", flat=True)
    )
    return list(kinds.distinct())
