"""REST: the attribute registry under /api/v1/attributes."""

from typing import Any

from django.db.models import QuerySet
from rest_framework import generics, serializers, status
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import Action
from accounts.audit import Actor
from accounts.authentication import project_of
from accounts.models import ApiKey, Role
from core.errors import NotFound
from events.models import Attribute, AttributeType, Sensitivity, Subject
from events.registry import (
    delete_attribute,
    editable_fields,
    may_delete,
    register_attribute,
    update_attribute,
)


class AttributeSerializer(serializers.Serializer[Attribute]):
    """A registered field of profiles or of events' properties."""

    id = serializers.CharField(source="public_id", read_only=True)
    subject = serializers.ChoiceField(choices=Subject.choices, default=Subject.PROFILE)
    key = serializers.CharField(max_length=60)
    type = serializers.ChoiceField(choices=AttributeType.choices)
    description = serializers.CharField(default="", allow_blank=True, max_length=2_000)
    purpose = serializers.CharField(max_length=200)
    sensitivity = serializers.ChoiceField(choices=Sensitivity.choices, default=Sensitivity.NONE)
    retention_days = serializers.IntegerField(min_value=1, max_value=3_650, default=365)
    created_at = serializers.DateTimeField(read_only=True)


class AttributeChangeSerializer(serializers.Serializer[Attribute]):
    """What can change of a registered attribute; key and type cannot."""

    subject = serializers.ChoiceField(choices=Subject.choices, required=False)
    key = serializers.CharField(max_length=60, required=False)
    type = serializers.ChoiceField(choices=AttributeType.choices, required=False)
    description = serializers.CharField(allow_blank=True, max_length=2_000, required=False)
    purpose = serializers.CharField(max_length=200, required=False)
    sensitivity = serializers.ChoiceField(choices=Sensitivity.choices, required=False)
    retention_days = serializers.IntegerField(min_value=1, max_value=3_650, required=False)


class AttributeList(generics.ListCreateAPIView[Attribute]):
    """List the attributes of the project, or register one."""

    required_actions = {"GET": Action.SEE, "POST": Action.EDIT}
    serializer_class = AttributeSerializer

    def get_queryset(self) -> QuerySet[Attribute]:
        if getattr(self, "swagger_fake_view", False):
            return Attribute.objects.none()
        return Attribute.objects.filter(project=project_of(self.request))

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        form = AttributeSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        fields = dict(form.validated_data)
        attribute = register_attribute(
            project=project_of(request), value_type=fields.pop("type"), actor=Actor.of(request), **fields
        )
        return Response(AttributeSerializer(attribute).data, status=status.HTTP_201_CREATED)


class AttributeDetail(generics.GenericAPIView[Attribute]):
    """One attribute."""

    serializer_class = AttributeSerializer
    required_action = Action.SEE  # what a role may change depends on the field: see _require

    def _attribute(self, public_id: str) -> Attribute:
        attribute = Attribute.objects.filter(project=project_of(self.request), public_id=public_id).first()
        if attribute is None:
            raise NotFound("No such attribute in this project.")
        return attribute

    def get(self, request: Request, public_id: str) -> Response:
        return Response(AttributeSerializer(self._attribute(public_id)).data)

    def patch(self, request: Request, public_id: str) -> Response:
        attribute = self._attribute(public_id)
        form = AttributeChangeSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        changed = {name for name, value in form.validated_data.items() if value != getattr(attribute, name)}
        allowed = editable_fields(_role(request))
        _require(bool(allowed) and not (changed & {"sensitivity", "retention_days"}) - set(allowed))
        attribute = update_attribute(attribute=attribute, actor=Actor.of(request), **form.validated_data)
        return Response(AttributeSerializer(attribute).data)

    def delete(self, request: Request, public_id: str) -> Response:
        attribute = self._attribute(public_id)
        _require(may_delete(_role(request), attribute))
        delete_attribute(attribute=attribute, actor=Actor.of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


def _role(request: Request) -> str:
    key = request.auth
    return key.role if isinstance(key, ApiKey) else Role.VIEWER


def _require(holds: bool) -> None:
    if not holds:
        raise PermissionDenied(
            "This key's role does not cover that. Sensitivity, retention and the deletion of attributes with "
            "stored values are for the privacy officer; the rest is for experimenters and admins."
        )
