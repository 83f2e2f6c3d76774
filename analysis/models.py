"""Work that is due, results that never change, and reports that went out."""

from django.db import models
from django.db.models import Q

from accounts.models import User
from core.models import PublicModel
from experiments.models import Experiment


class JobReason(models.TextChoices):
    SCHEDULED = "scheduled"
    REQUESTED = "requested"
    ENDED = "ended"


class JobState(models.TextChoices):
    DUE = "due"
    DONE = "done"
    FAILED = "failed"


class AnalysisJob(PublicModel):
    """An analysis that is due; a worker claims it by a lease that expires."""

    ID_PREFIX = "job"

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="jobs")
    reason = models.CharField(max_length=10, choices=JobReason)
    requested_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    state = models.CharField(max_length=6, choices=JobState, default=JobState.DUE)
    due_at = models.DateTimeField()
    lease_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    error = models.TextField(blank=True)
    run = models.ForeignKey("Run", null=True, on_delete=models.SET_NULL, related_name="jobs")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["experiment"], condition=Q(state="due"), name="one_due_job_per_experiment"
            )
        ]

    def __str__(self) -> str:
        return f"{self.reason} analysis of {self.experiment_id}"


class Run(PublicModel):
    """One immutable, reproducible result set; a trigger refuses changes.

    result_hash = SHA-256 of the canonical JSON of `result`: a function of (revision, watermark, code version, seed).
    """

    ID_PREFIX = "run"

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="runs")
    revision = models.PositiveIntegerField()
    watermark = models.DateTimeField()
    code_version = models.CharField(max_length=40)
    seed = models.BigIntegerField(default=0)
    result = models.JSONField()
    result_hash = models.CharField(max_length=64)
    verdict = models.CharField(max_length=12)
    sentence = models.TextField()
    duration_ms = models.PositiveIntegerField()

    class Meta:
        get_latest_by = "id"
        indexes = [models.Index(fields=["experiment", "-id"], name="run_by_experiment")]

    def __str__(self) -> str:
        return f"{self.public_id}: {self.verdict}"


class ReportFrequency(models.TextChoices):
    DAILY = "daily"
    WEEKLY = "weekly"
    NEVER = "never", "Only at the end and on a stop"


class ReportSchedule(models.Model):
    """When an experiment's progress report goes out, in the project's time zone."""

    experiment = models.OneToOneField(Experiment, on_delete=models.CASCADE, related_name="report_schedule")
    frequency = models.CharField(max_length=6, choices=ReportFrequency, default=ReportFrequency.WEEKLY)
    weekday = models.PositiveSmallIntegerField(default=0, help_text="0 = Monday")
    hour = models.PositiveSmallIntegerField(default=9)
    next_due_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(weekday__lte=6, hour__lte=23), name="report_time_exists")
        ]

    def __str__(self) -> str:
        return f"{self.frequency} report of {self.experiment_id}"


class ReportRecipient(PublicModel):
    """A person who gets an experiment's reports, with or without an account."""

    ID_PREFIX = "rcp"

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="recipients")
    email = models.EmailField()
    unsubscribed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["experiment", "email"], name="recipient_once_per_experiment")
        ]

    def __str__(self) -> str:
        return self.email


class ReportKind(models.TextChoices):
    PROGRESS = "progress"
    FINAL = "final"
    TEST = "test"


class DeliveryState(models.TextChoices):
    DUE = "due"
    SENT = "sent"
    FAILED = "failed"
    SKIPPED = "skipped"


class ReportDelivery(PublicModel):
    """One report to one recipient: sent once per (run, recipient, kind), retried for 24 hours."""

    ID_PREFIX = "dlv"

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="deliveries")
    recipient = models.ForeignKey(ReportRecipient, on_delete=models.CASCADE, related_name="deliveries")
    kind = models.CharField(max_length=8, choices=ReportKind)
    state = models.CharField(max_length=7, choices=DeliveryState, default=DeliveryState.DUE)
    due_at = models.DateTimeField()
    give_up_at = models.DateTimeField()
    lease_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    sent_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True)
    subject = models.CharField(max_length=200, blank=True)
    message = models.BinaryField(null=True, help_text="The message as sent (RFC 5322).")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["run", "recipient", "kind"],
                condition=~Q(kind="test"),
                name="report_once_per_run_and_recipient",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} to {self.recipient_id}: {self.state}"
