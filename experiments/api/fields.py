"""Serializer fields that name objects by public id inside the project of the key."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.authentication import project_of


@extend_schema_field(OpenApiTypes.STR)
class InProject(serializers.SlugRelatedField):
    """A public id of an object of this project; a foreign one does not exist."""

    default_error_messages = {"does_not_exist": "There is no {value} in this project."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(slug_field="public_id", **kwargs)

    def get_queryset(self) -> QuerySet[Any]:
        rows = super().get_queryset()
        assert rows is not None
        return rows.filter(project=project_of(self.context["request"]))


@extend_schema_field(OpenApiTypes.ANY)
class AnyValue(serializers.JSONField):
    """Any JSON value; the flag's type decides which are right."""


class StrictInteger(serializers.IntegerField):
    """A whole number; neither true nor "1"."""

    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int:
            self.fail("invalid")
        return super().to_internal_value(data)
