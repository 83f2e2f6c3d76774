"""The audit trail of a project."""

from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import render

from accounts.access import Action, ProjectRequest, project_view
from accounts.audit import broken_entry
from accounts.forms import AuditFilterForm
from accounts.queries import audit_of, target_types_of

PAGE_SIZE = 50


@project_view(Action.SEE)
def audit(request: ProjectRequest) -> HttpResponse:
    """List who did what, newest first; `before` (an entry number) turns the page, `verify` checks the chain."""
    form = AuditFilterForm(request.GET or None, kinds=target_types_of(request.project))
    wanted = form.cleaned_data if form.is_bound and form.is_valid() else {}
    entries = audit_of(
        request.project,
        target_type=wanted.get("kind", ""),
        target_id=wanted.get("target", ""),
        actor=wanted.get("actor", ""),
    )
    before = request.GET.get("before", "")
    if before.isdecimal():
        entries = entries.filter(id__lt=min(int(before), 2**63 - 1))
    rows = list(entries[: PAGE_SIZE + 1])
    older = (
        {k: v for k, v in wanted.items() if v} | {"before": rows[PAGE_SIZE - 1].pk}
        if len(rows) > PAGE_SIZE
        else {}
    )
    context = {
        "form": form,
        "entries": rows[:PAGE_SIZE],
        "is_filtered": any(wanted.values()),
        "is_first_page": not before,
        "older": urlencode(older),
    }
    if "verify" in request.GET:
        context |= {"verified": True, "broken": broken_entry(request.project)}
    return render(request, "accounts/audit.html", context)
