"""What the segments API reads and writes."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from segments.models import Segment, SegmentRefresh, SegmentVersion
from segments.sizes import is_suppressed, shown_size

_RULE_EXAMPLE = {
    "all": [
        {"attribute": "country", "op": "eq", "value": "DE"},
        {"event": "purchase", "aggregate": "count", "op": "gte", "value": 3, "window_days": 30},
    ]
}


@extend_schema_field(
    {
        "type": "object",
        "additionalProperties": True,
        "description": "A rule of the segment language: one of the keys all, any, not, attribute, event, segment.",
        "example": _RULE_EXAMPLE,
    }
)
class RuleField(serializers.JSONField):
    """A rule as JSON; its faults are found by the service, with pointers into it."""


class SegmentIn(serializers.Serializer[Segment]):
    """A new segment."""

    key = serializers.CharField(max_length=60)
    name = serializers.CharField(max_length=120)
    rule = RuleField()
    rationale = serializers.CharField(max_length=5_000, required=False, default="", allow_blank=True)
    unit_type = serializers.CharField(max_length=30, required=False, default="user")
    refresh_minutes = serializers.IntegerField(min_value=1, max_value=10_080, required=False, default=60)


class SegmentPatch(serializers.Serializer[Segment]):
    """What can be changed without a new version; a field that is not sent stays."""

    name = serializers.CharField(max_length=120, required=False)
    rationale = serializers.CharField(max_length=5_000, required=False, allow_blank=True)
    refresh_minutes = serializers.IntegerField(min_value=1, max_value=10_080, required=False)


class RuleIn(serializers.Serializer[SegmentVersion]):
    """A rule to save as the next version."""

    rule = RuleField()


class PreviewIn(serializers.Serializer[SegmentVersion]):
    """A rule to try, without saving it."""

    rule = RuleField()
    unit_type = serializers.CharField(max_length=30, required=False, default="user")


class PreviewOut(serializers.Serializer[Any]):
    """What a rule says and how many units it is true of, in the environment of the key."""

    sentence = serializers.CharField()
    needs_stored_facts = serializers.BooleanField()
    units = serializers.IntegerField(
        allow_null=True, help_text="null when it could not be counted in time, or is from 1 to 9 (suppressed)"
    )
    suppressed = serializers.BooleanField(help_text="true when the number of units is from 1 to 9")
    profiles = serializers.IntegerField(allow_null=True, help_text="profiles of this unit type, in all")
    as_of = serializers.DateTimeField()
    reason = serializers.CharField(allow_blank=True, help_text="why there is no number of units")
    unseen_events = serializers.ListField(
        child=serializers.CharField(), help_text="event names of the rule that have not arrived yet"
    )


class RefreshOut(serializers.ModelSerializer[SegmentRefresh]):
    """How fresh a version's membership is in an environment."""

    environment = serializers.CharField(source="environment.slug")
    version = serializers.IntegerField(source="version.number")
    size = serializers.SerializerMethodField()
    suppressed = serializers.SerializerMethodField()

    class Meta:
        model = SegmentRefresh
        fields = (
            "version",
            "environment",
            "due_at",
            "refreshed_at",
            "size",
            "suppressed",
            "error",
            "failures",
        )

    def get_size(self, row: SegmentRefresh) -> int | None:
        return shown_size(row.size)

    def get_suppressed(self, row: SegmentRefresh) -> bool:
        return is_suppressed(row.size)


class VersionOut(serializers.ModelSerializer[SegmentVersion]):
    """One immutable definition."""

    id = serializers.CharField(source="public_id")
    rule = RuleField()
    created_by = serializers.EmailField(source="created_by.email", default=None, allow_null=True)

    class Meta:
        model = SegmentVersion
        fields = ("id", "number", "rule", "sentence", "needs_stored_facts", "created_at", "created_by")


class SegmentOut(serializers.ModelSerializer[Segment]):
    """A segment with its latest version and its size in the environment of the key."""

    id = serializers.CharField(source="public_id")
    owner = serializers.EmailField(source="owner.email", default=None, allow_null=True)
    version = serializers.IntegerField(source="latest_number")
    sentence = serializers.CharField(source="latest_sentence")
    rule = RuleField(source="latest_rule")
    size = serializers.SerializerMethodField()
    suppressed = serializers.SerializerMethodField()
    as_of = serializers.DateTimeField(source="refreshed_at", allow_null=True)
    refresh_error = serializers.CharField(allow_null=True)

    class Meta:
        model = Segment
        fields = (
            "id",
            "key",
            "name",
            "rationale",
            "unit_type",
            "status",
            "owner",
            "refresh_minutes",
            "created_at",
            "version",
            "sentence",
            "rule",
            "size",
            "suppressed",
            "as_of",
            "refresh_error",
        )

    def get_size(self, segment: Segment) -> int | None:
        return shown_size(getattr(segment, "size", None))

    def get_suppressed(self, segment: Segment) -> bool:
        return is_suppressed(getattr(segment, "size", None))
