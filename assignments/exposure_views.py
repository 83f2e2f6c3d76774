"""POST /api/v1/exposures: units that really met their variant."""

from collections import Counter
from dataclasses import asdict
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts.models import ApiKey
from assignments.exposure_services import ingest_exposures
from events.bodies import read_items
from events.gate import WRITERS, ingest_view, read_body
from events.ingestion import ACCEPTED, DUPLICATE, REJECTED, ItemResult


@ingest_view(kinds={"POST": WRITERS})
def post_exposures(request: HttpRequest, key: ApiKey) -> HttpResponse:
    """Store a batch of exposures; 202 once they are committed, with the result of each."""
    items = read_items(read_body(request), "exposures")
    results = ingest_exposures(environment=key.environment, items=items, now=timezone.now())
    counts = Counter(result.status for result in results)
    body = {
        "accepted": counts[ACCEPTED],
        "duplicates": counts[DUPLICATE],
        "rejected": counts[REJECTED],
        "results": [_answer(result) for result in results],
    }
    return HttpResponse(orjson.dumps(body), status=202, content_type="application/json")


def _answer(result: ItemResult) -> dict[str, Any]:
    answer = {"index": result.index, "event_id": result.event_id, "status": result.status}
    return answer | asdict(result.refusal) if result.refusal else answer
