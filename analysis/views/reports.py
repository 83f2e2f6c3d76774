"""Reports of one experiment: the exact mail, who gets it and when, a test to oneself."""

from email.utils import parseaddr

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import Action, ProjectRequest, allows
from accounts.audit import Actor
from analysis.forms import RecipientForm, ScheduleForm
from analysis.models import ReportKind, ReportRecipient
from analysis.queries.pages import deliveries_of, latest_run, recipients_of
from analysis.reports.content import build_content
from analysis.reports.mail_parts import mail_page
from analysis.reports.tokens import read_token
from analysis.services import (
    add_recipient,
    order_test_report,
    remove_recipient,
    schedule_of,
    set_schedule,
    unsubscribe,
)
from analysis.services.deliveries import SEND_REPORT
from core.errors import DomainError, NotFound
from core.wake import wake_worker
from experiments.forms.problems import add_problems
from experiments.models import Experiment
from experiments.views.experiments import experiment_view

DELIVERIES_SHOWN = 20


@require_GET
@experiment_view(Action.SEE)
def reports(request: ProjectRequest, experiment: Experiment) -> HttpResponse:
    """Show recipients, schedule, archive and the mail as it would go out now."""
    return _page(request, experiment)


@require_POST
@experiment_view(Action.MANAGE)
def recipient_add(request: ProjectRequest, experiment: Experiment) -> HttpResponse:
    """Add an address."""
    form = RecipientForm(request.POST)
    if form.is_valid():
        try:
            added = add_recipient(
                experiment=experiment, email=form.cleaned_data["email"], actor=Actor.of(request)
            )
        except DomainError as error:
            add_problems(form, error)
        else:
            messages.success(request, f"{added.email} gets the reports from now on.")
            return _back(request, experiment)
    return _page(request, experiment, recipient_form=form)


@require_POST
@experiment_view(Action.MANAGE)
def recipient_remove(request: ProjectRequest, experiment: Experiment) -> HttpResponse:
    """Remove an address."""
    remove_recipient(
        experiment=experiment,
        public_id=request.POST.get("recipient", ""),
        actor=Actor.of(request),
        now=timezone.now(),
    )
    messages.success(request, "Removed. No further report goes there.")
    return _back(request, experiment)


@require_POST
@experiment_view(Action.MANAGE)
def schedule_change(request: ProjectRequest, experiment: Experiment) -> HttpResponse:
    """Change when progress reports go out."""
    form = ScheduleForm(request.POST)
    if form.is_valid():
        try:
            set_schedule(
                experiment=experiment, actor=Actor.of(request), now=timezone.now(), **form.cleaned_data
            )
        except DomainError as error:
            add_problems(form, error)
        else:
            messages.success(request, "The schedule is changed.")
            return _back(request, experiment)
    return _page(request, experiment, schedule_form=form)


@require_POST
@experiment_view(Action.ANALYSE)
def test_send(request: ProjectRequest, experiment: Experiment) -> HttpResponse:
    """Send the latest report to the person who asks, and to nobody else."""
    run = latest_run(experiment)
    if run is None:
        messages.error(
            request, "There is no run to report yet. Choose “Analyse now” on the results page first."
        )
        return _back(request, experiment)
    delivery = order_test_report(
        run=run, email=request.membership.user.email, actor=Actor.of(request), now=timezone.now()
    )
    wake_worker(SEND_REPORT, [delivery.public_id])
    messages.success(
        request, f"A test goes to {request.membership.user.email} within a minute; it is listed below."
    )
    return _back(request, experiment)


@require_GET
@xframe_options_sameorigin
@experiment_view(Action.SEE)
def preview(request: ProjectRequest, experiment: Experiment) -> HttpResponse:
    """Return the HTML part exactly as mailed, with the picture inside."""
    run = latest_run(experiment)
    if run is None:
        raise NotFound("There is no run to preview yet.")
    content = build_content(run, _reader(request, experiment), ReportKind.PROGRESS)
    return mail_page(content.html, content.png)


@require_http_methods(["GET", "POST"])
@csrf_exempt  # RFC 8058: mail programs post without a cookie or a page; the signed token is the proof
def unsubscribe_page(request: HttpRequest, token: str) -> HttpResponse:
    """Ask for a confirmation (GET), or unsubscribe at once (POST); no login is needed."""
    recipient = read_token(token)
    if request.method == "POST":
        unsubscribe(recipient=recipient, now=timezone.now())
    context = {"recipient": recipient, "experiment": recipient.experiment}
    return render(request, "analysis/unsubscribe.html", context)


def _reader(request: ProjectRequest, experiment: Experiment) -> ReportRecipient:
    """A recipient that is not stored: the reader of the preview; its link unsubscribes nobody."""
    return ReportRecipient(experiment=experiment, email=request.membership.user.email)


def _page(
    request: ProjectRequest,
    experiment: Experiment,
    recipient_form: RecipientForm | None = None,
    schedule_form: ScheduleForm | None = None,
) -> HttpResponse:
    run = latest_run(experiment)
    schedule = schedule_of(experiment)
    initial = {"frequency": schedule.frequency, "weekday": schedule.weekday, "hour": schedule.hour}
    content = build_content(run, _reader(request, experiment), ReportKind.PROGRESS) if run else None
    context = {
        "experiment": experiment,
        "tab": "reports",
        "run": run,
        "content": content,
        "schedule": schedule,
        "recipients": recipients_of(experiment),
        "deliveries": deliveries_of(request.project).filter(run__experiment=experiment)[:DELIVERIES_SHOWN],
        "recipient_form": recipient_form or RecipientForm(),
        "schedule_form": schedule_form or ScheduleForm(initial=initial),
        "can_manage": allows(request.membership.role, Action.MANAGE),
        "can_test": allows(request.membership.role, Action.ANALYSE),
        "sender": parseaddr(settings.DEFAULT_FROM_EMAIL)[1],
    }
    return render(
        request, "analysis/reports.html", context, status=422 if recipient_form or schedule_form else 200
    )


def _back(request: ProjectRequest, experiment: Experiment) -> HttpResponse:
    return redirect("analysis:reports", request.project.slug, experiment.key)
