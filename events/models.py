"""What is known of units and what they did.

`Event` and `EventKey` are made by SQL migrations (partitions); their models are unmanaged views of them.
"""

from django.db import models
from django.db.models import Q

from accounts.models import Environment, Project
from core.models import PublicModel


class Subject(models.TextChoices):
    PROFILE = "profile"
    EVENT = "event"


class AttributeType(models.TextChoices):
    STRING = "string"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATETIME = "datetime"
    LIST = "list"


class Sensitivity(models.TextChoices):
    NONE = "none"
    PERSONAL = "personal"
    SPECIAL = "special"
    PROXY = "proxy"


class Attribute(PublicModel):
    """A registered field: of profiles, or of the properties of events."""

    ID_PREFIX = "atr"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="attributes")
    subject = models.CharField(max_length=8, choices=Subject, default=Subject.PROFILE)
    key = models.CharField(max_length=60)
    type = models.CharField(max_length=10, choices=AttributeType)
    description = models.TextField(blank=True)
    purpose = models.CharField(max_length=200)
    sensitivity = models.CharField(max_length=10, choices=Sensitivity, default=Sensitivity.NONE)
    retention_days = models.PositiveIntegerField(default=365)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "subject", "key"], name="attribute_key_once"),
            models.CheckConstraint(condition=Q(type__in=AttributeType.values), name="attribute_type_known"),
            models.CheckConstraint(
                condition=Q(sensitivity__in=Sensitivity.values), name="attribute_sensitivity_known"
            ),
            models.CheckConstraint(condition=~Q(purpose=""), name="attribute_has_purpose"),
            models.CheckConstraint(condition=Q(retention_days__gte=1), name="attribute_retention_positive"),
        ]

    def __str__(self) -> str:
        return self.key


class Profile(models.Model):
    """What is known of one unit in one environment.

    `consent` maps purposes (analytics, experiments, messages) to true or false; a purpose that is absent
    was never asked.
    """

    # Without its own index: the unique one begins with it.
    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="+", db_index=False)
    unit_type = models.CharField(max_length=30, default="user")
    unit_id = models.CharField(max_length=256)
    attributes = models.JSONField(default=dict)
    consent = models.JSONField(default=dict)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["environment", "unit_type", "unit_id"], name="profile_once_per_unit"
            )
        ]

    def __str__(self) -> str:
        return self.unit_id


class Event(models.Model):
    """Something a unit did. Partitioned by week of receipt; the pair (event_id, received_at) is its key."""

    pk = models.CompositePrimaryKey("event_id", "received_at")
    event_id = models.UUIDField()
    environment = models.ForeignKey(Environment, on_delete=models.DO_NOTHING, related_name="+")
    unit_type = models.CharField(max_length=30)
    unit_id = models.CharField(max_length=256)
    name = models.CharField(max_length=100)
    occurred_at = models.DateTimeField()
    received_at = models.DateTimeField()
    value = models.FloatField(null=True)
    properties = models.JSONField()

    class Meta:
        managed = False
        db_table = "events_event"

    def __str__(self) -> str:
        return f"{self.name} {self.event_id}"


class DeadLetter(models.Model):
    """An item that was refused, kept with its reason so that it can be mended and replayed."""

    # Without its own index: the one by time begins with it.
    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="+", db_index=False)
    source = models.CharField(max_length=12)
    code = models.CharField(max_length=40)
    detail = models.TextField()
    payload = models.BinaryField()
    received_at = models.DateTimeField()
    replayed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["environment", "-received_at"], name="dead_letter_by_time")]

    def __str__(self) -> str:
        return f"{self.source}: {self.code}"
