"""The mail viewer: every report of the project as it was sent.

A mail carries the unsubscribe link of its recipient, so only those who manage recipients may read one.
"""

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.access import Action, ProjectRequest, project_view
from analysis.queries.pages import deliveries_of, find_delivery
from analysis.reports.mail_parts import MailParts, mail_page, parse_mail
from core.errors import NotFound

PAGE_SIZE = 25


@require_GET
@project_view(Action.SEE)
def mail_list(request: ProjectRequest) -> HttpResponse:
    """List the reports, newest first."""
    page = Paginator(deliveries_of(request.project), PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "analysis/mail_list.html", {"page": page})


@require_GET
@project_view(Action.MANAGE)
def mail_show(request: ProjectRequest, delivery_id: str) -> HttpResponse:
    """Show one report: its headers, HTML, plain text and state."""
    delivery = find_delivery(request.project, delivery_id)
    parts = parse_mail(bytes(delivery.message)) if delivery.message else None
    return render(request, "analysis/mail_show.html", {"delivery": delivery, "parts": parts})


@require_GET
@project_view(Action.MANAGE)
def mail_html(request: ProjectRequest, delivery_id: str) -> HttpResponse:
    """Return the HTML part in its sandbox."""
    parts = _parts(request, delivery_id)
    return mail_page(parts.html, parts.png)


@require_GET
@project_view(Action.MANAGE)
def mail_raw(request: ProjectRequest, delivery_id: str) -> HttpResponse:
    """Return the message as it was sent, to open in a mail program."""
    delivery = find_delivery(request.project, delivery_id)
    if not delivery.message:
        raise NotFound("This mail has not been sent yet.")
    response = HttpResponse(bytes(delivery.message), content_type="message/rfc822")
    response["Content-Disposition"] = f'attachment; filename="{delivery.public_id}.eml"'
    return response


def _parts(request: ProjectRequest, delivery_id: str) -> MailParts:
    delivery = find_delivery(request.project, delivery_id)
    if not delivery.message:
        raise NotFound("This mail has not been sent yet.")
    return parse_mail(bytes(delivery.message))
