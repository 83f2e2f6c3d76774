"""Pages that edit one part of a draft's set-up each."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from accounts.access import Action, ProjectRequest
from accounts.audit import Actor
from core.errors import DomainError
from experiments.forms.problems import add_problems, add_row_problems
from experiments.forms.setup import (
    BreakdownsForm,
    PlanForm,
    RowSet,
    metric_rows,
    plan_initial,
    target_rows,
    variant_rows,
)
from experiments.models import Experiment, Status
from experiments.services import set_breakdowns, set_metrics, set_plan, set_targets, set_variants
from experiments.views.experiments import experiment_view

_Rows = Callable[..., RowSet]
_Service = Callable[..., None]


def _rows_page(
    request: ProjectRequest,
    experiment: Experiment,
    part: str,
    rows: _Rows,
    service: _Service,
    words: dict[str, str],
) -> HttpResponse:
    """Edit a part that is a list of rows; `add` in the form asks for another empty row after saving."""
    if experiment.status != Status.DRAFT:
        return _fixed(request, experiment)
    formset = rows(experiment, request.POST if request.method == "POST" else None)
    if request.method == "POST" and formset.is_valid():
        used = formset.used_rows()
        values = [row.to_input() for row in used]
        try:
            service(experiment=experiment, actor=Actor.of(request), **{part: values})
        except DomainError as error:
            add_row_problems(formset, used, error)
        else:
            page = f"experiments:setup-{part}" if "add" in request.POST else "experiments:detail"
            return redirect(page, request.project.slug, experiment.key)
    context: dict[str, Any] = {"formset": formset, "experiment": experiment, "tab": "setup", **words}
    return render(request, "experiments/part_rows.html", context, status=422 if formset.is_bound else 200)


def _fixed(request: ProjectRequest, experiment: Experiment) -> HttpResponse:
    messages.warning(
        request, f"This experiment is {experiment.status}; its set-up is fixed since its launch."
    )
    return redirect("experiments:detail", request.project.slug, experiment.key)


@require_http_methods(["GET", "POST"])
@experiment_view(Action.EDIT)
def setup_variants(request: ProjectRequest, experiment: Experiment) -> HttpResponse:
    """The arms, control first."""
    words = {
        "title": "Variants",
        "lede": "The first is the control. Each carries the value that the flag then returns.",
        "row": "Variant",
    }
    return _rows_page(request, experiment, "variants", variant_rows, set_variants, words)


@require_http_methods(["GET", "POST"])
@experiment_view(Action.EDIT)
def setup_targets(request: ProjectRequest, experiment: Experiment) -> HttpResponse:
    """Who takes part, in order."""
    words = {
        "title": "Targets and allocation",
        "lede": "A unit belongs to the first target it matches. The share says how much of it takes part, "
        "the weights how those are divided: they sum to 100 %.",
        "row": "Target",
    }
    return _rows_page(request, experiment, "targets", target_rows, set_targets, words)


@require_http_methods(["GET", "POST"])
@experiment_view(Action.EDIT)
def setup_metrics(request: ProjectRequest, experiment: Experiment) -> HttpResponse:
    """What decides, what is looked at, and what must not get worse."""
    words = {
        "title": "Metrics",
        "lede": "One primary metric decides. A guardrail must not get worse by more than its margin, such as 2 %.",
        "row": "Metric",
    }
    return _rows_page(request, experiment, "metrics", metric_rows, set_metrics, words)


@require_http_methods(["GET", "POST"])
@experiment_view(Action.EDIT)
def setup_plan(request: ProjectRequest, experiment: Experiment) -> HttpResponse:
    """How much error, how small an effect, how long."""
    if experiment.status != Status.DRAFT:
        return _fixed(request, experiment)
    form = PlanForm(request.POST if request.method == "POST" else None, initial=plan_initial(experiment))
    if request.method == "POST" and form.is_valid():
        try:
            set_plan(experiment=experiment, plan=form.to_input(), actor=Actor.of(request))
        except DomainError as error:
            add_problems(form, error)
        else:
            return redirect("experiments:detail", request.project.slug, experiment.key)
    context = {
        "form": form,
        "experiment": experiment,
        "title": "Plan",
        "tab": "setup",
        "shows_adequacy": True,
    }
    return render(request, "experiments/part_form.html", context, status=422 if form.is_bound else 200)


@require_http_methods(["GET", "POST"])
@experiment_view(Action.EDIT)
def setup_breakdowns(request: ProjectRequest, experiment: Experiment) -> HttpResponse:
    """The segments by which results are reported."""
    if experiment.status != Status.DRAFT:
        return _fixed(request, experiment)
    pinned = experiment.breakdowns.values_list("segment_version__segment__key", flat=True)
    form = BreakdownsForm(
        request.POST if request.method == "POST" else None,
        initial={"segments": list(pinned)},
        experiment=experiment,
    )
    if request.method == "POST" and form.is_valid():
        try:
            set_breakdowns(
                experiment=experiment, segments=form.cleaned_data["segments"], actor=Actor.of(request)
            )
        except DomainError as error:
            add_problems(form, error, {error.pointer: "segments"})
        else:
            return redirect("experiments:detail", request.project.slug, experiment.key)
    context = {"form": form, "experiment": experiment, "title": "Breakdowns", "tab": "setup"}
    return render(request, "experiments/part_form.html", context, status=422 if form.is_bound else 200)
