"""Pages: what has come in, and which fields may come in."""

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.access import Action, ProjectRequest, allows, project_view
from accounts.audit import Actor
from core.errors import DomainError
from events import queries
from events.deadletters import replay_dead_letters
from events.forms import AttributeChangeForm, AttributeForm
from events.models import Attribute
from events.registry import (
    EDITABLE,
    delete_attribute,
    editable_fields,
    has_values,
    may_delete,
    register_attribute,
    update_attribute,
)


@require_safe
@project_view(Action.SEE)
def overview(request: ProjectRequest) -> HttpResponse:
    """Show what has come in to an environment: counts, the latest, and what was refused."""
    environments = queries.environments_of(request.project)
    environment = queries.choose_environment(environments, request.GET.get("environment", ""))
    role = request.membership.role
    context = {
        "environments": environments,
        "environment": environment,
        "counts": queries.count_events(environment, now=timezone.now()),
        "latest": queries.latest_events(environment),
        "reasons": queries.reasons_of_refusal(environment),
        "refused": queries.latest_refused(environment),
        "may_replay": allows(role, Action.EDIT),
        "may_make_keys": allows(role, Action.MANAGE),
        "base_url": settings.BASE_URL,
    }
    return render(request, "events/overview.html", context)


@require_POST
@project_view(Action.EDIT)
def replay(request: ProjectRequest) -> HttpResponse:
    """Take the waiting refused items of an environment in again."""
    environments = queries.environments_of(request.project)
    environment = queries.choose_environment(environments, request.POST.get("environment", ""))
    done = replay_dead_letters(environment=environment, now=timezone.now())
    messages.info(request, f"{done.taken} taken in, {done.refused} still refused.")
    return redirect(
        f"{reverse('events:overview', args=[request.project.slug])}?environment={environment.slug}#refused"
    )


@require_safe
@project_view(Action.SEE)
def attributes(request: ProjectRequest) -> HttpResponse:
    """List the registered attributes."""
    rows = list(queries.attributes_of(request.project))
    context = {
        "groups": [
            ("profile", "Of profiles", [row for row in rows if row.subject == "profile"]),
            ("event", "Properties of events", [row for row in rows if row.subject == "event"]),
        ],
        "any": bool(rows),
        "may_register": allows(request.membership.role, Action.EDIT),
        "may_change": bool(editable_fields(request.membership.role)),
    }
    return render(request, "events/attributes.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Action.EDIT)
def attribute_new(request: ProjectRequest) -> HttpResponse:
    """Register an attribute."""
    form = AttributeForm(request.POST or None, initial={"subject": request.GET.get("subject", "profile")})
    if request.method == "POST" and form.is_valid():
        try:
            attribute = register_attribute(
                project=request.project, actor=Actor.of(request), **form.service_fields()
            )
        except DomainError as error:
            form.explain(error)
        else:
            messages.success(request, f"{attribute.key} is registered and stored from now on.")
            return redirect("events:attributes", request.project.slug)
    return render(request, "events/attribute_new.html", {"form": form}, status=422 if form.errors else 200)


def _attribute(request: ProjectRequest, subject: str, key: str) -> Attribute:
    return get_object_or_404(Attribute, project=request.project, subject=subject, key=key)


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Action.SEE)
def attribute_edit(request: ProjectRequest, subject: str, key: str) -> HttpResponse:
    """Change what a role may change of an attribute."""
    attribute = _attribute(request, subject, key)
    editable = editable_fields(request.membership.role)
    if not editable:
        raise PermissionDenied("Your role may look at attributes, not change them.")
    form = AttributeChangeForm(
        request.POST or None, initial={name: getattr(attribute, name) for name in EDITABLE}
    )
    form.keep_only(editable)
    if request.method == "POST" and form.is_valid():
        try:
            update_attribute(attribute=attribute, actor=Actor.of(request), **form.cleaned_data)
        except DomainError as error:
            form.explain(error)
        else:
            messages.success(request, f"{attribute.key} is changed.")
            return redirect("events:attributes", request.project.slug)
    context = {
        "form": form,
        "attribute": attribute,
        "may_delete": may_delete(request.membership.role, attribute),
    }
    return render(request, "events/attribute_edit.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Action.SEE)
def attribute_delete(request: ProjectRequest, subject: str, key: str) -> HttpResponse:
    """Ask, then delete an attribute with its values."""
    attribute = _attribute(request, subject, key)
    if not may_delete(request.membership.role, attribute):
        raise PermissionDenied(
            "Deleting an attribute with stored values erases data: ask the privacy officer."
        )
    if request.method == "POST":
        erased = delete_attribute(attribute=attribute, actor=Actor.of(request))
        messages.success(
            request, f"{attribute.key} is deleted; its value was removed from {erased} profiles."
        )
        return redirect("events:attributes", request.project.slug)
    context = {"attribute": attribute, "has_values": has_values(attribute)}
    return render(request, "events/attribute_delete.html", context)
