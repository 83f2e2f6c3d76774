"""Errors as `application/problem+json` (RFC 9457), the same for every endpoint."""

import logging
from typing import Any

import orjson
from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.response import Response
from rest_framework.views import exception_handler as drf_exception_handler

from core.errors import DatabaseAway, DomainError, InvalidInput, Problem

log = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 5
DATABASE_AWAY = "The database does not answer. Nothing was half-written; try again in a moment."
TITLES = {
    400: "Bad request",
    401: "Not authenticated",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    406: "Not acceptable",
    409: "Conflict",
    413: "Body too large",
    415: "Unsupported media type",
    422: "Cannot be processed",
    429: "Too many requests",
    500: "Server error",
    503: "Service unavailable",
}


def problem_body(
    status: int, code: str, detail: str, request_id: str, problems: list[Problem] | None = None
) -> dict[str, Any]:
    """Return the JSON body of a problem; `type` names the documentation of its code."""
    body: dict[str, Any] = {
        "type": f"/docs/errors#{code}",
        "title": TITLES.get(status, "Error"),
        "status": status,
        "code": code,
        "detail": detail,
        "request_id": request_id,
    }
    if problems:
        body["errors"] = [{"pointer": p.pointer, "code": p.code, "detail": p.detail} for p in problems]
    return body


def problems_of(error: DomainError) -> list[Problem]:
    """Return the single faults of an error, at least one."""
    if isinstance(error, InvalidInput):
        return error.problems
    return [Problem(pointer=error.pointer, code=error.code, detail=error.message)]


def problem_response(error: DomainError, request: HttpRequest) -> HttpResponse:
    """Answer a plain Django request with the problem that `error` describes."""
    body = problem_body(
        error.status, error.code, error.message, getattr(request, "request_id", ""), problems_of(error)
    )
    return HttpResponse(orjson.dumps(body), status=error.status, content_type=CONTENT_TYPE)


def _flatten(detail: Any, pointer: str = "") -> list[Problem]:
    if isinstance(detail, dict):
        return [p for key, value in detail.items() for p in _flatten(value, f"{pointer}/{key}")]
    if isinstance(detail, list) and any(isinstance(item, dict | list) for item in detail):
        return [p for i, item in enumerate(detail) for p in _flatten(item, f"{pointer}/{i}")]
    if isinstance(detail, list):
        return [p for item in detail for p in _flatten(item, pointer)]
    return [Problem(pointer=pointer, code=getattr(detail, "code", "invalid"), detail=str(detail))]


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    """Map any error of a DRF view to problem+json; None lets a bug reach the log as a 500."""
    request_id = getattr(context["request"], "request_id", "")
    if isinstance(exc, OperationalError | InterfaceError):
        log.error("the database did not carry out a request: %s", exc)
        exc = DatabaseAway(DATABASE_AWAY)
    if isinstance(exc, DomainError):
        body = problem_body(exc.status, exc.code, exc.message, request_id, problems_of(exc))
        headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if exc.status == 503 else None
        return Response(body, status=exc.status, headers=headers, content_type=CONTENT_TYPE)
    response = drf_exception_handler(exc, context)
    if response is None:
        return None
    if isinstance(exc, ValidationError):
        problems = _flatten(exc.detail)
        detail = "; ".join(f"{p.pointer.lstrip('/') or 'body'}: {p.detail}" for p in problems)
        response.status_code = 422
        response.data = problem_body(422, "invalid_input", detail, request_id, problems)
    else:
        code = "not_found" if isinstance(exc, Http404) else getattr(exc, "default_code", "error")
        if isinstance(exc, PermissionDenied):
            code = "forbidden"
        detail = str(exc.detail) if isinstance(exc, APIException) else str(exc) or "No such object here."
        response.data = problem_body(response.status_code, code, detail, request_id)
    response.content_type = CONTENT_TYPE
    return response
