"""Is this unit in the segment, and why? With facts typed in, or stored ones for the privacy officer."""

from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.access import Action, ProjectRequest, allows, project_view
from accounts.audit import Actor
from core.errors import DomainError
from events.queries import choose_environment, environments_of
from segments.forms import FactsForm, StoredUnitForm, pretty
from segments.models import SegmentVersion
from segments.queries.definitions import latest_version, vocabulary_of
from segments.rules import AttributeTest, Event, Profile, ValueType, parse, references, walk
from segments.services import UnitCheck, check_facts, check_stored_unit
from segments.views.common import get_segment_by_key

_EXAMPLES: dict[str, Any] = {
    ValueType.STRING: "text",
    ValueType.NUMBER: 1,
    ValueType.BOOLEAN: True,
    ValueType.DATETIME: "2026-01-31T12:00:00Z",
    ValueType.LIST: ["text"],
}


@require_http_methods(["GET", "POST"])
@project_view(Action.SEE)
@never_cache
def segment_test(request: ProjectRequest, segment_key: str) -> HttpResponse:
    """Evaluate the latest version for one unit, with a trace per condition."""
    segment = get_segment_by_key(request.project, segment_key)
    version = latest_version(segment)
    environments = environments_of(request.project)
    may_look = allows(request.membership.role, Action.PRIVACY)
    is_stored = request.POST.get("which") == "stored"
    facts = FactsForm(request.POST if request.POST and not is_stored else None, initial=_example(version))
    stored = StoredUnitForm(
        request.POST if is_stored else None, environments=[(e.slug, e.name) for e in environments]
    )
    check: UnitCheck | None = None
    if is_stored and not may_look:
        raise PermissionDenied("Only a privacy officer may look at what is stored of one unit.")
    if facts.is_bound and facts.is_valid():
        now = timezone.now()
        check = check_facts(version=version, profile=_profile(facts.cleaned_data, now), now=now)
    if stored.is_bound and stored.is_valid():
        check = _check_stored(request, version, stored)
    context = {
        "segment": segment,
        "version": version,
        "facts": facts,
        "stored": stored if may_look else None,
        "check": check,
    }
    failed = request.method == "POST" and check is None
    return render(request, "segments/test.html", context, status=422 if failed else 200)


def _check_stored(request: ProjectRequest, version: SegmentVersion, form: StoredUnitForm) -> UnitCheck | None:
    data = form.cleaned_data
    try:
        return check_stored_unit(
            version=version,
            environment=choose_environment(environments_of(request.project), data["environment"]),
            unit_id=data["unit_id"],
            actor=Actor.of(request),
            reason=data["reason"],
            now=timezone.now(),
        )
    except DomainError as error:
        name = error.pointer.lstrip("/")
        form.add_error(name if name in form.fields else "unit_id", error.message)
        return None


def _profile(data: dict[str, Any], now: datetime) -> Profile:
    events = [
        Event(
            e["name"],
            now - timedelta(days=e["days_ago"], microseconds=1),
            e.get("value"),
            e.get("properties", {}),
        )
        for e in data["events"]
    ]
    return Profile(attributes=data["attributes"], events=events)


def _example(version: SegmentVersion) -> dict[str, str]:
    """Return facts that name what the rule asks for, with its own constants."""
    rule = parse(version.rule)
    types = vocabulary_of(version.segment.project, version.segment.unit_type).attributes or {}
    attributes = {key: _EXAMPLES[types.get(key, ValueType.STRING)] for key in references(rule).attributes}
    for node in walk(rule):
        if isinstance(node, AttributeTest) and node.value is not None:
            attributes[node.attribute] = node.value[0] if isinstance(node.value, tuple) else node.value
    events = [{"name": name, "days_ago": 1} for name in sorted(references(rule).events)]
    return {
        "attributes": pretty(dict(sorted(attributes.items()))),
        "events": pretty(events) if events else "",
    }
