"""Pages that list, make and describe experiments."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from accounts.access import Action, ProjectRequest, allows, project_view
from accounts.audit import Actor
from core.errors import DomainError
from experiments.allocation import Allocation, closed, open_more, parse_allocation
from experiments.documents import description_document
from experiments.forms.experiments import DescriptionForm, NewExperimentForm, OverrideForm
from experiments.forms.problems import add_problems
from experiments.launch import check_launch
from experiments.lifecycle import steps_from
from experiments.metric_words import metric_sentence
from experiments.models import Experiment, Origin, Override, Status, Target
from experiments.presentation import action_words, allocation_bar, checklist
from experiments.queries import experiments_of, experiments_using, full_experiments, history_of, launch_facts
from experiments.services import create_experiment, remove_override, set_override, update_experiment
from experiments.values import show_value
from segments.models import Segment

PAGE_SIZE = 25
HISTORY_SIZE = 30
USES_SHOWN = 50

# Pointers of create_experiment to fields of the short form.
_NEW_FIELDS = {
    "/key": "new_flag_key",
    "/default_value": "control_value",
    "/variants/0/key": "control_key",
    "/variants/0/value": "control_value",
    "/variants/1/key": "treatment_key",
    "/variants/1/value": "treatment_value",
    "/targets/0/segment": "segments",
}


def experiment_view(action: Action) -> Callable[[Callable[..., HttpResponse]], Callable[..., HttpResponse]]:
    """Guard a page of one experiment: as `project_view`, and 404 unless the project has it."""

    def decorate(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        @project_view(action)
        @wraps(view)
        def found(request: ProjectRequest, experiment_key: str, **kwargs: Any) -> HttpResponse:
            rows = Experiment.objects.select_related(
                "flag", "environment", "project", "layer", "decided_variant"
            )
            experiment = get_object_or_404(rows, project=request.project, key=experiment_key)
            return view(request, experiment, **kwargs)

        return found

    return decorate


@require_GET
@project_view(Action.SEE)
def experiment_list(request: ProjectRequest) -> HttpResponse:
    """Every experiment of the project, newest first; `status` narrows it."""
    wanted = request.GET.get("status", "")
    status = wanted if wanted in Status.values else ""
    rows = experiments_of(request.project)
    if status:
        rows = rows.filter(status=status)
    context = {
        "page": Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page")),
        "statuses": Status.choices,
        "status": status,
        "query": f"status={status}&" if status else "",
        "can_edit": allows(request.membership.role, Action.EDIT),
    }
    return render(request, "experiments/experiment_list.html", context)


@require_http_methods(["GET", "POST"])
@project_view(Action.EDIT)
def experiment_new(request: ProjectRequest) -> HttpResponse:
    """One short form that makes a draft."""
    form = NewExperimentForm(request.POST if request.method == "POST" else None, project=request.project)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            experiment = create_experiment(
                environment=data["environment"],
                name=data["name"],
                hypothesis=data["hypothesis"],
                unit_type=data["unit_type"],
                flag=form.flag_choice(),
                variants=form.variants(),
                targets=form.targets(),
                actor=Actor.of(request),
            )
        except DomainError as error:
            add_problems(form, error, _NEW_FIELDS)
        else:
            messages.success(request, "The draft is there. The checklist says what it still needs.")
            return redirect("experiments:detail", request.project.slug, experiment.key)
    status = 422 if form.is_bound else 200
    return render(request, "experiments/experiment_new.html", {"form": form}, status=status)


@require_GET
@experiment_view(Action.SEE)
def experiment_detail(request: ProjectRequest, experiment: Experiment) -> HttpResponse:
    """The set-up of an experiment: every part, what is missing, and the next steps."""
    full = full_experiments(experiment.environment).get(pk=experiment.pk)
    names = [variant.name for variant in full.variants.all()]
    findings = check_launch(launch_facts(experiment)) if experiment.status == Status.DRAFT else ()
    role = request.membership.role
    context = {
        "experiment": full,
        "tab": "setup",
        "is_imported": full.origin == Origin.IMPORTED,
        "is_draft": full.status == Status.DRAFT,
        "can_ramp": full.status in (Status.RUNNING, Status.PAUSED) and allows(role, Action.RUN),
        "can_edit": allows(role, Action.EDIT),
        "steps": [step for step in steps_from(full.status) if allows(role, step_action(step))],
        "checklist": checklist(findings, has_layer=full.layer is not None),
        "blockers": sum(finding.is_blocker for finding in findings),
        "variants": [(variant, show_value(variant.value)) for variant in full.variants.all()],
        "targets": [
            (target, allocation_bar(planned_allocation(target), names)) for target in full.targets.all()
        ],
        "metrics": [(use, metric_sentence(use.metric)) for use in full.metrics.all()],
        "plan": getattr(full, "plan", None),
        "overrides": full.overrides.select_related("variant").order_by("unit_id")[:100],
    }
    return render(request, "experiments/experiment_detail.html", context)


def step_action(step: str) -> Action:
    """Return what a role must cover to carry out a step."""
    return Action.STOP if step == "pause" else Action.EDIT if step == "archive" else Action.RUN


def planned_allocation(target: Target) -> Allocation:
    """Return the target's allocation; for a draft, the one that a start would make."""
    stored = parse_allocation(target.allocation, variants=len(target.weights_bp))
    is_planned = target.experiment.status == Status.DRAFT or target.experiment.origin == Origin.IMPORTED
    if not is_planned:
        return stored
    return open_more(closed(), weights_bp=target.weights_bp, share_bp=target.share_bp)


@require_http_methods(["GET", "POST"])
@experiment_view(Action.EDIT)
def experiment_describe(request: ProjectRequest, experiment: Experiment) -> HttpResponse:
    """Change the words of an experiment."""
    is_draft = experiment.status == Status.DRAFT
    form = DescriptionForm(
        request.POST if request.method == "POST" else None,
        initial=description_document(experiment),
        is_draft=is_draft,
    )
    if request.method == "POST" and form.is_valid():
        try:
            update_experiment(experiment=experiment, actor=Actor.of(request), **form.cleaned_data)
        except DomainError as error:
            add_problems(form, error)
        else:
            return redirect("experiments:detail", request.project.slug, experiment.key)
    context = {"form": form, "experiment": experiment, "title": "Description", "tab": "setup"}
    return render(request, "experiments/part_form.html", context, status=422 if form.is_bound else 200)


@require_http_methods(["GET", "POST"])
@experiment_view(Action.EDIT)
def experiment_overrides(request: ProjectRequest, experiment: Experiment) -> HttpResponse:
    """Units that always get one variant: list them, add one."""
    form = OverrideForm(request.POST if request.method == "POST" else None, experiment=experiment)
    if request.method == "POST" and form.is_valid():
        unit_id, variant = form.cleaned_data["unit_id"], form.cleaned_data["variant"]
        try:
            set_override(experiment=experiment, unit_id=unit_id, variant_key=variant, actor=Actor.of(request))
        except DomainError as error:
            add_problems(form, error)
        else:
            messages.success(request, f"The unit {unit_id} gets {variant} from now on.")
            return redirect("experiments:overrides", request.project.slug, experiment.key)
    rows = Override.objects.filter(experiment=experiment).select_related("variant").order_by("unit_id")
    context = {
        "form": form,
        "experiment": experiment,
        "tab": "setup",
        "page": Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page")),
    }
    return render(request, "experiments/overrides.html", context, status=422 if form.is_bound else 200)


@require_http_methods(["POST"])
@experiment_view(Action.EDIT)
def override_remove(request: ProjectRequest, experiment: Experiment) -> HttpResponse:
    """Let a unit be drawn like every other again."""
    unit_id = request.POST.get("unit_id", "")
    remove_override(experiment=experiment, unit_id=unit_id, actor=Actor.of(request))
    messages.success(request, f"The unit {unit_id} is drawn like every other again.")
    return redirect("experiments:overrides", request.project.slug, experiment.key)


@require_GET
@experiment_view(Action.SEE)
def experiment_history(request: ProjectRequest, experiment: Experiment) -> HttpResponse:
    """Who changed what of this experiment, newest first."""
    page = Paginator(history_of(experiment), HISTORY_SIZE).get_page(request.GET.get("page"))
    rows = [(entry, action_words(entry.action)) for entry in page]
    context = {"experiment": experiment, "tab": "history", "page": page, "rows": rows}
    return render(request, "experiments/experiment_history.html", context)


@require_GET
@project_view(Action.SEE)
def segment_uses(request: ProjectRequest, segment_id: str) -> HttpResponse:
    """List the experiments that use a segment: a page of its own, or the panel of the segment's page."""
    segment = get_object_or_404(Segment, project=request.project, public_id=segment_id)
    context = {"segment": segment, "experiments": experiments_using(segment)[:USES_SHOWN]}
    fragment = request.headers.get("HX-Request") == "true"
    template = "experiments/_segment_uses.html" if fragment else "experiments/segment_uses.html"
    return render(request, template, context)
