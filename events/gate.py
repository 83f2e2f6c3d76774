"""What every request of the hot ingestion path goes through: method, key, size, database errors as 503."""

import logging
import time
from collections.abc import Callable, Collection
from functools import wraps

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.views.decorators.csrf import csrf_exempt

from accounts.authentication import secret_of
from accounts.keys import find_key, hash_secret, touch_key
from accounts.models import ApiKey, KeyKind
from core.errors import DatabaseAway, DomainError, Forbidden
from core.problem import RETRY_AFTER_SECONDS, problem_response
from core.strict_json import MAX_BYTES, BodyTooLarge, MalformedJson
from events.bodies import decode_body

log = logging.getLogger(__name__)

KEY_SECONDS = 5.0  # a revoked key is refused after at most this long, also by other processes
MAX_CACHED_KEYS = 1_000
WRITERS = frozenset({KeyKind.INGEST, KeyKind.SDK_SERVER})

_keys: dict[str, tuple[float, ApiKey]] = {}


class NotAuthenticated(DomainError):
    """No key, or one that is unknown or revoked."""

    code = "not_authenticated"
    status = 401


class MethodNotAllowed(DomainError):
    """This address does not answer this method."""

    code = "method_not_allowed"
    status = 405


def ingest_view(
    *, kinds: dict[str, Collection[str]]
) -> Callable[[Callable[..., HttpResponse]], Callable[..., HttpResponse]]:
    """Guard a view of the ingestion API and call it with the key that was sent.

    kinds: the kinds of key that each allowed method takes.
    """

    def decorate(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        @csrf_exempt
        @wraps(view)
        def guarded(request: HttpRequest, **path: str) -> HttpResponse:
            try:
                allowed = kinds.get(request.method or "")
                if allowed is None:
                    raise MethodNotAllowed(f"Use one of: {', '.join(kinds)}.")
                return view(request, _authorise(request, allowed), **path)
            except DomainError as error:
                return _refuse(request, error, methods=", ".join(kinds))
            except (OperationalError, InterfaceError):
                log.exception("the database did not take a batch")
                away = DatabaseAway(
                    "The database is not available; nothing was stored. Keep the items and retry."
                )
                return _refuse(request, away)

        return guarded

    return decorate


def _refuse(request: HttpRequest, error: DomainError, *, methods: str = "") -> HttpResponse:
    response = problem_response(error, request)
    if error.status == 401:
        response["WWW-Authenticate"] = 'Bearer realm="strata"'
    if error.status == 405:
        response["Allow"] = methods
    if error.status == 503:
        response["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def _authorise(request: HttpRequest, kinds: Collection[str]) -> ApiKey:
    secret = secret_of(request)
    if not secret:
        raise NotAuthenticated("Send an API key as `Authorization: Bearer …` or `X-API-Key`.")
    key = _cached_key(secret)
    if key is None:
        raise NotAuthenticated("This key is unknown or revoked. Make a new one under API keys.")
    if key.kind not in kinds:
        raise Forbidden(f"This is a {key.kind} key; this address takes: {', '.join(sorted(kinds))}.")
    return key


def _cached_key(secret: str) -> ApiKey | None:
    """Return the live key, with its environment and project, from memory or the database."""
    now = time.monotonic()
    digest = hash_secret(secret)
    cached = _keys.get(digest)
    if cached and cached[0] > now:
        return cached[1]
    _keys.pop(digest, None)
    key = find_key(secret)
    if key is None:
        return None
    touch_key(key)
    if len(_keys) >= MAX_CACHED_KEYS:
        _keys.clear()
    _keys[digest] = (now + KEY_SECONDS, key)
    return key


def read_body(request: HttpRequest) -> bytes:
    """Return the body, uncompressed. Raises BodyTooLarge, MalformedJson or UnsupportedEncoding."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    if length.isdigit() and int(length) > MAX_BYTES:
        raise BodyTooLarge(
            f"The body has {int(length):,} bytes; at most {MAX_BYTES:,} are allowed. Send less at once."
        )
    try:
        body = request.body
    except UnreadablePostError as error:
        raise MalformedJson("The body ended before it was complete.") from error
    return decode_body(body, request.META.get("HTTP_CONTENT_ENCODING", "").strip().lower())
