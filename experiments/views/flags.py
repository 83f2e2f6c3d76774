"""Pages for flags."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from accounts.access import Action, ProjectRequest, allows, project_view
from accounts.audit import Actor
from core.errors import DomainError
from experiments.documents import flag_document
from experiments.forms.flags import EditFlagForm, NewFlagForm
from experiments.forms.problems import add_problems
from experiments.models import Flag
from experiments.queries import flags_of
from experiments.services import create_flag, update_flag

PAGE_SIZE = 50


@require_GET
@project_view(Action.SEE)
def flag_list(request: ProjectRequest) -> HttpResponse:
    """Every flag of the project."""
    page = Paginator(flags_of(request.project), PAGE_SIZE).get_page(request.GET.get("page"))
    can_edit = allows(request.membership.role, Action.EDIT)
    return render(request, "experiments/flag_list.html", {"page": page, "can_edit": can_edit})


@require_http_methods(["GET", "POST"])
@project_view(Action.EDIT)
def flag_new(request: ProjectRequest) -> HttpResponse:
    """Make a flag."""
    initial = {"type": "boolean", "default_value": "false", "enabled": True}
    form = NewFlagForm(request.POST if request.method == "POST" else None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            flag = create_flag(project=request.project, actor=Actor.of(request), **form.cleaned_data)
        except DomainError as error:
            add_problems(form, error)
        else:
            messages.success(request, f"The flag {flag.key} is there. Apps can ask for it now.")
            return redirect("experiments:flags", request.project.slug)
    status = 422 if form.is_bound else 200
    return render(request, "experiments/flag_form.html", {"form": form, "flag": None}, status=status)


@require_http_methods(["GET", "POST"])
@project_view(Action.EDIT)
def flag_edit(request: ProjectRequest, flag_key: str) -> HttpResponse:
    """Change a flag; it takes effect at once."""
    flag = get_object_or_404(Flag, project=request.project, key=flag_key)
    form = EditFlagForm(
        request.POST if request.method == "POST" else None, initial=flag_document(flag), flag=flag
    )
    if request.method == "POST" and form.is_valid():
        try:
            update_flag(flag=flag, actor=Actor.of(request), role=request.membership.role, **form.cleaned_data)
        except DomainError as error:
            add_problems(form, error)
        else:
            messages.success(request, f"The flag {flag.key} is saved, and published to every environment.")
            return redirect("experiments:flags", request.project.slug)
    context = {
        "form": form,
        "flag": flag,
        "experiments": flag.experiments.select_related("environment").order_by("-id")[:PAGE_SIZE],
    }
    return render(request, "experiments/flag_form.html", context, status=422 if form.is_bound else 200)
