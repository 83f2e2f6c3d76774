"""OFREP: one flag, or all flags, for one unit. The hot path: plain Django and orjson."""

import hashlib
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from assignments.document import FlagConfig, Snapshot
from assignments.evaluation import NO_FACTS, Evaluation, Facts, evaluate, facts_needed
from assignments.exposure_services import record_evaluation
from assignments.live import store
from assignments.ofrep import STATUS_OF, evaluation_body, failure_body
from assignments.sdk_requests import authorise, preflight, with_cors
from core.errors import DomainError
from core.strict_json import BodyTooLarge, JsonValue, MalformedJson, loads
from events.gate import MethodNotAllowed, read_body

log = logging.getLogger(__name__)

EVALUATION_KINDS = frozenset({"sdk_server", "sdk_client"})
_ERROR_CODES = {MalformedJson: "PARSE_ERROR", BodyTooLarge: "PARSE_ERROR"}
_GENERAL = "The evaluation failed; the server's log says why. The default value of your code is used."


class InvalidContext(DomainError):
    """The evaluation context is not what OFREP says it is."""

    code = "INVALID_CONTEXT"
    status = 400


@dataclass(frozen=True, slots=True)
class _Question:
    """One unit before one snapshot; `facts` by unit type, None while the database is away."""

    snapshot: Snapshot
    context: dict[str, JsonValue]
    unit_id: str | None
    facts: dict[str, Facts | None]
    now: datetime

    def stored(self, flag: FlagConfig | None) -> Facts | None:
        return self.facts.get(flag.unit_type, NO_FACTS) if flag else NO_FACTS


def _ofrep(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Answer preflights, and map every error to the body OFREP clients understand."""

    @csrf_exempt
    @wraps(view)
    def guarded(request: HttpRequest, key: str | None = None) -> HttpResponse:
        if request.method == "OPTIONS":
            return preflight()
        try:
            if request.method != "POST":
                raise MethodNotAllowed("Ask with POST and a JSON body.")
            snapshot = store.snapshot(authorise(request, EVALUATION_KINDS).environment_id)
            response = view(request, snapshot, _context(request), *([] if key is None else [key]))
        except DomainError as error:
            code = (
                "INVALID_CONTEXT"
                if isinstance(error, InvalidContext)
                else _ERROR_CODES.get(type(error), "GENERAL")
            )
            response = _json(failure_body(code, error.message, key=key), status=error.status)
        except Exception:
            log.exception("OFREP request failed")
            response = _json(failure_body("GENERAL", _GENERAL, key=key), status=500)
        return with_cors(response)

    return guarded


@_ofrep
def evaluate_flag(
    request: HttpRequest, snapshot: Snapshot, context: dict[str, JsonValue], key: str
) -> HttpResponse:
    """Evaluate one flag."""
    flag = snapshot.flags.get(key)
    question = _question(snapshot, [flag] if flag else [], context)
    evaluation = _evaluate(key, flag, question)
    if flag and flag.auto_exposure and evaluation.exposure and question.unit_id:
        record_evaluation(snapshot.environment_id, question.unit_id, evaluation)
    status = STATUS_OF.get(evaluation.error_code or "", 200)
    return _json(_body(key, flag, evaluation, question), status=status)


@_ofrep
def evaluate_flags(request: HttpRequest, snapshot: Snapshot, context: dict[str, JsonValue]) -> HttpResponse:
    """Evaluate every flag; 304 when the answers are those the client has."""
    question = _question(snapshot, snapshot.flags.values(), context)
    answers = [
        _body(key, flag, _evaluate(key, flag, question), question) for key, flag in snapshot.flags.items()
    ]
    body = {
        "flags": answers,
        "metadata": {"snapshot_version": snapshot.revision, "environment": snapshot.environment},
    }
    etag = f'"{hashlib.sha256(orjson.dumps(answers)).hexdigest()[:32]}"'
    known = {tag.strip().removeprefix("W/") for tag in request.META.get("HTTP_IF_NONE_MATCH", "").split(",")}
    response = HttpResponse(status=304) if known & {etag, "*"} else _json(body)
    response["ETag"] = etag
    return response


def _context(request: HttpRequest) -> dict[str, JsonValue]:
    body = loads(read_body(request))
    context = body.get("context") if isinstance(body, dict) else None
    if not isinstance(context, dict):
        raise InvalidContext('Send a JSON object with a context: {"context": {"targetingKey": "…"}}.')
    if not isinstance(context.get("targetingKey", ""), str):
        raise InvalidContext("targetingKey must be a string.", pointer="/context/targetingKey")
    return context


def _question(snapshot: Snapshot, flags: Iterable[FlagConfig], context: dict[str, JsonValue]) -> _Question:
    """Read what is stored of the unit, once for each unit type that needs it."""
    unit_id = str(context.get("targetingKey", "")) or None
    facts: dict[str, Facts | None] = {}
    if unit_id:
        for unit_type in facts_needed(flags, context=context):
            facts[unit_type] = store.facts(
                environment_id=snapshot.environment_id, unit_type=unit_type, unit_id=unit_id
            )
    return _Question(snapshot, context, unit_id, facts, datetime.now(UTC))


def _evaluate(key: str, flag: FlagConfig | None, question: _Question) -> Evaluation:
    evaluation = evaluate(
        flag,
        unit_id=question.unit_id,
        context=question.context,
        facts=question.stored(flag) or NO_FACTS,
        now=question.now,
    )
    if evaluation.reason_code == "evaluation_failed":
        log.error("flag %s: %s", key, evaluation.error_details)
    return evaluation


def _body(key: str, flag: FlagConfig | None, evaluation: Evaluation, question: _Question) -> dict[str, Any]:
    if evaluation.reason_code == "evaluation_failed":
        return failure_body("GENERAL", _GENERAL, key=key)
    facts_known = question.stored(flag) is not None
    return evaluation_body(key, evaluation, question.snapshot, facts_known=facts_known)


def _json(body: dict[str, Any], *, status: int = 200) -> HttpResponse:
    return HttpResponse(orjson.dumps(body), status=status, content_type="application/json")
