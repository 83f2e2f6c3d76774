"""Is there enough traffic: before launch from history or given baselines, while running from the latest run."""

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from accounts.access import Action, ProjectRequest
from analysis.planning import plan_traffic
from analysis.presentation import build_report
from analysis.queries.pages import latest_run
from analysis.reports.content import result_of
from core.errors import DomainError
from experiments.models import Experiment
from experiments.views.experiments import experiment_view


@require_GET
@experiment_view(Action.SEE)
def adequacy(request: ProjectRequest, experiment: Experiment) -> HttpResponse:
    """Show days to the planned effect per target and segment; a fragment for htmx, a page otherwise."""
    context: dict[str, object] = {"experiment": experiment, "tab": "adequacy"}
    run = latest_run(experiment)
    if run is not None:
        report = build_report(result_of(run))
        context |= {"run": run, "report": report, "result": report.result}
    if experiment.started_at is None:
        try:
            context["planning"] = plan_traffic(experiment, now=timezone.now())
        except DomainError as error:
            context["missing"] = error.message
    name = "analysis/_adequacy.html" if request.headers.get("HX-Request") else "analysis/adequacy.html"
    return render(request, name, context)
