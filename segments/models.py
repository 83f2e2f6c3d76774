"""Segments, their immutable versions, and who is in them over time."""

from django.db import models
from django.db.models import Q

from accounts.models import Environment, Project, User
from core.models import PublicModel


class SegmentStatus(models.TextChoices):
    ACTIVE = "active"
    RETIRED = "retired"


class Segment(PublicModel):
    """A named rule with an owner and a rationale; what it says is in its latest version."""

    ID_PREFIX = "seg"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="segments")
    key = models.SlugField(max_length=60)
    name = models.CharField(max_length=120)
    rationale = models.TextField(blank=True)
    unit_type = models.CharField(max_length=30, default="user")
    owner = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    status = models.CharField(max_length=10, choices=SegmentStatus, default=SegmentStatus.ACTIVE)
    refresh_minutes = models.PositiveIntegerField(default=60)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "key"], name="segment_key_once_per_project"),
            models.CheckConstraint(condition=Q(refresh_minutes__gte=1), name="segment_refresh_positive"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def latest_version(self) -> "SegmentVersion":
        return self.versions.latest("number")


class SegmentVersion(PublicModel):
    """One immutable definition; a trigger refuses changes."""

    ID_PREFIX = "sgv"

    segment = models.ForeignKey(Segment, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    rule = models.JSONField()
    sentence = models.TextField()
    needs_stored_facts = models.BooleanField()
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["segment", "number"], name="segment_version_once")]

    def __str__(self) -> str:
        return f"{self.segment.name} v{self.number}"


class SegmentMember(models.Model):
    """A unit was in a segment version from `entered_at` until `left_at` (null: still is)."""

    version = models.ForeignKey(SegmentVersion, on_delete=models.CASCADE, related_name="members")
    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="+")
    unit_id = models.CharField(max_length=256)
    entered_at = models.DateTimeField()
    left_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["environment", "unit_id", "version"],
                condition=Q(left_at__isnull=True),
                name="segment_member_open_once",
            )
        ]
        indexes = [
            models.Index(fields=["version", "environment", "entered_at"], name="segment_member_flow"),
            models.Index(fields=["environment", "unit_id"], name="segment_member_unit"),
        ]

    def __str__(self) -> str:
        return f"{self.unit_id} in {self.version_id}"


class SegmentRefresh(models.Model):
    """The state of keeping one version's membership fresh in one environment: due, leased, last result."""

    version = models.ForeignKey(SegmentVersion, on_delete=models.CASCADE, related_name="refreshes")
    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="+")
    due_at = models.DateTimeField()
    lease_until = models.DateTimeField(null=True, blank=True)
    refreshed_at = models.DateTimeField(null=True, blank=True)
    size = models.PositiveBigIntegerField(null=True, blank=True)
    entered = models.PositiveBigIntegerField(default=0)
    left = models.PositiveBigIntegerField(default=0)
    error = models.TextField(blank=True)
    failures = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["version", "environment"], name="segment_refresh_once")
        ]

    def __str__(self) -> str:
        return f"refresh of {self.version_id}"
