"""Who belongs to a project, and as what."""

from django.contrib import messages
from django.contrib.auth.tokens import default_token_generator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from accounts.access import Action, ProjectRequest, allows, project_view
from accounts.audit import Actor
from accounts.forms import MemberForm, RoleForm
from accounts.models import Membership, Role, User
from accounts.queries import may_be_invited, members_of
from accounts.services import add_member, change_role, remove_member
from core.errors import DomainError


@project_view(Action.SEE)
def members(request: ProjectRequest) -> HttpResponse:
    """List the members and what each role may do."""
    context = {
        "members": members_of(request.project),
        "roles": [(role.label, [(action, allows(role, action)) for action in Action]) for role in Role],
        "actions": list(Action),
        "may_manage": allows(request.membership.role, Action.MANAGE),
    }
    return render(request, "accounts/members.html", context)


@project_view(Action.MANAGE)
def add(request: ProjectRequest) -> HttpResponse:
    """Add a member; someone new to Strata gets a link to set a password, shown to the admin."""
    form = MemberForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            membership = add_member(project=request.project, actor=Actor.of(request), **form.cleaned_data)
        except DomainError as error:
            form.add_error(error.pointer or None, error.message)
        else:
            messages.success(
                request, f"{membership.user.email} is now {membership.get_role_display().lower()}."
            )
            return redirect("accounts:member", request.project.slug, membership.pk)
    return render(request, "accounts/member_add.html", {"form": form}, status=422 if form.errors else 200)


@project_view(Action.MANAGE)
@never_cache
def member(request: ProjectRequest, pk: int) -> HttpResponse:
    """Show one member; change the role."""
    membership = _member_or_404(request, pk)
    form = RoleForm(request.POST or None, initial={"role": membership.role})
    if request.method == "POST" and form.is_valid():
        try:
            change_role(membership=membership, role=form.cleaned_data["role"], actor=Actor.of(request))
        except DomainError as error:
            form.add_error("role", error.message)
        else:
            messages.success(request, f"The role of {membership.user.email} is changed.")
            return redirect("accounts:members", request.project.slug)
    invitation = _invitation_url(request, membership.user) if may_be_invited(membership) else ""
    context = {"member": membership, "form": form, "invitation": invitation}
    return render(request, "accounts/member.html", context, status=422 if form.errors else 200)


@require_POST
@project_view(Action.MANAGE)
def remove(request: ProjectRequest, pk: int) -> HttpResponse:
    """Take a member's access."""
    membership = _member_or_404(request, pk)
    remove_member(membership=membership, actor=Actor.of(request))
    messages.success(request, f"{membership.user.email} has no access to {request.project.name} any more.")
    return redirect("accounts:members", request.project.slug)


def _member_or_404(request: ProjectRequest, pk: int) -> Membership:
    return get_object_or_404(members_of(request.project), pk=pk)


def _invitation_url(request: ProjectRequest, user: User) -> str:
    uid, token = urlsafe_base64_encode(force_bytes(user.pk)), default_token_generator.make_token(user)
    return request.build_absolute_uri(reverse("accounts:set-password", args=[uid, token]))
