"""What every request of an SDK goes through: key, kind, origin, CORS. Nothing here asks the database."""

from collections.abc import Collection

from django.http import HttpRequest, HttpResponse

from accounts.authentication import secret_of
from assignments.live import Grant, store
from core.errors import Forbidden
from events.gate import NotAuthenticated

_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "ETag, Retry-After",
}
_PREFLIGHT = {
    **_CORS,
    "Access-Control-Allow-Methods": "POST, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, If-None-Match, X-API-Key, Content-Type",
    "Access-Control-Max-Age": "7200",
}
RETRY_AFTER_SECONDS = "2"


def authorise(request: HttpRequest, kinds: Collection[str]) -> Grant:
    """Return what the request's key opens. Raises NotAuthenticated, Forbidden or DatabaseAway."""
    secret = secret_of(request)
    if not secret:
        raise NotAuthenticated("Send an API key as `Authorization: Bearer …` or `X-API-Key`.")
    grant = store.grant(secret)
    if grant is None:
        raise NotAuthenticated("This key is unknown or revoked. Make a new one under API keys.")
    if grant.key.kind not in kinds:
        raise Forbidden(f"This is a {grant.key.kind} key; this endpoint takes: {', '.join(sorted(kinds))}.")
    origin = request.META.get("HTTP_ORIGIN")
    if origin and grant.key.allowed_origins and origin not in grant.key.allowed_origins:
        raise Forbidden(f"This key does not allow requests from {origin}. Add the origin under API keys.")
    return grant


def preflight() -> HttpResponse:
    """Answer a browser that asks whether it may call."""
    return HttpResponse(status=204, headers=_PREFLIGHT)


def with_cors(response: HttpResponse) -> HttpResponse:
    """Let a page of any origin read the answer: what protects it is the key, not a cookie."""
    for name, value in _CORS.items():
        response[name] = value
    if response.status_code == 503:
        response["Retry-After"] = RETRY_AFTER_SECONDS
    return response
