"""The way into projects: the front door, the list, a new project, settings."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from accounts.access import Action, ProjectRequest, project_view
from accounts.audit import Actor
from accounts.forms import ProjectForm, SettingsForm
from accounts.models import User
from accounts.navigation import project_home
from accounts.queries import environments_of, may_create_projects, memberships_of, organisations_managed_by
from accounts.services import ProjectSettings, create_organisation, create_project, update_project


@login_required
def home(request: HttpRequest) -> HttpResponse:
    """Lead to the user's only project, or to the list."""
    projects = list(memberships_of(_user(request))[:2])
    if len(projects) == 1:
        return redirect(project_home(projects[0].project.slug))
    return redirect("projects")


@login_required
def projects(request: HttpRequest) -> HttpResponse:
    """List the user's projects, or say how to get one."""
    user = _user(request)
    cards = [(m, project_home(m.project.slug)) for m in memberships_of(user)]
    context = {"cards": cards, "may_create": may_create_projects(user)}
    return render(request, "accounts/projects.html", context)


@login_required
def create(request: HttpRequest) -> HttpResponse:
    """Make a project."""
    user = _user(request)
    if not may_create_projects(user):
        raise PermissionDenied("Only an admin of a project can make another. Ask the person who runs Strata.")
    form = ProjectForm(request.POST or None, organisations=organisations_managed_by(user))
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        organisation = data.get("organisation") or create_organisation(name=data["organisation_name"])
        project = create_project(organisation=organisation, name=data["name"], actor=Actor.of(request))
        messages.success(request, f"{project.name} is ready, with a production and a staging environment.")
        return redirect(project_home(project.slug))
    return render(request, "accounts/project_new.html", {"form": form}, status=422 if form.errors else 200)


@project_view(Action.MANAGE)
def settings(request: ProjectRequest) -> HttpResponse:
    """Show and change a project's settings."""
    form = SettingsForm(request.POST or None, instance=request.project)
    if request.method == "POST" and form.is_valid():
        update_project(
            project=request.project, settings=ProjectSettings(**form.cleaned_data), actor=Actor.of(request)
        )
        messages.success(request, "The settings are saved.")
        return redirect("accounts:settings", request.project.slug)
    request.project.refresh_from_db()  # a rejected form must not rename the page around it
    context = {"form": form, "environments": environments_of(request.project)}
    return render(request, "accounts/settings.html", context, status=422 if form.errors else 200)


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user
