"""What units really met: exposures and crossovers."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from accounts.models import Environment
from experiments.models import Experiment


class Exposure(models.Model):
    """The first time a unit met its variant; eligibility and segments are frozen here."""

    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="+")
    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="exposures")
    unit_id = models.CharField(max_length=256)
    variant_index = models.PositiveSmallIntegerField()
    target_position = models.PositiveSmallIntegerField(default=0)
    phase_number = models.PositiveSmallIntegerField(default=1)
    slot = models.IntegerField(null=True)
    hash_version = models.PositiveSmallIntegerField(default=1)
    snapshot_version = models.BigIntegerField(null=True)
    reason_code = models.CharField(max_length=40, blank=True)
    segments = ArrayField(models.BigIntegerField(), default=list)
    sdk = models.CharField(max_length=60, blank=True)
    event_id = models.UUIDField()
    occurred_at = models.DateTimeField()
    received_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["experiment", "unit_id"], name="exposure_once_per_unit")
        ]
        indexes = [models.Index(fields=["environment", "unit_id"], name="exposure_unit")]

    def __str__(self) -> str:
        return f"{self.unit_id} in {self.experiment_id}"


class Crossover(models.Model):
    """A unit was also seen with another variant than its first."""

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="crossovers")
    unit_id = models.CharField(max_length=256)
    variant_index = models.PositiveSmallIntegerField()
    first_seen_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["experiment", "unit_id", "variant_index"], name="crossover_once_per_variant"
            )
        ]

    def __str__(self) -> str:
        return f"{self.unit_id} also saw {self.variant_index}"
