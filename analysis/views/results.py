"""The results of an experiment: the verdict and everything behind it, its pictures and exports."""

import csv
import io

from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from accounts.access import Action, ProjectRequest, allows
from accounts.audit import Actor
from analysis.charts import THEMES, exposures_chart, forest_chart, to_svg
from analysis.exports import csv_rows
from analysis.forest import build_forest
from analysis.models import AnalysisJob, JobState
from analysis.presentation import build_report
from analysis.queries.pages import latest_run, open_job, runs_of
from analysis.reports.content import result_of
from analysis.services import request_analysis
from analysis.services.jobs import RUN_JOB
from core.errors import NotFound
from core.wake import wake_worker
from experiments.models import Experiment
from experiments.views.experiments import experiment_view

RUNS_SHOWN = 20


@require_GET
@experiment_view(Action.SEE)
def results(request: ProjectRequest, experiment: Experiment) -> HttpResponse:
    """Show the latest run, or the one named by `run`."""
    run = latest_run(experiment, request.GET.get("run", ""))
    context = _frame(request, experiment, "results")
    if run is not None:
        report = build_report(result_of(run))
        runs = list(runs_of(experiment)[:RUNS_SHOWN])
        context |= {
            "run": run,
            "report": report,
            "result": report.result,
            "forest": build_forest(report),
            "runs": runs,
            "is_latest": not runs or runs[0].pk == run.pk,
        }
    return render(request, "analysis/results.html", context)


@require_GET
@experiment_view(Action.SEE)
def health(request: ProjectRequest, experiment: Experiment) -> HttpResponse:
    """Show whether the data can be trusted."""
    run = latest_run(experiment, request.GET.get("run", ""))
    context = _frame(request, experiment, "health")
    if run is not None:
        report = build_report(result_of(run))
        context |= {"run": run, "report": report, "result": report.result}
    return render(request, "analysis/health.html", context)


@require_GET
@experiment_view(Action.SEE)
def forest_picture(request: ProjectRequest, experiment: Experiment, run_id: str, theme: str) -> HttpResponse:
    """Return the forest plot of a run as SVG; a run never changes, so the picture is kept by browsers."""
    run = latest_run(experiment, run_id)
    forest = build_forest(build_report(result_of(run))) if run is not None else None
    name, _, shape = theme.partition("-")
    if forest is None or name not in THEMES or shape not in ("", "narrow"):
        raise NotFound("There is no such picture.")
    chart = forest_chart(forest.panels, forest.axis_title, name, is_narrow=shape == "narrow")
    return _svg(to_svg(chart))


@require_GET
@experiment_view(Action.SEE)
def exposures_picture(
    request: ProjectRequest, experiment: Experiment, run_id: str, theme: str
) -> HttpResponse:
    """Return the exposures a day of a run as SVG."""
    run = latest_run(experiment, run_id)
    if run is None or theme not in THEMES:
        raise NotFound("There is no such picture.")
    result = result_of(run)
    names = [variant.name for variant in result.variants]
    days = [
        {"day": day.day.isoformat(), "variant": name, "units": units}
        for day in result.health.days
        for name, units in zip(names, day.units, strict=True)
    ]
    return _svg(to_svg(exposures_chart(days, names, theme)))


@require_GET
@experiment_view(Action.ANALYSE)
def run_json(request: ProjectRequest, experiment: Experiment, run_id: str) -> HttpResponse:
    """Return a run as JSON."""
    run = latest_run(experiment, run_id)
    assert run is not None  # latest_run has refused an unknown id
    document = {
        "id": run.public_id,
        "experiment": experiment.public_id,
        "watermark": run.watermark.isoformat(),
        "result_hash": run.result_hash,
        "result": run.result,
    }
    response = JsonResponse(document, json_dumps_params={"indent": 2, "sort_keys": True})
    response["Content-Disposition"] = f'attachment; filename="{experiment.key}-{run.public_id}.json"'
    return response


@require_GET
@experiment_view(Action.ANALYSE)
def run_csv(request: ProjectRequest, experiment: Experiment, run_id: str) -> HttpResponse:
    """Return a run as CSV: one line per metric, variant and segment."""
    run = latest_run(experiment, run_id)
    assert run is not None  # latest_run has refused an unknown id
    text = io.StringIO()
    csv.writer(text).writerows(csv_rows(result_of(run)))
    response = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{experiment.key}-{run.public_id}.csv"'
    return response


@require_POST
@experiment_view(Action.ANALYSE)
def analyse(request: ProjectRequest, experiment: Experiment) -> HttpResponse:
    """Order an analysis: 202 with its progress for htmx, the progress page otherwise."""
    job = request_analysis(experiment=experiment, actor=Actor.of(request), now=timezone.now())
    wake_worker(RUN_JOB, [job.public_id])
    if request.headers.get("HX-Request"):
        return render(request, "analysis/_job.html", {"job": job, "experiment": experiment}, status=202)
    return redirect("analysis:job", request.project.slug, experiment.key, job.public_id)


@require_GET
@experiment_view(Action.SEE)
def job(request: ProjectRequest, experiment: Experiment, job_id: str) -> HttpResponse:
    """Show how far an analysis is; a finished one leads to its results."""
    found = AnalysisJob.objects.filter(experiment=experiment, public_id=job_id).select_related("run").first()
    if found is None:
        raise NotFound("This experiment has no such job.")
    is_htmx = bool(request.headers.get("HX-Request"))
    if found.state == JobState.DONE and not is_htmx:
        return redirect("analysis:results", request.project.slug, experiment.key)
    context = {**_frame(request, experiment, "results"), "job": found}
    response = render(request, "analysis/_job.html" if is_htmx else "analysis/job.html", context)
    if found.state == JobState.DONE:
        response["HX-Refresh"] = "true"
    return response


def _frame(request: ProjectRequest, experiment: Experiment, tab: str) -> dict[str, object]:
    return {
        "experiment": experiment,
        "tab": tab,
        "open_job": open_job(experiment),
        "can_analyse": allows(request.membership.role, Action.ANALYSE) and experiment.started_at is not None,
        "can_export": allows(request.membership.role, Action.ANALYSE),
        "can_decide": allows(request.membership.role, Action.RUN),
    }


def _svg(svg: str) -> HttpResponse:
    response = HttpResponse(svg, content_type="image/svg+xml")
    response["Cache-Control"] = "private, max-age=31536000, immutable"
    response["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    return response
