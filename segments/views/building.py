"""The builder: a rule in rows. Every button is a submit, so it works without JavaScript; htmx swaps the form."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods
from django_htmx.http import HttpResponseClientRedirect

from accounts.access import Action, ProjectRequest, project_view
from accounts.audit import Actor
from core import strict_json
from core.errors import DomainError, Problem
from core.problem import problems_of
from core.wake import wake_worker
from events.queries import choose_environment, environments_of
from segments.builder import (
    KIND_CHOICES,
    BuilderChoices,
    RowProblem,
    anchor_of,
    number_of,
    problems_by_row,
    row_view,
)
from segments.forms import NewSegmentForm, pretty
from segments.models import Segment, SegmentVersion
from segments.queries.definitions import latest_version, vocabulary_of
from segments.queries.facts import event_names
from segments.rules import RuleError, Vocabulary, encode, parse
from segments.rules.draft_documents import draft_of, write_draft
from segments.rules.drafts import ROOT, Row, add_row, empty_draft, move_row, read_rows, remove_row
from segments.rules.values import is_clean_text
from segments.services import RuleTrial, create_segment, save_version, try_rule
from segments.services.refreshing import REFRESH_ONE
from segments.views.common import get_segment_by_key

JSON, ROWS = "json", "rows"


@dataclass(frozen=True, slots=True)
class Editing:
    """The state of the page: a draft in rows, or JSON text; and the row that takes the focus."""

    mode: str
    draft: Row
    json_text: str = ""
    focus: str = ""


@require_http_methods(["GET", "POST"])
@project_view(Action.EDIT)
def segment_new(request: ProjectRequest) -> HttpResponse:
    """Make a segment."""
    return _builder(request, None)


@require_http_methods(["GET", "POST"])
@project_view(Action.EDIT)
def segment_edit(request: ProjectRequest, segment_key: str) -> HttpResponse:
    """Edit a segment's rule; saving makes the next version."""
    return _builder(request, get_segment_by_key(request.project, segment_key))


def _builder(request: ProjectRequest, segment: Segment | None) -> HttpResponse:
    vocabulary = vocabulary_of(request.project, _unit_type(request, segment))
    if segment:
        others = {key: name for key, name in (vocabulary.segments or {}).items() if key != segment.public_id}
        vocabulary = replace(vocabulary, segments=others)
    if request.method == "GET":
        return _page(request, segment, vocabulary, _opening(segment, vocabulary))
    do, _, path = request.POST.get("do", "check").partition(":")
    editing = _posted(request, vocabulary)
    if do == "save":
        return _save(request, segment, vocabulary, editing)
    if do == "check":
        return _check(request, segment, vocabulary, editing)
    return _page(request, segment, vocabulary, _changed(editing, do, path, request.POST, vocabulary))


def _unit_type(request: ProjectRequest, segment: Segment | None) -> str:
    """Return what the rule is about; text that cannot be stored reads as the default until the form refuses it."""
    wanted = segment.unit_type if segment else request.POST.get("unit_type", "user")
    return wanted if is_clean_text(wanted) else "user"


def _opening(segment: Segment | None, vocabulary: Vocabulary) -> Editing:
    """Return the page as it opens: the latest rule in rows, or as JSON where rows cannot hold it."""
    if segment is None:
        return Editing(ROWS, empty_draft())
    rule = parse(latest_version(segment).rule)
    draft = draft_of(rule, vocabulary.attributes or {})
    return Editing(ROWS, draft) if draft else Editing(JSON, empty_draft(), pretty(encode(rule)))


def _posted(request: ProjectRequest, vocabulary: Vocabulary) -> Editing:
    if request.POST.get("mode") == JSON:
        return Editing(JSON, empty_draft(), request.POST.get("json", ""))
    return Editing(ROWS, read_rows(request.POST))


def _changed(
    editing: Editing, do: str, path: str, data: Mapping[str, str], vocabulary: Vocabulary
) -> Editing:
    """Return the page after a button that changes rows or the way of editing."""
    if do == "add":
        draft, focus = add_row(editing.draft, path, data.get(f"{path}.new", ""))
        return replace(editing, draft=draft, focus=focus)
    if do == "remove":
        return replace(editing, draft=remove_row(editing.draft, path), focus=path.rpartition(".")[0] or ROOT)
    if do in ("up", "down"):
        draft, focus = move_row(editing.draft, path, -1 if do == "up" else 1)
        return replace(editing, draft=draft, focus=focus)
    if do == "json":
        return Editing(
            JSON, editing.draft, pretty(write_draft(editing.draft, vocabulary.attributes or {}).document)
        )
    if do == "rows":
        try:
            draft_from_json = draft_of(parse(_json_document(editing.json_text)), vocabulary.attributes or {})
        except DomainError:
            return editing
        return Editing(ROWS, draft_from_json) if draft_from_json else editing
    return editing


def _json_document(text: str) -> object:
    return strict_json.loads(text.encode("utf-8", "surrogatepass"))


def _document(editing: Editing, vocabulary: Vocabulary) -> object:
    if editing.mode == JSON:
        return _json_document(editing.json_text)
    return write_draft(editing.draft, vocabulary.attributes or {}).document


def _check(
    request: ProjectRequest, segment: Segment | None, vocabulary: Vocabulary, editing: Editing
) -> HttpResponse:
    """Answer what the rule says and how many units it is true of, or what is missing from it."""
    environment = choose_environment(environments_of(request.project), "")
    trial: RuleTrial | None = None
    problems: list[Problem] = []
    try:
        trial = try_rule(
            environment=environment,
            document=_document(editing, vocabulary),
            unit_type=_unit_type(request, segment),
            now=timezone.now(),
            segment=segment,
        )
    except DomainError as error:
        problems = problems_of(error)
    if request.headers.get("HX-Target") == "preview":
        context = {"trial": trial, "environment": environment, "faults": problems}
        return render(request, "segments/_preview.html", context)
    return _page(request, segment, vocabulary, editing, problems=problems, trial=trial)


def _save(
    request: ProjectRequest, segment: Segment | None, vocabulary: Vocabulary, editing: Editing
) -> HttpResponse:
    form = None if segment else NewSegmentForm(request.POST)
    problems: list[Problem] = []
    if form is None or form.is_valid():
        try:
            version = _saved(request, segment, form, _document(editing, vocabulary))
        except DomainError as error:
            problems = _onto_form(form, error)
        else:
            address = reverse("segments:detail", args=[request.project.slug, version.segment.key])
            return (
                HttpResponseClientRedirect(address)
                if request.headers.get("HX-Request")
                else redirect(address)
            )
    return _page(request, segment, vocabulary, editing, problems=problems, form=form, status=422)


def _saved(
    request: ProjectRequest, segment: Segment | None, form: forms.Form | None, document: object
) -> SegmentVersion:
    actor = Actor.of(request)
    if segment is None and form is not None:
        made = create_segment(project=request.project, actor=actor, rule=document, **form.cleaned_data)
        version = latest_version(made)
        messages.success(request, f"{made.name} is saved. Its units are being counted.")
    else:
        assert segment is not None
        before = latest_version(segment).number
        version = save_version(segment=segment, rule=document, actor=actor)
        if version.number == before:
            messages.info(request, f"The rule is as it was: version {before} stays.")
        else:
            messages.success(request, f"Version {version.number} is saved. Its units are being counted.")
    wake_worker(REFRESH_ONE, list(version.refreshes.values_list("pk", flat=True)))
    return version


def _onto_form(form: forms.Form | None, error: DomainError) -> list[Problem]:
    """Put a fault of a detail at its field, and return those of the rule."""
    name = error.pointer.lstrip("/")
    if form is not None and not isinstance(error, RuleError) and name in form.fields:
        form.add_error(name, error.message)
        return []
    return problems_of(error)


def _page(
    request: ProjectRequest,
    segment: Segment | None,
    vocabulary: Vocabulary,
    editing: Editing,
    *,
    problems: Sequence[Problem] = (),
    trial: RuleTrial | None = None,
    form: forms.Form | None = None,
    status: int = 200,
) -> HttpResponse:
    environment = choose_environment(environments_of(request.project), "")
    choices = BuilderChoices.of(vocabulary, event_names(environment))
    draft = write_draft(editing.draft, vocabulary.attributes or {})
    rows: dict[str, list[RowProblem]] = problems_by_row(problems, draft) if editing.mode == ROWS else {}
    if segment is None and form is None:
        form = NewSegmentForm(initial=request.POST.dict() or None)
    context: dict[str, Any] = {
        "segment": segment,
        "form": form,
        "mode": editing.mode,
        "root": row_view(editing.draft, choices, rows, editing.focus),
        "json_text": editing.json_text,
        "document": draft.document,
        "choices": choices,
        "kinds": KIND_CHOICES,
        # An answer to a changed choice must not undo what is being typed meanwhile.
        "keep_typed": request.POST.get("do") == "update",
        "problems": problems,
        "row_problems": [(anchor_of(path), number_of(path), faults) for path, faults in rows.items()],
        "trial": trial,
        "environment": environment,
    }
    return render(request, "segments/builder.html", context, status=status)
