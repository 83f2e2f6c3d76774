"""The JSON of flags, metrics and experiments. Shares and weights are basis points (10,000 = 100 %)."""

from typing import Any

from rest_framework import serializers

from experiments.api.fields import AnyValue, InProject, StrictInteger
from experiments.metric_words import metric_sentence
from experiments.models import (
    Decision,
    Direction,
    Experiment,
    Flag,
    FlagType,
    Metric,
    MetricKind,
    MetricRole,
    Phase,
    Plan,
    StoppingRule,
)
from segments.models import Segment


class FlagSerializer(serializers.ModelSerializer[Flag]):
    id = serializers.CharField(source="public_id", read_only=True)
    default_value = AnyValue()

    class Meta:
        model = Flag
        fields = (
            "id",
            "key",
            "name",
            "description",
            "type",
            "default_value",
            "enabled",
            "auto_exposure",
            "created_at",
        )


class NewFlagSerializer(serializers.Serializer[Any]):
    key = serializers.CharField(max_length=100)
    type = serializers.ChoiceField(FlagType.choices)
    default_value = AnyValue(allow_null=True)
    name = serializers.CharField(max_length=120, required=False, allow_blank=True)
    description = serializers.CharField(required=False, allow_blank=True)
    enabled = serializers.BooleanField(required=False)
    auto_exposure = serializers.BooleanField(required=False)


class FlagChangesSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=120, required=False)
    description = serializers.CharField(required=False, allow_blank=True)
    default_value = AnyValue(required=False, allow_null=True)
    enabled = serializers.BooleanField(required=False)
    auto_exposure = serializers.BooleanField(required=False)


class MetricSerializer(serializers.ModelSerializer[Metric]):
    id = serializers.CharField(source="public_id", read_only=True)
    sentence = serializers.SerializerMethodField()

    class Meta:
        model = Metric
        fields = (
            "id",
            "key",
            "name",
            "description",
            "kind",
            "event_name",
            "window_days",
            "cap",
            "direction",
            "unit_label",
            "sentence",
            "created_at",
        )

    def get_sentence(self, metric: Metric) -> str:
        return metric_sentence(metric)


class MetricChangesSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=120, required=False)
    description = serializers.CharField(required=False, allow_blank=True)
    kind = serializers.ChoiceField(MetricKind.choices, required=False)
    event_name = serializers.CharField(max_length=100, required=False)
    window_days = StrictInteger(required=False, allow_null=True, min_value=1, max_value=3650)
    cap = serializers.FloatField(required=False, allow_null=True)
    direction = serializers.ChoiceField(Direction.choices, required=False)
    unit_label = serializers.CharField(max_length=20, required=False, allow_blank=True)


class NewMetricSerializer(MetricChangesSerializer):
    key = serializers.SlugField(max_length=60)
    name = serializers.CharField(max_length=120)
    kind = serializers.ChoiceField(MetricKind.choices)
    event_name = serializers.CharField(max_length=100)


class VariantSerializer(serializers.Serializer[Any]):
    key = serializers.CharField(max_length=60)
    name = serializers.CharField(max_length=120, required=False, allow_blank=True)
    value = AnyValue(allow_null=True)


class VersionSerializer(serializers.Serializer[Any]):
    """A pinned segment version."""

    id = serializers.CharField(source="public_id")
    segment = serializers.CharField(source="segment.public_id")
    segment_key = serializers.CharField(source="segment.key")
    number = serializers.IntegerField()
    sentence = serializers.CharField()


class TargetSerializer(serializers.Serializer[Any]):
    """`segment_version` null means everyone; `allocation` lists [end slot, variant index or -1]."""

    position = serializers.IntegerField()
    segment_version = VersionSerializer(allow_null=True)
    share_bp = serializers.IntegerField()
    weights_bp = serializers.ListField(child=serializers.IntegerField())
    allocation = serializers.ListField(child=serializers.ListField(child=serializers.IntegerField()))


class TargetInputSerializer(serializers.Serializer[Any]):
    """Leave `segment` out for everyone, and `weights_bp` for an even split."""

    segment = InProject(queryset=Segment.objects.all(), required=False, allow_null=True)
    share_bp = StrictInteger(required=False, min_value=0, max_value=10_000)
    weights_bp = serializers.ListField(child=StrictInteger(), required=False, allow_null=True)


class ExperimentMetricSerializer(serializers.Serializer[Any]):
    metric = serializers.CharField(source="metric.public_id")
    metric_key = serializers.CharField(source="metric.key")
    role = serializers.ChoiceField(MetricRole.choices)
    margin = serializers.FloatField(allow_null=True)
    baseline_mean = serializers.FloatField(allow_null=True)
    baseline_sd = serializers.FloatField(allow_null=True)


class MetricInputSerializer(serializers.Serializer[Any]):
    metric = InProject(queryset=Metric.objects.all())
    role = serializers.ChoiceField(MetricRole.choices)
    margin = serializers.FloatField(required=False, allow_null=True)
    baseline_mean = serializers.FloatField(required=False, allow_null=True)
    baseline_sd = serializers.FloatField(required=False, allow_null=True)


class PlanSerializer(serializers.ModelSerializer[Plan]):
    class Meta:
        model = Plan
        exclude = ("id", "experiment")


class PlanInputSerializer(serializers.Serializer[Any]):
    mde = serializers.FloatField()
    planned_n = StrictInteger(min_value=1, max_value=10**12)
    alpha = serializers.FloatField(required=False)
    power = serializers.FloatField(required=False)
    stopping_rule = serializers.ChoiceField(StoppingRule.choices, required=False)
    min_days = StrictInteger(required=False, min_value=1, max_value=1000)
    max_days = StrictInteger(required=False, min_value=1, max_value=1000)
    daily_units = serializers.FloatField(required=False, allow_null=True)
    auto_pause = serializers.BooleanField(required=False)


class PhaseSerializer(serializers.ModelSerializer[Phase]):
    class Meta:
        model = Phase
        fields = ("number", "started_at", "shares", "reason")


class ExperimentSummarySerializer(serializers.ModelSerializer[Experiment]):
    """What a list shows."""

    id = serializers.CharField(source="public_id", read_only=True)
    environment = serializers.CharField(source="environment.slug", read_only=True)
    flag = serializers.CharField(source="flag.public_id", read_only=True)
    flag_key = serializers.CharField(source="flag.key", read_only=True)
    decided_variant = serializers.CharField(source="decided_variant.key", default=None, read_only=True)

    class Meta:
        model = Experiment
        fields: tuple[str, ...] = (
            "id",
            "key",
            "name",
            "hypothesis",
            "note",
            "environment",
            "flag",
            "flag_key",
            "unit_type",
            "origin",
            "status",
            "revision",
            "frozen",
            "pause_reason",
            "decision",
            "decided_variant",
            "decision_reason",
            "created_at",
            "started_at",
            "ended_at",
        )


class BreakdownSerializer(serializers.Serializer[Any]):
    segment_version = VersionSerializer()


class ExperimentSerializer(ExperimentSummarySerializer):
    """The whole set-up. `revision` is the ETag: send it back as If-Match to change only what you have read."""

    variants = VariantSerializer(many=True, read_only=True)
    targets = TargetSerializer(many=True, read_only=True)
    metrics = ExperimentMetricSerializer(many=True, read_only=True)
    plan = PlanSerializer(read_only=True, default=None)
    breakdowns = BreakdownSerializer(many=True, read_only=True)
    phases = PhaseSerializer(many=True, read_only=True)
    layer = serializers.CharField(source="layer.public_id", default=None, read_only=True)

    class Meta(ExperimentSummarySerializer.Meta):
        fields = (
            *ExperimentSummarySerializer.Meta.fields,
            "variants",
            "targets",
            "metrics",
            "plan",
            "breakdowns",
            "phases",
            "layer",
            "layer_slots",
        )


class VariantsInputSerializer(serializers.Serializer[Any]):
    variants = VariantSerializer(many=True)


class TargetsInputSerializer(serializers.Serializer[Any]):
    targets = TargetInputSerializer(many=True)


class MetricsInputSerializer(serializers.Serializer[Any]):
    metrics = MetricInputSerializer(many=True)


class BreakdownsInputSerializer(serializers.Serializer[Any]):
    breakdowns = serializers.ListField(child=InProject(queryset=Segment.objects.all()))


class FlagChoiceSerializer(serializers.Serializer[Any]):
    """A flag to be made with the experiment; its default is the control's value."""

    key = serializers.CharField(max_length=100)
    type = serializers.ChoiceField(FlagType.choices)
    name = serializers.CharField(max_length=120, required=False, allow_blank=True)


class NewExperimentSerializer(serializers.Serializer[Any]):
    """A draft: `flag` names one, `new_flag` makes one. The parts after `variants` can also be given later."""

    name = serializers.CharField(max_length=120)
    hypothesis = serializers.CharField(allow_blank=True)
    key = serializers.SlugField(max_length=60, required=False)
    note = serializers.CharField(required=False, allow_blank=True)
    unit_type = serializers.CharField(max_length=30, required=False)
    flag = InProject(queryset=Flag.objects.all(), required=False)
    new_flag = FlagChoiceSerializer(required=False)
    variants = VariantSerializer(many=True)
    targets = TargetInputSerializer(many=True, required=False)
    metrics = MetricInputSerializer(many=True, required=False)
    plan = PlanInputSerializer(required=False)
    breakdowns = serializers.ListField(child=InProject(queryset=Segment.objects.all()), required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("flag" in attrs) == ("new_flag" in attrs):
            raise serializers.ValidationError(
                {"flag": "Send either flag (an id) or new_flag (key and type)."}
            )
        return attrs


class ExperimentChangesSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=120, required=False)
    hypothesis = serializers.CharField(required=False, allow_blank=True)
    note = serializers.CharField(required=False, allow_blank=True)
    unit_type = serializers.CharField(max_length=30, required=False)


class ReasonSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField()


class DecisionSerializer(serializers.Serializer[Any]):
    """`variant` is the key of what is shipped; with one treatment it may be left out."""

    decision = serializers.ChoiceField(Decision.choices)
    reason = serializers.CharField()
    variant = serializers.CharField(required=False, allow_blank=True)


class RampSerializer(serializers.Serializer[Any]):
    """More traffic of one target; `dry_run` says the effect and changes nothing."""

    target = StrictInteger(min_value=0)
    share_bp = StrictInteger(required=False, min_value=0, max_value=10_000)
    weights_bp = serializers.ListField(child=StrictInteger(), required=False)
    reason = serializers.CharField(required=False, allow_blank=True, max_length=200)
    dry_run = serializers.BooleanField(required=False, default=False)


class RampEffectSerializer(serializers.Serializer[Any]):
    moved_units = serializers.IntegerField()
    opened_slots = serializers.IntegerField()
    total_slots = serializers.ListField(child=serializers.IntegerField(), source="total")
    sentence = serializers.CharField()


class FindingSerializer(serializers.Serializer[Any]):
    level = serializers.CharField()
    code = serializers.CharField()
    part = serializers.CharField()
    message = serializers.CharField()
    fix = serializers.CharField()


class LaunchCheckSerializer(serializers.Serializer[Any]):
    can_start = serializers.BooleanField()
    findings = FindingSerializer(many=True)


class OverrideSerializer(serializers.Serializer[Any]):
    unit_id = serializers.CharField(max_length=256, trim_whitespace=False)
    variant = serializers.CharField(source="variant.key")


class HoldoutSerializer(serializers.Serializer[Any]):
    share_bp = StrictInteger(min_value=0, max_value=2_000)


class LayerSerializer(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id", read_only=True)
    key = serializers.SlugField(max_length=60)


class LayerInputSerializer(serializers.Serializer[Any]):
    """`slots` lists half-open ranges [start, end) of 0..10,000; `layer` null takes the experiment out."""

    layer = serializers.CharField(allow_null=True)
    slots = serializers.ListField(
        child=serializers.ListField(child=StrictInteger(), min_length=2, max_length=2), required=False
    )
