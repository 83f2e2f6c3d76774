"""POST /api/v1/events and /api/v1/profiles: the hot path, plain Django and orjson."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts.models import ApiKey, KeyKind
from core import strict_json
from core.errors import DomainError
from events.bodies import read_items
from events.gate import WRITERS, ingest_view, read_body
from events.ingestion import ACCEPTED, DUPLICATE, REJECTED, ItemResult, ingest_events
from events.profiles import CREATED, ProfileResult, change_profile, change_profiles, read_one
from events.values import BadValue, check_unit_id, check_unit_type


class BadProfile(DomainError):
    """The body of a profile change is not what it should be."""

    code = "bad_item"


@ingest_view(kinds={"POST": WRITERS})
def post_events(request: HttpRequest, key: ApiKey) -> HttpResponse:
    """Store a batch of events; 202 once they are committed, with the result of each."""
    items = read_items(read_body(request), "events")
    results = ingest_events(environment=key.environment, items=items, now=timezone.now())
    body = _counts([result.status for result in results])
    body["results"] = [_event_result(result) for result in results]
    return _json(body, status=202)


@ingest_view(kinds={"POST": WRITERS})
def post_profiles(request: HttpRequest, key: ApiKey) -> HttpResponse:
    """Merge a batch of profile changes; 200 with the result of each."""
    items = read_items(read_body(request), "profiles")
    results = change_profiles(environment=key.environment, items=items, now=timezone.now())
    rejected = sum(result.status == REJECTED for result in results)
    body = {"accepted": len(results) - rejected, "rejected": rejected}
    return _json({**body, "results": [_profile_result(result) for result in results]})


@ingest_view(kinds={"PUT": WRITERS, "GET": {KeyKind.SDK_SERVER}})
def profile(request: HttpRequest, key: ApiKey, unit_id: str) -> HttpResponse:
    """PUT merges attributes and consent into one profile; GET returns it (server SDK keys)."""
    try:
        unit_id = check_unit_id(unit_id)
        unit_type = check_unit_type(request.GET.get("unit_type", "user"))
    except BadValue as error:
        raise BadProfile(f"{error}.", code="bad_unit") from error
    if request.method == "GET":
        return _json(read_one(environment=key.environment, unit_type=unit_type, unit_id=unit_id))
    change = strict_json.loads(read_body(request))
    if not isinstance(change, dict):
        raise BadProfile('The body must be a JSON object: {"attributes": {…}, "consent": {…}}.')
    if change.get("unit_id", unit_id) != unit_id:
        raise BadProfile("unit_id in the body differs from the one in the address.", pointer="/unit_id")
    item = {"unit_type": unit_type, **change, "unit_id": unit_id}
    status = change_profile(environment=key.environment, item=item, now=timezone.now())
    return _json({"unit_id": unit_id, "status": status}, status=201 if status == CREATED else 200)


def _counts(statuses: Sequence[str]) -> dict[str, Any]:
    return {
        "accepted": statuses.count(ACCEPTED),
        "duplicates": statuses.count(DUPLICATE),
        "rejected": statuses.count(REJECTED),
    }


def _event_result(result: ItemResult) -> dict[str, Any]:
    answer: dict[str, Any] = {"index": result.index, "event_id": result.event_id, "status": result.status}
    if result.id_made:
        answer["event_id_made"] = True
    if result.dropped:
        answer["dropped"] = result.dropped
    if result.refusal:
        answer |= asdict(result.refusal)
    return answer


def _profile_result(result: ProfileResult) -> dict[str, Any]:
    answer: dict[str, Any] = {"index": result.index, "unit_id": result.unit_id, "status": result.status}
    if result.refusal:
        answer |= asdict(result.refusal)
    return answer


def _json(body: dict[str, Any], *, status: int = 200) -> HttpResponse:
    return HttpResponse(orjson.dumps(body), status=status, content_type="application/json")
