"""Who may do what: one matrix for people and keys, and the gate of every page."""

from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone

from accounts.models import Membership, Project, Role, User


class Action(StrEnum):
    """What can be asked for."""

    SEE = "see aggregates"
    ANALYSE = "edit metrics and run analyses"
    EDIT = "edit segments, flags and drafts"
    RUN = "start, ramp and stop experiments"
    STOP = "pause and stop experiments"
    MANAGE = "manage members, keys and recipients"
    PRIVACY = "erase data and change retention"


_ALLOWED: dict[Role, frozenset[Action]] = {
    Role.VIEWER: frozenset({Action.SEE}),
    Role.ANALYST: frozenset({Action.SEE, Action.ANALYSE}),
    Role.EXPERIMENTER: frozenset({Action.SEE, Action.ANALYSE, Action.EDIT}),
    Role.ADMIN: frozenset({Action.SEE, Action.ANALYSE, Action.EDIT, Action.RUN, Action.STOP, Action.MANAGE}),
    Role.PRIVACY_OFFICER: frozenset({Action.SEE, Action.STOP, Action.PRIVACY}),
}


def allows(role: str, action: Action) -> bool:
    """Tell whether a role covers an action (RELIABILITY: "Who may do what")."""
    return action in _ALLOWED[Role(role)]


def covers(role: str, other: str) -> bool:
    """Tell whether a role may do everything another may; nobody hands a key more than they have."""
    return _ALLOWED[Role(other)] <= _ALLOWED[Role(role)]


class ProjectRequest(HttpRequest):
    """A request that passed the gate of its project."""

    project: Project
    membership: Membership


def project_view(action: Action) -> Callable[[Callable[..., HttpResponse]], Callable[..., HttpResponse]]:
    """Guard a page under /p/<project_slug>/: 404 for strangers, 403 when the role lacks `action`.

    The view is called with `request.project` and `request.membership` set, without the slug, in the project's
    time zone.
    """

    def decorate(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        @login_required
        @wraps(view)
        def guarded(request: HttpRequest, project_slug: str, *args: Any, **kwargs: Any) -> HttpResponse:
            assert isinstance(request.user, User), "login_required lets nobody else through"
            membership = (
                Membership.objects.select_related("project", "project__organisation")
                .filter(user=request.user, project__slug=project_slug)
                .first()
            )
            if membership is None:
                raise Http404("No such project for you.")
            request.project = membership.project  # type: ignore[attr-defined]
            request.membership = membership  # type: ignore[attr-defined]
            if not allows(membership.role, action):
                raise PermissionDenied(
                    f"Your role here is {membership.get_role_display().lower()}; it does not cover: {action.value}."
                )
            with timezone.override(membership.project.timezone):
                return view(request, *args, **kwargs)

        return guarded

    return decorate
