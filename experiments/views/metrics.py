"""Pages for metrics."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from accounts.access import Action, ProjectRequest, allows, project_view
from accounts.audit import Actor
from core.errors import DomainError
from experiments.documents import metric_document
from experiments.forms.metrics import MetricForm
from experiments.forms.problems import add_problems
from experiments.metric_words import metric_sentence
from experiments.models import Metric
from experiments.queries import metrics_of
from experiments.services import create_metric, update_metric

PAGE_SIZE = 50


@require_GET
@project_view(Action.SEE)
def metric_list(request: ProjectRequest) -> HttpResponse:
    """Every metric of the project, with what it counts in words."""
    page = Paginator(metrics_of(request.project), PAGE_SIZE).get_page(request.GET.get("page"))
    rows = [(metric, metric_sentence(metric)) for metric in page]
    can_edit = allows(request.membership.role, Action.ANALYSE)
    return render(request, "experiments/metric_list.html", {"page": page, "rows": rows, "can_edit": can_edit})


@require_http_methods(["GET", "POST"])
@project_view(Action.ANALYSE)
def metric_new(request: ProjectRequest) -> HttpResponse:
    """Make a metric."""
    form = MetricForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            metric = create_metric(project=request.project, actor=Actor.of(request), **form.cleaned_data)
        except DomainError as error:
            add_problems(form, error)
        else:
            messages.success(request, f"{metric.name}: {metric_sentence(metric)}")
            return redirect("experiments:metrics", request.project.slug)
    status = 422 if form.is_bound else 200
    return render(request, "experiments/metric_form.html", {"form": form, "metric": None}, status=status)


@require_http_methods(["GET", "POST"])
@project_view(Action.ANALYSE)
def metric_edit(request: ProjectRequest, metric_key: str) -> HttpResponse:
    """Change a metric that no running experiment is read by."""
    metric = get_object_or_404(Metric, project=request.project, key=metric_key)
    form = MetricForm(
        request.POST if request.method == "POST" else None, initial=metric_document(metric), metric=metric
    )
    if request.method == "POST" and form.is_valid():
        try:
            update_metric(metric=metric, actor=Actor.of(request), **form.cleaned_data)
        except DomainError as error:
            add_problems(form, error)
        else:
            messages.success(request, f"{metric.name}: {metric_sentence(metric)}")
            return redirect("experiments:metrics", request.project.slug)
    stored = Metric.objects.get(pk=metric.pk)
    context = {
        "form": form,
        "metric": stored,
        "sentence": metric_sentence(stored),
        "uses": metric.uses.select_related("experiment").order_by("-id")[:PAGE_SIZE],
    }
    return render(request, "experiments/metric_form.html", context, status=422 if form.is_bound else 200)
