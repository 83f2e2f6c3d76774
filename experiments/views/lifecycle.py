"""Pages that start, ramp, pause, resume, complete and archive: each says its effect before it is done."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from accounts.access import Action, ProjectRequest
from accounts.audit import Actor
from core.errors import DomainError
from experiments.allocation import open_slots, parse_allocation
from experiments.forms.experiments import CompleteForm, PauseForm, RampForm
from experiments.forms.problems import add_problems
from experiments.launch import check_launch
from experiments.models import Experiment, Origin
from experiments.presentation import allocation_bar
from experiments.queries import launch_facts
from experiments.services import (
    archive_experiment,
    change_allocation,
    complete_experiment,
    pause_experiment,
    ramp_effect,
    resume_experiment,
    start_experiment,
)
from experiments.views.experiments import experiment_view, planned_allocation


def _detail(request: ProjectRequest, experiment: Experiment) -> HttpResponse:
    return redirect("experiments:detail", request.project.slug, experiment.key)


@require_http_methods(["GET", "POST"])
@experiment_view(Action.RUN)
def experiment_start(request: ProjectRequest, experiment: Experiment) -> HttpResponse:
    """The pre-launch page: blockers, warnings, what a start does, and the button."""
    failure: DomainError | None = None
    if request.method == "POST":
        try:
            start_experiment(experiment=experiment, actor=Actor.of(request))
        except DomainError as error:
            failure = error
        else:
            messages.success(request, "It runs. Apps get the variants within seconds.")
            return _detail(request, experiment)
    findings = check_launch(launch_facts(experiment))
    names = list(experiment.variants.order_by("index").values_list("name", flat=True))
    targets = experiment.targets.select_related("segment_version__segment").order_by("position")
    blockers = [finding for finding in findings if finding.is_blocker]
    context = {
        "experiment": experiment,
        "tab": "setup",
        "failure": failure,
        "blockers": blockers,
        "warnings": [finding for finding in findings if not finding.is_blocker],
        "targets": [] if blockers else [(t, allocation_bar(planned_allocation(t), names)) for t in targets],
    }
    return render(request, "experiments/launch.html", context, status=failure.status if failure else 200)


@require_http_methods(["GET", "POST"])
@experiment_view(Action.STOP)
def experiment_pause(request: ProjectRequest, experiment: Experiment) -> HttpResponse:
    """Give everyone the default value for a while."""
    form = PauseForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            pause_experiment(
                experiment=experiment, reason=form.cleaned_data["reason"], actor=Actor.of(request)
            )
        except DomainError as error:
            add_problems(form, error)
        else:
            messages.success(request, "It is paused. Everyone gets the default value.")
            return _detail(request, experiment)
    effect = (
        "Every unit gets the flag's default value within seconds. Nobody moves: on resuming, "
        "each unit gets the same variant as before."
    )
    return _step_page(request, experiment, "Pause", effect, form)


@require_http_methods(["GET", "POST"])
@experiment_view(Action.RUN)
def experiment_resume(request: ProjectRequest, experiment: Experiment) -> HttpResponse:
    """Go on after a pause."""
    if request.method == "POST":
        resume_experiment(experiment=experiment, actor=Actor.of(request))
        messages.success(request, "It runs again.")
        return _detail(request, experiment)
    effect = f"Moves 0 units: each gets its variant from before the pause. Why it was paused: {experiment.pause_reason}"
    return _step_page(request, experiment, "Resume", effect, None)


@require_http_methods(["GET", "POST"])
@experiment_view(Action.RUN)
def experiment_complete(request: ProjectRequest, experiment: Experiment) -> HttpResponse:
    """End it with a decision."""
    form = CompleteForm(request.POST if request.method == "POST" else None, experiment=experiment)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            complete_experiment(
                experiment=experiment,
                decision=data["decision"],
                reason=data["reason"],
                variant_key=data["variant"],
                actor=Actor.of(request),
            )
        except DomainError as error:
            add_problems(form, error)
        else:
            messages.success(request, "It is completed, and its decision is written down.")
            return _detail(request, experiment)
    return _step_page(request, experiment, "Complete", _completion_effect(experiment), form)


def _completion_effect(experiment: Experiment) -> str:
    if experiment.origin == Origin.IMPORTED:
        return "Writes the decision down. Nothing is served by Strata, so nothing changes for anybody."
    return (
        f"From now on the flag {experiment.flag.key} serves its default value to everyone, and no new data count. "
        "To ship a variant, set the flag's default to that variant's value after completing."
    )


@require_http_methods(["GET", "POST"])
@experiment_view(Action.EDIT)
def experiment_archive(request: ProjectRequest, experiment: Experiment) -> HttpResponse:
    """Put it away."""
    if request.method == "POST":
        archive_experiment(experiment=experiment, actor=Actor.of(request))
        messages.success(request, "It is archived; its results stay readable.")
        return _detail(request, experiment)
    effect = "Moves 0 units. It leaves the list of what needs attention, and can no longer be changed."
    return _step_page(request, experiment, "Archive", effect, None)


def _step_page(
    request: ProjectRequest,
    experiment: Experiment,
    title: str,
    effect: str,
    form: PauseForm | CompleteForm | None,
) -> HttpResponse:
    context = {"experiment": experiment, "tab": "setup", "title": title, "effect": effect, "form": form}
    status = 422 if form is not None and form.is_bound else 200
    return render(request, "experiments/step.html", context, status=status)


@require_http_methods(["GET", "POST"])
@experiment_view(Action.RUN)
def experiment_ramp(request: ProjectRequest, experiment: Experiment, position: int) -> HttpResponse:
    """Open more traffic of one target: preview the effect first, then do it."""
    target = get_object_or_404(
        experiment.targets.select_related("segment_version__segment"), position=position
    )
    names = list(experiment.variants.order_by("index").values_list("name", flat=True))
    form = RampForm(request.POST if request.method == "POST" else None, target=target, variants=names)
    effect = None
    if request.method == "POST" and form.is_valid():
        wanted = {"share_bp": form.cleaned_data["share_bp"], "weights_bp": form.weights_bp()}
        try:
            effect = ramp_effect(target, **wanted)
            if "preview" not in request.POST:
                reason = form.cleaned_data["reason"]
                change_allocation(
                    experiment=experiment, position=position, reason=reason, actor=Actor.of(request), **wanted
                )
                messages.success(request, effect.sentence)
                return _detail(request, experiment)
        except DomainError as error:
            form.add_error("share_bp" if error.pointer == "/share_bp" else None, error.message)
            effect = None
    allocation = parse_allocation(target.allocation, variants=len(names))
    context = {
        "experiment": experiment,
        "tab": "setup",
        "target": target,
        "form": form,
        "effect": effect,
        "before": allocation_bar(allocation, names),
        "after": allocation_bar(effect.allocation, names) if effect else None,
        "open_share_bp": sum(open_slots(allocation, variants=len(names))),
    }
    return render(request, "experiments/ramp.html", context, status=422 if form.errors else 200)
