"""A request id on every request and answer; domain errors of pages as a plain page."""

import logging
import uuid
from collections.abc import Callable

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string

from core.errors import DomainError
from core.problem import DATABASE_AWAY, RETRY_AFTER_SECONDS, problem_response

log = logging.getLogger(__name__)

GetResponse = Callable[[HttpRequest], HttpResponse]


class RequestIdMiddleware:
    """Set `request.request_id` and the X-Request-Id header."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.request_id = uuid.uuid4().hex  # type: ignore[attr-defined]
        response = self.get_response(request)
        response["X-Request-Id"] = request.request_id  # type: ignore[attr-defined]
        return response


class DomainErrorMiddleware:
    """Turn a DomainError that a view let through into an explained page, or a problem for API paths."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, OperationalError | InterfaceError):
            return _database_away(exception)
        if not isinstance(exception, DomainError):
            return None
        if request.path.startswith(("/api/", "/ofrep/")):
            return problem_response(exception, request)
        return render(request, "error.html", {"error": exception}, status=exception.status)


def _database_away(exception: Exception) -> HttpResponse:
    """Answer a page that could not be made, by one that asks the database nothing."""
    log.error("the database did not carry out a request: %s", exception)
    response = HttpResponse(render_to_string("503.html", {"detail": DATABASE_AWAY}), status=503)
    response["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response
