"""The gate of the REST API: a key says which project and environment, and what it may do."""

from typing import TYPE_CHECKING, Any

from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts.access import Action, allows
from accounts.keys import find_key, touch_key
from accounts.models import ApiKey, KeyKind, Project

if TYPE_CHECKING:  # REST framework loads this module while it loads its views
    from rest_framework.views import APIView


def secret_of(request: HttpRequest | Request) -> str:
    """Return the key sent as `Authorization: Bearer …` or `X-API-Key`, or ""."""
    header = request.META.get("HTTP_AUTHORIZATION", "")
    scheme, _, secret = header.partition(" ")
    if scheme.lower() == "bearer":
        return secret.strip()
    return request.META.get("HTTP_X_API_KEY", "").strip()


class ApiKeyAuthentication(BaseAuthentication):
    """Set `request.auth` to the ApiKey; the actor behind it stays in the audit trail."""

    def authenticate(self, request: Request) -> tuple[Any, ApiKey] | None:
        secret = secret_of(request)
        if not secret:
            return None
        key = find_key(secret)
        if key is None:
            raise AuthenticationFailed("This key is unknown or revoked. Make a new one under API keys.")
        touch_key(key)
        return key.created_by, key

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="strata"'


class ProjectPermission(BasePermission):
    """Let an `api_` key pass whose role covers the view's `required_action` for the method.

    A view sets `required_action`, or `required_actions = {"GET": …, "POST": …}`.
    """

    def has_permission(self, request: Request, view: "APIView") -> bool:
        key = request.auth
        if not isinstance(key, ApiKey):
            return False
        if key.kind != KeyKind.API:
            raise PermissionDenied(f"This is a {key.kind} key; configuration and results need an api_ key.")
        by_method: dict[str | None, Action] = getattr(view, "required_actions", {})
        action = by_method.get(request.method) or Action(getattr(view, "required_action", Action.SEE))
        if not allows(key.role, action):
            raise PermissionDenied(f"This key has the role {key.role}; it does not cover: {action.value}.")
        return True


def key_of(request: Request) -> ApiKey:
    """Return the key that the request came with."""
    assert isinstance(request.auth, ApiKey), "the view lacks ApiKeyAuthentication"
    return request.auth


def project_of(request: Request) -> Project:
    """Return the project that the request's key belongs to."""
    return key_of(request).environment.project
