"""The decision: the recommendation beside the form, then the experiment is completed with a reason."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from accounts.access import Action, ProjectRequest
from accounts.audit import Actor
from analysis.forms import DecisionForm
from analysis.presentation import build_report
from analysis.queries.pages import latest_run
from analysis.reports.content import result_of
from core.errors import DomainError
from experiments.forms.problems import add_problems
from experiments.models import Decision, Experiment, Status
from experiments.services import complete_experiment, record_decision
from experiments.views.experiments import experiment_view

RECOMMENDED = {
    "ship": Decision.SHIP,
    "stop": Decision.STOP,
    "inconclusive": Decision.INCONCLUSIVE,
    "invalid": Decision.INVALID,
}


@require_http_methods(["GET", "POST"])
@experiment_view(Action.RUN)
def decide(request: ProjectRequest, experiment: Experiment) -> HttpResponse:
    """Complete the experiment with a decision, or change the decision of a completed one."""
    run = latest_run(experiment)
    report = build_report(result_of(run)) if run is not None else None
    form = DecisionForm(request.POST or None, experiment=experiment, initial=_initial(experiment, report))
    if request.method == "POST" and form.is_valid():
        try:
            _carry_out(request, experiment, form)
        except DomainError as error:
            add_problems(form, error)
        else:
            messages.success(
                request, "Decided. The flag serves its default value; set that to what you ship."
            )
            return redirect("analysis:results", request.project.slug, experiment.key)
    context = {
        "experiment": experiment,
        "tab": "results",
        "run": run,
        "report": report,
        "form": form,
        "is_open": experiment.status in (Status.RUNNING, Status.PAUSED, Status.COMPLETED),
    }
    return render(request, "analysis/decide.html", context, status=422 if form.is_bound else 200)


def _carry_out(request: ProjectRequest, experiment: Experiment, form: DecisionForm) -> None:
    service = record_decision if experiment.status == Status.COMPLETED else complete_experiment
    service(
        experiment=experiment,
        decision=form.cleaned_data["decision"],
        reason=form.cleaned_data["reason"],
        variant_key=form.cleaned_data["variant"],
        actor=Actor.of(request),
    )


def _initial(experiment: Experiment, report: object) -> dict[str, str]:
    """Start from what was decided before, else from what the verdict recommends."""
    if experiment.decision:
        variant = experiment.decided_variant.key if experiment.decided_variant else ""
        return {"decision": experiment.decision, "reason": experiment.decision_reason, "variant": variant}
    result = getattr(report, "result", None)
    if result is None or result.verdict.kind not in RECOMMENDED:
        return {}
    winner = next((v.key for v in result.variants if v.name == result.verdict.winner), "")
    return {"decision": RECOMMENDED[result.verdict.kind], "variant": winner}
