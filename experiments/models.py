"""Flags, experiments and everything a plan is made of. Shares and weights are basis points (10,000 = 100 %)."""

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q

from accounts.models import Environment, Project, User
from core.ids import new_salt
from core.models import PublicModel
from segments.models import SegmentVersion

FLAG_KEY = RegexValidator(r"^[A-Za-z0-9._-]+\Z", "Use letters, digits, dot, underscore and hyphen only.")


class FlagType(models.TextChoices):
    BOOLEAN = "boolean"
    STRING = "string"
    INTEGER = "integer"
    FLOAT = "float"
    OBJECT = "object"


class Flag(PublicModel):
    """What code asks for by key."""

    ID_PREFIX = "flg"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="flags")
    key = models.CharField(max_length=100, validators=[FLAG_KEY])
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    type = models.CharField(max_length=10, choices=FlagType)
    default_value = models.JSONField()
    enabled = models.BooleanField(default=True)
    auto_exposure = models.BooleanField(
        default=False, help_text="Count a single OFREP evaluation as an exposure (bulk never is)."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "key"], name="flag_key_once_per_project"),
            models.CheckConstraint(condition=Q(type__in=FlagType.values), name="flag_type_known"),
        ]

    def __str__(self) -> str:
        return self.key


class Layer(PublicModel):
    """A hash range shared by mutually exclusive experiments of one environment."""

    ID_PREFIX = "lay"

    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="layers")
    key = models.SlugField(max_length=60)
    salt = models.CharField(max_length=40, default=new_salt, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["environment", "key"], name="layer_key_once")]

    def __str__(self) -> str:
        return self.key


class Holdout(models.Model):
    """The share of an environment's units kept out of every experiment."""

    environment = models.OneToOneField(Environment, on_delete=models.CASCADE, related_name="holdout")
    salt = models.CharField(max_length=40, default=new_salt, editable=False)
    share_bp = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(share_bp__lte=2000), name="holdout_at_most_a_fifth")
        ]

    def __str__(self) -> str:
        return f"{self.share_bp / 100:g} % of {self.environment}"


class Status(models.TextChoices):
    DRAFT = "draft"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    ARCHIVED = "archived"


class Origin(models.TextChoices):
    STRATA = "strata", "Assigned by Strata"
    IMPORTED = "imported", "Assigned elsewhere"


class Decision(models.TextChoices):
    SHIP = "ship", "Ship a variant"
    STOP = "stop", "Stop: keep what there was"
    INCONCLUSIVE = "inconclusive", "Inconclusive"
    INVALID = "invalid", "Invalid: do not use the numbers"


class Experiment(PublicModel):
    """A randomised comparison behind one flag. `revision` counts every change of its configuration."""

    ID_PREFIX = "exp"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="experiments")
    environment = models.ForeignKey(Environment, on_delete=models.PROTECT, related_name="experiments")
    flag = models.ForeignKey(Flag, on_delete=models.PROTECT, related_name="experiments")
    key = models.SlugField(max_length=60)
    name = models.CharField(max_length=120)
    hypothesis = models.TextField()
    unit_type = models.CharField(max_length=30, default="user")
    origin = models.CharField(max_length=8, choices=Origin, default=Origin.STRATA)
    status = models.CharField(max_length=10, choices=Status, default=Status.DRAFT)
    salt = models.CharField(max_length=40, default=new_salt, editable=False)
    hash_version = models.PositiveSmallIntegerField(default=1)
    frozen = models.BooleanField(default=False, help_text="Keep a unit's variant once it was exposed.")
    layer = models.ForeignKey(
        Layer, null=True, blank=True, on_delete=models.PROTECT, related_name="experiments"
    )
    layer_slots = models.JSONField(default=list, blank=True)
    owner = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    revision = models.PositiveIntegerField(default=1)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    pause_reason = models.TextField(blank=True)
    decision = models.CharField(max_length=12, choices=Decision, blank=True)
    decided_variant = models.ForeignKey(
        "Variant", null=True, blank=True, on_delete=models.RESTRICT, related_name="+"
    )
    decision_reason = models.TextField(blank=True)
    note = models.TextField(blank=True, help_text="Shown on every result page and mail of this experiment.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "key"], name="experiment_key_once_per_project"),
            models.UniqueConstraint(
                fields=["flag", "environment"],
                condition=Q(status__in=["running", "paused"]),
                name="experiment_one_live_per_flag",
            ),
            models.CheckConstraint(condition=Q(status__in=Status.values), name="experiment_status_known"),
            models.CheckConstraint(
                condition=Q(status="draft") | Q(started_at__isnull=False) | Q(status="archived"),
                name="experiment_started_when_live",
            ),
            models.CheckConstraint(
                condition=~Q(status="completed") | Q(ended_at__isnull=False),
                name="experiment_ended_when_completed",
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True) | Q(ended_at__gte=F("started_at")),
                name="experiment_ends_after_start",
            ),
            models.CheckConstraint(
                condition=Q(decision="") | Q(decision__in=Decision.values), name="experiment_decision_known"
            ),
            models.CheckConstraint(
                condition=~Q(decision="ship") | Q(decided_variant__isnull=False),
                name="experiment_ships_a_variant",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_live(self) -> bool:
        return self.status == Status.RUNNING


class Variant(models.Model):
    """One arm; index 0 is the control. `value` is what the flag then returns."""

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="variants")
    index = models.PositiveSmallIntegerField()
    key = models.CharField(max_length=60, validators=[FLAG_KEY])
    name = models.CharField(max_length=120)
    value = models.JSONField()

    class Meta:
        ordering = ["index"]
        constraints = [
            models.UniqueConstraint(fields=["experiment", "index"], name="variant_index_once"),
            models.UniqueConstraint(fields=["experiment", "key"], name="variant_key_once"),
            models.CheckConstraint(condition=Q(index__lt=100), name="variant_index_small"),
        ]

    def __str__(self) -> str:
        return self.name


class Target(models.Model):
    """(segment or everyone, share and weights, allocation); ordered, the first match wins.

    allocation: list of [end_slot, variant index or -1 (closed)] covering 0..10000; see experiments.allocation.
    weights_bp: wanted weight of each variant, in order, sum 10,000; share_bp: wanted open share.
    """

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="targets")
    position = models.PositiveSmallIntegerField()
    segment_version = models.ForeignKey(
        SegmentVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="targets"
    )
    share_bp = models.PositiveIntegerField(default=10_000)
    weights_bp = models.JSONField()
    allocation = models.JSONField(default=list)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(
                fields=["experiment", "position"],
                name="target_position_once",
                deferrable=models.Deferrable.DEFERRED,
            ),
            models.CheckConstraint(condition=Q(share_bp__lte=10_000), name="target_share_at_most_all"),
        ]

    def __str__(self) -> str:
        return self.segment_version.segment.name if self.segment_version else "Everyone"


class Phase(models.Model):
    """A span in which allocations stayed the same; analysis stratifies by it when weights differ.

    shares: {target position: [share of all slots open for each variant, in basis points]}.
    """

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="phases")
    number = models.PositiveSmallIntegerField()
    started_at = models.DateTimeField()
    shares = models.JSONField()
    reason = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["experiment", "number"], name="phase_number_once")]

    def __str__(self) -> str:
        return f"phase {self.number}"


class MetricKind(models.TextChoices):
    CONVERSION = "conversion", "Conversion: share of units with at least one event"
    COUNT = "count", "Count: events per unit"
    SUM = "sum", "Sum: total of values per unit"
    MEAN = "mean", "Mean: average value per event"


class Direction(models.TextChoices):
    INCREASE = "increase", "An increase is good"
    DECREASE = "decrease", "A decrease is good"


class Metric(PublicModel):
    """How events become a number per unit. Events count from the exposure on, for `window_days`."""

    ID_PREFIX = "met"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="metrics")
    key = models.SlugField(max_length=60)
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    kind = models.CharField(max_length=10, choices=MetricKind)
    event_name = models.CharField(max_length=100)
    window_days = models.PositiveIntegerField(
        null=True, blank=True, help_text="Days after exposure; empty: until the experiment ends."
    )
    cap = models.FloatField(null=True, blank=True, help_text="Values of a unit above this count as this.")
    direction = models.CharField(max_length=8, choices=Direction, default=Direction.INCREASE)
    unit_label = models.CharField(max_length=20, blank=True, help_text="Printed after a value, e.g. visits.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "key"], name="metric_key_once_per_project"),
            models.CheckConstraint(condition=Q(kind__in=MetricKind.values), name="metric_kind_known"),
            models.CheckConstraint(
                condition=Q(direction__in=Direction.values), name="metric_direction_known"
            ),
            models.CheckConstraint(
                condition=Q(window_days__isnull=True) | Q(window_days__gte=1), name="metric_window_positive"
            ),
            models.CheckConstraint(condition=Q(cap__isnull=True) | Q(cap__gt=0), name="metric_cap_positive"),
        ]

    def __str__(self) -> str:
        return self.name


class MetricRole(models.TextChoices):
    PRIMARY = "primary"
    SECONDARY = "secondary"
    GUARDRAIL = "guardrail"


class ExperimentMetric(models.Model):
    """A metric's part in one experiment. `margin`: tolerated relative worsening of a guardrail, 0.02 = 2 %.

    `baseline_mean` and `baseline_sd` are given by hand where no history exists (adequacy before launch).
    """

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="metrics")
    metric = models.ForeignKey(Metric, on_delete=models.PROTECT, related_name="uses")
    role = models.CharField(max_length=10, choices=MetricRole)
    margin = models.FloatField(null=True, blank=True)
    baseline_mean = models.FloatField(null=True, blank=True)
    baseline_sd = models.FloatField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["experiment", "metric"], name="metric_once_per_experiment"),
            models.UniqueConstraint(
                fields=["experiment"], condition=Q(role="primary"), name="one_primary_metric"
            ),
            models.CheckConstraint(
                condition=~Q(role="guardrail") | Q(margin__isnull=False, margin__gt=0, margin__lt=1),
                name="guardrail_has_margin",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.metric} ({self.role})"


class StoppingRule(models.TextChoices):
    ALWAYS_VALID = "always_valid", "Always valid: look whenever you like"
    FIXED_HORIZON = "fixed_horizon", "Fixed horizon: verdict locked until the planned end"


class Plan(models.Model):
    """What was decided before launch. `mde` is relative: 0.05 = 5 %."""

    experiment = models.OneToOneField(Experiment, on_delete=models.CASCADE, related_name="plan")
    alpha = models.FloatField(default=0.05)
    power = models.FloatField(default=0.8)
    mde = models.FloatField()
    stopping_rule = models.CharField(max_length=16, choices=StoppingRule, default=StoppingRule.ALWAYS_VALID)
    min_days = models.PositiveIntegerField(default=7)
    max_days = models.PositiveIntegerField(default=28)
    planned_n = models.PositiveBigIntegerField(
        help_text="Units in all arms together, for the primary metric."
    )
    daily_units = models.FloatField(null=True, blank=True, help_text="Expected new units a day.")
    auto_pause = models.BooleanField(default=False, help_text="Pause when a guardrail is credibly breached.")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(alpha__gt=0, alpha__lte=0.2), name="plan_alpha_in_range"),
            models.CheckConstraint(condition=Q(power__gte=0.5, power__lt=1), name="plan_power_in_range"),
            models.CheckConstraint(condition=Q(mde__gt=0, mde__lte=10), name="plan_mde_in_range"),
            models.CheckConstraint(
                condition=Q(min_days__gte=1, max_days__gte=F("min_days")), name="plan_days_in_order"
            ),
            models.CheckConstraint(condition=Q(planned_n__gte=1), name="plan_n_positive"),
            models.CheckConstraint(
                condition=Q(stopping_rule__in=StoppingRule.values), name="plan_stopping_rule_known"
            ),
        ]

    def __str__(self) -> str:
        return f"plan of {self.experiment}"


class Breakdown(models.Model):
    """A segment by which results are reported, as it was at first exposure; declared before launch."""

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="breakdowns")
    segment_version = models.ForeignKey(SegmentVersion, on_delete=models.PROTECT, related_name="breakdowns")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["experiment", "segment_version"], name="breakdown_once")
        ]

    def __str__(self) -> str:
        return str(self.segment_version)


class Override(models.Model):
    """A unit that always gets one variant, for QA; it is never analysed."""

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="overrides")
    unit_id = models.CharField(max_length=256)
    variant = models.ForeignKey(Variant, on_delete=models.CASCADE, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["experiment", "unit_id"], name="override_once")]

    def __str__(self) -> str:
        return f"{self.unit_id} gets {self.variant}"


class ConfigRevision(models.Model):
    """Counts the published changes of an environment; a trigger notifies the web workers of each."""

    environment = models.OneToOneField(Environment, on_delete=models.CASCADE, related_name="config_revision")
    revision = models.PositiveBigIntegerField(default=1)
    changed_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.environment} at {self.revision}"
