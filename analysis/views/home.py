"""The first page of a project: what waits for a decision, what is unwell, what runs, what is missing."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.access import Action, ProjectRequest, allows, project_view
from analysis.queries.pages import project_state


@require_GET
@project_view(Action.SEE)
def home(request: ProjectRequest) -> HttpResponse:
    """Show the state of the whole project."""
    context = {
        "state": project_state(request.project),
        "can_edit": allows(request.membership.role, Action.EDIT),
    }
    return render(request, "analysis/home.html", context)
