"""The shapes of OFREP 0.3.0 answers, with what its real clients insist on (PROTOCOLS.md)."""

from typing import Any

from assignments.document import Snapshot
from assignments.evaluation import Evaluation

STATUS_OF = {"FLAG_NOT_FOUND": 404, "TARGETING_KEY_MISSING": 400, "INVALID_CONTEXT": 400, "GENERAL": 500}


def evaluation_body(
    key: str, evaluation: Evaluation, snapshot: Snapshot, *, facts_known: bool
) -> dict[str, Any]:
    """Return a success or a failure; a success always carries `value` and `variant`, a failure its details."""
    if evaluation.error_code:
        return failure_body(evaluation.error_code, evaluation.error_details, key=key)
    return {
        "key": key,
        "value": evaluation.value,
        "variant": evaluation.variant,
        "reason": evaluation.reason,
        "metadata": _metadata(evaluation, snapshot, facts_known=facts_known),
    }


def failure_body(error_code: str, details: str, *, key: str | None = None) -> dict[str, Any]:
    """Return a failure; `key` names the flag when one was asked for."""
    named = {} if key is None else {"key": key}
    return {**named, "errorCode": error_code, "errorDetails": details}


def _metadata(
    evaluation: Evaluation, snapshot: Snapshot, *, facts_known: bool
) -> dict[str, str | int | bool]:
    """Return all that an exposure needs, flat: the JavaScript client drops nested values."""
    metadata: dict[str, str | int | bool] = {
        "reason_code": evaluation.reason_code,
        "snapshot_version": snapshot.revision,
        "exposure": evaluation.exposure,
    }
    for name in ("experiment", "target", "phase", "slot", "hash_version"):
        value = getattr(evaluation, name)
        if value is not None:
            metadata[name] = value
    if not facts_known:
        metadata["facts_unavailable"] = True
    return metadata
