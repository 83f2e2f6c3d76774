"""When progress reports go out, and ordering the ones whose time has come."""

from datetime import datetime, timedelta

from django.db import transaction

from accounts.audit import Actor, record
from analysis.models import AnalysisJob, JobReason, JobState, ReportFrequency, ReportKind, ReportSchedule, Run
from analysis.schedule_times import next_due
from analysis.services.deliveries import order_reports
from core.errors import DomainError
from experiments.models import Experiment, Status

FRESH_HOURS = 1
"""A progress report shows a run at most this old; otherwise a new one is made first."""


class InvalidSchedule(DomainError):
    """No such time."""

    code = "invalid_schedule"


def schedule_of(experiment: Experiment) -> ReportSchedule:
    """Return the experiment's schedule, made with its defaults (Mondays at 9) when there is none yet."""
    schedule, _ = ReportSchedule.objects.get_or_create(experiment=experiment)
    return schedule


@transaction.atomic
def set_schedule(
    *, experiment: Experiment, frequency: str, weekday: int, hour: int, actor: Actor, now: datetime
) -> ReportSchedule:
    """Change when progress reports go out. Raises InvalidSchedule."""
    if frequency not in ReportFrequency.values:
        choices = ", ".join(ReportFrequency.values)
        raise InvalidSchedule(f"A report goes out: {choices}; not “{frequency}”.", pointer="/frequency")
    if weekday not in range(7):
        raise InvalidSchedule("The weekday is 0 (Monday) to 6 (Sunday).", pointer="/weekday")
    if hour not in range(24):
        raise InvalidSchedule("The hour is 0 to 23.", pointer="/hour")
    schedule = schedule_of(experiment)
    before = _document(schedule)
    schedule.frequency, schedule.weekday, schedule.hour = frequency, weekday, hour
    schedule.next_due_at = _next(schedule, now)
    schedule.save()
    record(
        project=experiment.project,
        actor=actor,
        action="report.schedule_changed",
        target=experiment,
        before=before,
        after=_document(schedule),
    )
    return schedule


def plan_due_reports(*, now: datetime) -> int:
    """Order the progress reports whose time has come; return how many schedules were served.

    Without a fresh run an analysis is ordered first; the schedule stays due until it is there.
    """
    _start_clocks(now)
    served = 0
    due = ReportSchedule.objects.filter(next_due_at__lte=now, experiment__status=Status.RUNNING)
    for pk in due.order_by("next_due_at").values_list("pk", flat=True):
        served += _serve(pk, now)
    return served


@transaction.atomic
def _serve(pk: int, now: datetime) -> int:
    schedule = (
        ReportSchedule.objects.select_for_update(skip_locked=True, of=("self",))
        .select_related("experiment__project")
        .filter(pk=pk, next_due_at__lte=now)
        .first()
    )
    if schedule is None:
        return 0
    experiment = schedule.experiment
    run = Run.objects.filter(
        experiment=experiment, watermark__gte=now - timedelta(hours=FRESH_HOURS)
    ).order_by("-id").first()  # fmt: skip
    if run is None:
        AnalysisJob.objects.get_or_create(
            experiment=experiment,
            state=JobState.DUE,
            defaults={"reason": JobReason.SCHEDULED, "due_at": now},
        )
        return 0
    order_reports(run=run, kind=ReportKind.PROGRESS, now=now)
    schedule.next_due_at = _next(schedule, now)
    schedule.save(update_fields=["next_due_at"])
    return 1


def _start_clocks(now: datetime) -> None:
    """Give a first due time to the schedules of experiments that have started since."""
    waiting = ReportSchedule.objects.filter(
        next_due_at__isnull=True, experiment__status=Status.RUNNING
    ).exclude(frequency=ReportFrequency.NEVER)
    for schedule in waiting.select_related("experiment__project"):
        ReportSchedule.objects.filter(pk=schedule.pk, next_due_at__isnull=True).update(
            next_due_at=_next(schedule, now)
        )


def _next(schedule: ReportSchedule, now: datetime) -> datetime | None:
    return next_due(
        frequency=schedule.frequency,  # type: ignore[arg-type]
        weekday=schedule.weekday,
        hour=schedule.hour,
        zone=schedule.experiment.project.timezone,
        after=now,
    )


def _document(schedule: ReportSchedule) -> dict[str, object]:
    return {"frequency": schedule.frequency, "weekday": schedule.weekday, "hour": schedule.hour}
