"""The list of segments, and what there is to know of one."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import Action, ProjectRequest, allows, project_view
from accounts.audit import Actor
from core.errors import DomainError
from core.wake import wake_worker
from events.queries import choose_environment, environments_of
from segments.forms import SegmentForm
from segments.models import SegmentStatus
from segments.queries.definitions import (
    latest_version,
    newer_versions_of_named,
    segments_naming,
    segments_of,
    sensitive_attributes,
    versions_of,
    with_current_state,
)
from segments.queries.membership import kept_fresh, refreshes_of
from segments.rules import parse
from segments.services import request_refresh, retire_segment, update_segment
from segments.services.refreshing import REFRESH_ONE
from segments.views.common import get_segment_by_key

PAGE_SIZE = 50


@require_GET
@project_view(Action.SEE)
def segment_list(request: ProjectRequest) -> HttpResponse:
    """Every segment of the project, with its size in one environment."""
    environments = environments_of(request.project)
    environment = choose_environment(environments, request.GET.get("environment", ""))
    status = SegmentStatus.RETIRED if request.GET.get("status") == "retired" else SegmentStatus.ACTIVE
    every = segments_of(request.project)
    segments = with_current_state(every.filter(status=status), environment)
    context = {
        "page": Paginator(segments, PAGE_SIZE).get_page(request.GET.get("page")),
        "environments": environments,
        "environment": environment,
        "status": status,
        "has_retired": every.filter(status=SegmentStatus.RETIRED).exists(),
        "can_edit": allows(request.membership.role, Action.EDIT),
    }
    return render(request, "segments/list.html", context)


@require_GET
@project_view(Action.SEE)
def segment_detail(request: ProjectRequest, segment_key: str) -> HttpResponse:
    """One segment: its rule in words, sizes, versions, and what uses it."""
    segment = get_segment_by_key(request.project, segment_key)
    latest = latest_version(segment)
    rule = parse(latest.rule)
    context = {
        "segment": segment,
        "latest": latest,
        "refreshes": refreshes_of(latest),
        "versions": versions_of(segment),
        "fresh_versions": set(kept_fresh().filter(segment=segment).values_list("pk", flat=True)),
        "sensitive": sensitive_attributes(request.project, rule),
        "named_by": segments_naming(segment),
        "outdated": newer_versions_of_named(request.project, rule),
        "can_edit": allows(request.membership.role, Action.EDIT),
        "is_active": segment.status == SegmentStatus.ACTIVE,
    }
    return render(request, "segments/detail.html", context)


@require_http_methods(["GET", "POST"])
@project_view(Action.EDIT)
def segment_details(request: ProjectRequest, segment_key: str) -> HttpResponse:
    """Change name, rationale and refresh interval."""
    segment = get_segment_by_key(request.project, segment_key)
    initial = {name: getattr(segment, name) for name in ("name", "rationale", "refresh_minutes")}
    form = SegmentForm(request.POST or None, initial=initial, refresh_minutes=segment.refresh_minutes)
    if request.method == "POST" and form.is_valid():
        try:
            update_segment(segment=segment, actor=Actor.of(request), **form.cleaned_data)
        except DomainError as error:
            form.add_error(None, error.message)
        else:
            messages.success(request, "The details are saved.")
            return redirect("segments:detail", request.project.slug, segment.key)
    status = 422 if form.errors else 200
    return render(request, "segments/details.html", {"form": form, "segment": segment}, status=status)


@require_POST
@project_view(Action.EDIT)
def segment_refresh(request: ProjectRequest, segment_key: str) -> HttpResponse:
    """Have the latest version counted now, in every environment."""
    segment = get_segment_by_key(request.project, segment_key)
    version, actor, now = latest_version(segment), Actor.of(request), timezone.now()
    rows = [
        request_refresh(version=version, environment=environment, actor=actor, now=now)
        for environment in environments_of(request.project)
    ]
    wake_worker(REFRESH_ONE, [row.pk for row in rows])
    messages.info(request, "The units are being counted. Load this page again in a moment.")
    return redirect("segments:detail", request.project.slug, segment.key)


@require_http_methods(["GET", "POST"])
@project_view(Action.EDIT)
def segment_retire(request: ProjectRequest, segment_key: str) -> HttpResponse:
    """Ask, then take a segment out of use."""
    segment = get_segment_by_key(request.project, segment_key)
    if request.method == "POST":
        retire_segment(segment=segment, actor=Actor.of(request))
        messages.success(request, f"{segment.name} is retired. What uses one of its versions keeps it.")
        return redirect("segments:list", request.project.slug)
    context = {"segment": segment, "named_by": segments_naming(segment)}
    return render(request, "segments/retire.html", context)
