"""REST: the project's keys (never their secrets)."""

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.generics import ListAPIView

from accounts.access import Action
from accounts.authentication import project_of
from accounts.models import ApiKey
from accounts.queries import keys_of


class KeySerializer(serializers.ModelSerializer[ApiKey]):
    """A key as its owner may see it again."""

    id = serializers.CharField(source="public_id")
    environment = serializers.CharField(source="environment.slug")

    class Meta:
        model = ApiKey
        fields = (
            "id",
            "name",
            "kind",
            "role",
            "environment",
            "prefix",
            "allowed_origins",
            "created_at",
            "last_used_at",
            "revoked_at",
        )


class KeyList(ListAPIView[ApiKey]):
    """List the API keys of the project, live and revoked."""

    required_action = Action.MANAGE
    serializer_class = KeySerializer

    def get_queryset(self) -> QuerySet[ApiKey]:
        if getattr(self, "swagger_fake_view", False):
            return ApiKey.objects.none()
        return keys_of(project_of(self.request))
