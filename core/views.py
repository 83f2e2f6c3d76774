"""Pages that belong to no app: probes, and answers to requests that lead nowhere."""

from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views import defaults
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from core.errors import DomainError, Forbidden, NotFound
from core.problem import problem_response

_PROGRAM_PATHS = ("/api/", "/ofrep/")


class ServerFault(DomainError):
    """Something broke on our side."""

    code = "server_error"
    status = 500


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 404 as a page, or as a problem for programs."""
    if request.path.startswith(_PROGRAM_PATHS):
        return problem_response(NotFound(f"There is nothing at {request.path}."), request)
    return defaults.page_not_found(request, exception)


def forbidden(request: HttpRequest, exception: PermissionDenied) -> HttpResponse:
    """Answer 403 as a page, or as a problem for programs."""
    if request.path.startswith(_PROGRAM_PATHS):
        return problem_response(Forbidden(str(exception) or "This is not allowed."), request)
    return defaults.permission_denied(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 500 as a page that needs no database, or as a problem for programs."""
    if request.path.startswith(_PROGRAM_PATHS):
        fault = ServerFault(
            "Something broke on the server. Try again; quote the request id when it persists."
        )
        return problem_response(fault, request)
    return defaults.server_error(request)


@require_safe
@never_cache
def live(request: HttpRequest) -> HttpResponse:
    """Say that the process answers."""
    return JsonResponse({"status": "ok"})


@require_safe
@never_cache
def ready(request: HttpRequest) -> HttpResponse:
    """Say whether this process can serve: the database answers and is migrated."""
    try:
        executor = MigrationExecutor(connection)
        pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError:
        return JsonResponse({"status": "unavailable", "reason": "the database does not answer"}, status=503)
    if pending:
        return JsonResponse({"status": "unavailable", "reason": "migrations are pending"}, status=503)
    return JsonResponse({"status": "ok"})
