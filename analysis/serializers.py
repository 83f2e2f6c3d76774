"""How the API writes runs, jobs, recipients and schedules."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from analysis.models import AnalysisJob, ReportFrequency, ReportRecipient, ReportSchedule, Run


class RunSummarySerializer(serializers.ModelSerializer[Run]):
    """A run without its numbers."""

    id = serializers.CharField(source="public_id")

    class Meta:
        model = Run
        fields = (
            "id",
            "created_at",
            "watermark",
            "revision",
            "code_version",
            "verdict",
            "sentence",
            "result_hash",
        )
        read_only_fields = fields


class RunSerializer(RunSummarySerializer):
    """A run with everything it found; `result.schema` numbers the shape of `result`."""

    experiment = serializers.CharField(source="experiment.public_id")
    result = serializers.SerializerMethodField()

    class Meta:
        model = Run
        fields = (*RunSummarySerializer.Meta.fields, "experiment", "seed", "duration_ms", "result")
        read_only_fields = fields

    @extend_schema_field(OpenApiTypes.OBJECT)
    def get_result(self, run: Run) -> Any:
        return run.result


class JobSerializer(serializers.ModelSerializer[AnalysisJob]):
    """An analysis on its way: due, done (then `run` names the result) or failed (then `error` says why)."""

    id = serializers.CharField(source="public_id")
    experiment = serializers.CharField(source="experiment.public_id")
    run = serializers.CharField(source="run.public_id", default=None, allow_null=True)

    class Meta:
        model = AnalysisJob
        fields = ("id", "experiment", "reason", "state", "due_at", "attempts", "error", "run")
        read_only_fields = fields


class RecipientSerializer(serializers.ModelSerializer[ReportRecipient]):
    """Someone who gets the reports, with or without an account."""

    id = serializers.CharField(source="public_id", read_only=True)

    class Meta:
        model = ReportRecipient
        fields = ("id", "email", "created_at")
        read_only_fields = ("created_at",)


class RecipientInputSerializer(serializers.Serializer[Any]):
    email = serializers.EmailField()


class ScheduleSerializer(serializers.ModelSerializer[ReportSchedule]):
    """When progress reports go out, in the project's time zone; weekday 0 is Monday."""

    class Meta:
        model = ReportSchedule
        fields = ("frequency", "weekday", "hour", "next_due_at")
        read_only_fields = fields


class ScheduleInputSerializer(serializers.Serializer[Any]):
    frequency = serializers.ChoiceField(choices=ReportFrequency.choices)
    weekday = serializers.IntegerField(min_value=0, max_value=6, default=0)
    hour = serializers.IntegerField(min_value=0, max_value=23, default=9)
