"""What pages and the API show: runs, jobs, mails, and the state of a whole project."""

import math
from dataclasses import dataclass

from django.db.models import Exists, F, OuterRef, QuerySet
from django.db.models.fields.json import KeyTransform

from accounts.models import Project
from analysis.models import AnalysisJob, DeliveryState, JobState, ReportDelivery, ReportRecipient, Run
from assignments.models import Exposure
from core.errors import NotFound
from events.models import Event, Profile
from experiments.models import Experiment, Metric, Status
from segments.models import Segment
from segments.rules.values import is_clean_text

LIVE = (Status.RUNNING, Status.PAUSED)
DECIDED = ("ship", "stop", "inconclusive")


@dataclass(frozen=True, slots=True)
class RunLine:
    """One experiment and its latest run, as lists show it."""

    experiment: Experiment
    verdict: str
    sentence: str
    run: Run
    days_left: int | None
    units: int | None


@dataclass(frozen=True, slots=True)
class SetupStep:
    """One link of the chain from nothing to a result; `url_name` leads to the page that mends it."""

    name: str
    done: bool
    hint: str
    url_name: str


@dataclass(frozen=True, slots=True)
class ProjectState:
    """What a project's first page says."""

    to_decide: list[RunLine]
    unhealthy: list[RunLine]
    running: list[RunLine]
    waiting: list[Experiment]
    failed_jobs: list[AnalysisJob]
    steps: list[SetupStep]

    @property
    def is_set_up(self) -> bool:
        return all(step.done for step in self.steps)


def runs_of(experiment: Experiment) -> QuerySet[Run]:
    """Return the runs of an experiment, newest first, without their results."""
    return experiment.runs.defer("result").order_by("-id")


def latest_run(experiment: Experiment, public_id: str = "") -> Run | None:
    """Return the run asked for, else the latest; None when there is none yet. Raises NotFound for a wrong id."""
    runs = experiment.runs.select_related("experiment__project", "experiment__owner").order_by("-id")
    if not public_id:
        return runs.first()
    run = runs.filter(public_id=public_id).first() if is_clean_text(public_id) else None
    if run is None:
        raise NotFound("This experiment has no such run.")
    return run


def open_job(experiment: Experiment) -> AnalysisJob | None:
    """Return the job that is due or running now."""
    return AnalysisJob.objects.filter(experiment=experiment, state=JobState.DUE).first()


def recipients_of(experiment: Experiment) -> QuerySet[ReportRecipient]:
    """Return who gets the reports now."""
    return experiment.recipients.filter(unsubscribed_at__isnull=True).order_by("email")


def deliveries_of(project: Project) -> QuerySet[ReportDelivery]:
    """Return every report of a project, newest first, without the messages themselves."""
    return (
        ReportDelivery.objects.filter(run__experiment__project=project)
        .select_related("recipient", "run__experiment")
        .defer("message", "run__result")
        .order_by("-id")
    )


def find_delivery(project: Project, public_id: str) -> ReportDelivery:
    """Return one report with its message. Raises NotFound, also for one of another project."""
    delivery = (
        ReportDelivery.objects.filter(run__experiment__project=project, public_id=public_id)
        .select_related("recipient", "run__experiment__project")
        .first()
    )
    if delivery is None:
        raise NotFound("This project has no such mail.")
    return delivery


def project_state(project: Project) -> ProjectState:
    """Return everything the first page of a project needs."""
    lines = _latest_lines(project)
    live = list(Experiment.objects.filter(project=project, status__in=LIVE).order_by("-started_at"))
    analysed = {line.experiment.pk for line in lines}
    return ProjectState(
        to_decide=[line for line in lines if line.verdict in DECIDED],
        unhealthy=[line for line in lines if line.verdict == "invalid"],
        running=sorted((line for line in lines if line.verdict == "keep_running"), key=_days_left),
        waiting=[experiment for experiment in live if experiment.pk not in analysed],
        failed_jobs=_failed_jobs(project),
        steps=setup_steps(project),
    )


def _latest_lines(project: Project) -> list[RunLine]:
    runs = (
        Run.objects.filter(experiment__project=project, experiment__status__in=LIVE)
        .order_by("experiment_id", "-id")
        .distinct("experiment_id")
        .select_related("experiment")
        .annotate(
            days_left=KeyTransform("days_left", KeyTransform("adequacy", F("result"))),
            units=KeyTransform("units", KeyTransform("adequacy", F("result"))),
        )
        .defer("result")
    )
    lines = [
        RunLine(
            experiment=run.experiment,
            verdict=run.verdict,
            sentence=run.sentence,
            run=run,
            days_left=run.days_left if isinstance(run.days_left, int) else None,
            units=run.units if isinstance(run.units, int) else None,
        )
        for run in runs
    ]
    return sorted(lines, key=lambda line: line.run.pk, reverse=True)


def _days_left(line: RunLine) -> float:
    """Those that end soon come first, those without an estimate last."""
    return math.inf if line.days_left is None else line.days_left


def _failed_jobs(project: Project) -> list[AnalysisJob]:
    """Return the jobs that failed with no run after them."""
    later = Run.objects.filter(experiment=OuterRef("experiment"), created_at__gt=OuterRef("created_at"))
    return list(
        AnalysisJob.objects.filter(experiment__project=project, state=JobState.FAILED)
        .filter(~Exists(later))
        .exclude(experiment__status=Status.ARCHIVED)
        .select_related("experiment")
        .order_by("-id")[:10]
    )


def setup_steps(project: Project) -> list[SetupStep]:
    """Return the chain from an empty project to a report, each link done or not."""
    environments = list(project.environments.values_list("pk", flat=True))
    experiments = Experiment.objects.filter(project=project)
    return [
        SetupStep(
            "People",
            Profile.objects.filter(environment__in=environments).exists(),
            "Send profiles, so that segments have somebody to find.",
            "events:overview",
        ),
        SetupStep(
            "Events",
            Event.objects.filter(environment_id__in=environments).exists(),
            "Send what units do; metrics count events.",
            "events:overview",
        ),
        SetupStep(
            "A segment",
            Segment.objects.filter(project=project).exists(),
            "Describe whom an experiment is for.",
            "segments:list",
        ),
        SetupStep(
            "A metric",
            Metric.objects.filter(project=project).exists(),
            "Say how events become a number per unit.",
            "experiments:metrics",
        ),
        SetupStep(
            "An experiment that started",
            experiments.filter(started_at__isnull=False).exists(),
            "Write one short form, then work through its checklist.",
            "experiments:list",
        ),
        SetupStep(
            "Exposures",
            Exposure.objects.filter(experiment__project=project).exists(),
            "The app asks for its flag and reports whom it showed a variant.",
            "accounts:keys",
        ),
        SetupStep(
            "A report",
            ReportDelivery.objects.filter(
                run__experiment__project=project, state=DeliveryState.SENT
            ).exists(),
            "Add a recipient on an experiment's Reports page.",
            "analysis:mail",
        ),
    ]
