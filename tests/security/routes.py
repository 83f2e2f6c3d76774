"""The registry of every address: what it names in a tenant, and what a role must cover.

A route of the URL table that is not listed here fails test_routes. Needs are written down from the
matrix "Who may do what", not read from the views.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from accounts.access import Action
from accounts.models import KeyKind
from tests.security.tenants import Tenant

Need = frozenset[Action]  # a role that covers one of these may
SEE, ANALYSE, EDIT = frozenset({Action.SEE}), frozenset({Action.ANALYSE}), frozenset({Action.EDIT})
RUN, STOP, MANAGE = frozenset({Action.RUN}), frozenset({Action.STOP}), frozenset({Action.MANAGE})
PRIVACY = frozenset({Action.PRIVACY})

# Answered to anyone: they hold no data of a project, or a signed token is the proof.
PUBLIC = {
    "live", "ready", "openapi", "api-docs", "unsubscribe",
    "accounts:login", "accounts:logout", "accounts:set-password",
}  # fmt: skip
# Pages of a user, who sees nothing but what is theirs.
PERSONAL = {"home", "projects", "project-new", "accounts:account", "accounts:change-password"}
# Django's own back office: for staff only.
BACK_OFFICE = "admin:"


def nothing(tenant: Tenant) -> tuple[object, ...]:
    return ()


def empty(tenant: Tenant) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class Page:
    """A page under /p/<slug>/: what its address names after the slug, who may read it and who may post to it.

    get, post: None when the method is not allowed; data: a body that names objects of the tenant.
    """

    get: Need | None
    post: Need | None = None
    names: Callable[[Tenant], tuple[object, ...]] = nothing
    data: Callable[[Tenant], dict[str, Any]] = empty


def both(need: Need, names: Callable[[Tenant], tuple[object, ...]] = nothing) -> Page:
    return Page(need, need, names)


def _run(*rest: object) -> Callable[[Tenant], tuple[object, ...]]:
    return lambda t: (t.measured.key, t.run.public_id, *rest)


PAGES: dict[str, Page] = {
    "accounts:keys": Page(MANAGE),
    "accounts:key-new": both(MANAGE),
    "accounts:key-revoke": both(MANAGE, lambda t: (t.key.public_id,)),
    "accounts:members": Page(SEE),
    "accounts:member-add": both(MANAGE),
    "accounts:member": both(MANAGE, lambda t: (t.spare_member.pk,)),
    "accounts:member-remove": Page(None, MANAGE, lambda t: (t.spare_member.pk,)),
    "accounts:audit": Page(SEE),
    "accounts:settings": both(MANAGE),
    "events:overview": Page(SEE),
    "events:replay": Page(None, EDIT),
    "events:attributes": Page(SEE),
    "events:attribute-new": both(EDIT),
    "events:attribute-edit": both(EDIT | PRIVACY, lambda t: ("profile", t.attribute.key)),
    # The attribute of a tenant has a stored value, so deleting it is an erasure.
    "events:attribute-delete": both(PRIVACY, lambda t: ("profile", t.attribute.key)),
    "segments:list": Page(SEE),
    "segments:new": both(EDIT),
    "segments:detail": Page(SEE, None, lambda t: (t.segment.key,)),
    "segments:edit": both(EDIT, lambda t: (t.segment.key,)),
    "segments:details": both(EDIT, lambda t: (t.segment.key,)),
    "segments:test": both(SEE, lambda t: (t.segment.key,)),
    "segments:refresh": Page(None, EDIT, lambda t: (t.segment.key,)),
    "segments:retire": both(EDIT, lambda t: (t.segment.key,)),
    "experiments:flags": Page(SEE),
    "experiments:flag-new": both(EDIT),
    "experiments:flag-edit": both(EDIT, lambda t: (t.flag.key,)),
    "experiments:metrics": Page(SEE),
    "experiments:metric-new": both(ANALYSE),
    "experiments:metric-edit": both(ANALYSE, lambda t: (t.metric.key,)),
    "experiments:list": Page(SEE),
    "experiments:new": both(EDIT),
    "experiments:detail": Page(SEE, None, lambda t: (t.measured.key,)),
    "experiments:history": Page(SEE, None, lambda t: (t.measured.key,)),
    "experiments:describe": both(EDIT, lambda t: (t.draft.key,)),
    "experiments:overrides": both(EDIT, lambda t: (t.running.key,)),
    "experiments:override-remove": Page(
        None, EDIT, lambda t: (t.running.key,), lambda t: {"unit_id": f"{t.running.key}-unit"}
    ),
    "experiments:setup-variants": both(EDIT, lambda t: (t.draft.key,)),
    "experiments:setup-targets": both(EDIT, lambda t: (t.draft.key,)),
    "experiments:setup-metrics": both(EDIT, lambda t: (t.draft.key,)),
    "experiments:setup-plan": both(EDIT, lambda t: (t.draft.key,)),
    "experiments:setup-breakdowns": both(EDIT, lambda t: (t.draft.key,)),
    "experiments:segment-uses": Page(SEE, None, lambda t: (t.segment.public_id,)),
    "experiments:start": both(RUN, lambda t: (t.draft.key,)),
    "experiments:pause": both(STOP, lambda t: (t.running.key,)),
    "experiments:resume": both(RUN, lambda t: (t.paused.key,)),
    "experiments:complete": both(RUN, lambda t: (t.running.key,)),
    "experiments:archive": both(EDIT, lambda t: (t.completed.key,)),
    "experiments:ramp": both(RUN, lambda t: (t.running.key, 0)),
    "analysis:home": Page(SEE),
    "analysis:mail": Page(SEE),
    "analysis:mail-show": Page(MANAGE, None, lambda t: (t.mail.public_id,)),
    "analysis:mail-html": Page(MANAGE, None, lambda t: (t.mail.public_id,)),
    "analysis:mail-raw": Page(MANAGE, None, lambda t: (t.mail.public_id,)),
    "analysis:results": Page(SEE, None, lambda t: (t.measured.key,)),
    "analysis:health": Page(SEE, None, lambda t: (t.measured.key,)),
    "analysis:adequacy": Page(SEE, None, lambda t: (t.measured.key,)),
    "analysis:decide": both(RUN, lambda t: (t.measured.key,)),
    "analysis:analyse": Page(None, ANALYSE, lambda t: (t.measured.key,)),
    "analysis:job": Page(SEE, None, lambda t: (t.measured.key, t.job.public_id)),
    "analysis:forest": Page(SEE, None, _run("light")),
    "analysis:exposures": Page(SEE, None, _run("light")),
    "analysis:run-json": Page(ANALYSE, None, _run()),
    "analysis:run-csv": Page(ANALYSE, None, _run()),
    "analysis:reports": Page(SEE, None, lambda t: (t.measured.key,)),
    "analysis:report-preview": Page(SEE, None, lambda t: (t.measured.key,)),
    "analysis:report-test": Page(None, ANALYSE, lambda t: (t.measured.key,)),
    "analysis:recipient-add": Page(None, MANAGE, lambda t: (t.measured.key,)),
    "analysis:recipient-remove": Page(
        None, MANAGE, lambda t: (t.measured.key,), lambda t: {"recipient": t.recipient.public_id}
    ),
    "analysis:schedule": Page(None, MANAGE, lambda t: (t.measured.key,)),
}


@dataclass(frozen=True)
class Endpoint:
    """An address of the REST API for `api_` keys: by method, what the key's role must cover.

    bodies: by method, a body; query: what follows the address; is_of_environment: whether a key of another
    environment of the same project finds nothing there.
    """

    needs: Mapping[str, Need]
    names: Callable[[Tenant], tuple[object, ...]] = nothing
    bodies: Mapping[str, Callable[[Tenant], Any]] = field(default_factory=dict)
    query: Callable[[Tenant], dict[str, str]] = empty
    is_of_environment: bool = True


def _of(name: str) -> Callable[[Tenant], tuple[object, ...]]:
    return lambda t: (getattr(t, name).public_id,)


def _step(need: Need, experiment: str, **body: Any) -> Endpoint:
    return Endpoint({"POST": need}, _of(experiment), {"POST": lambda t: body})


def _part(experiment: str, body: Callable[[Tenant], Any]) -> Endpoint:
    return Endpoint({"PUT": EDIT}, _of(experiment), {"PUT": body})


_RULE = {"any": [{"event": "order", "aggregate": "count", "op": "gte", "value": 1, "window_days": 30}]}
_ARMS = [{"key": "control", "value": False}, {"key": "other", "value": True}]
_DECISION = {"decision": "inconclusive", "reason": "A reason."}
_PROJECT_WIDE = {"is_of_environment": False}

ENDPOINTS: dict[str, Endpoint] = {
    "accounts-api:keys": Endpoint({"GET": MANAGE}),
    "events-api:attributes": Endpoint(
        {"GET": SEE, "POST": EDIT},
        bodies={"POST": lambda t: {"key": "fresh", "type": "string", "purpose": "A reason."}},
    ),
    "events-api:attribute": Endpoint(
        {"GET": SEE, "PATCH": EDIT | PRIVACY, "DELETE": PRIVACY},
        _of("attribute"),
        {"PATCH": lambda t: {"description": "Changed."}},
        **_PROJECT_WIDE,
    ),
    "segments-api:segments": Endpoint(
        {"GET": SEE, "POST": EDIT},
        bodies={"POST": lambda t: {"key": "fresh", "name": "Fresh", "rule": _RULE}},
    ),
    # Counting whom any rule is true of could find one person by differences, so it goes with editing segments.
    "segments-api:segment-preview": Endpoint({"POST": EDIT}, bodies={"POST": lambda t: {"rule": _RULE}}),
    "segments-api:segment": Endpoint(
        {"GET": SEE, "PATCH": EDIT}, _of("segment"), {"PATCH": lambda t: {"name": "Changed"}}, **_PROJECT_WIDE
    ),
    "segments-api:segment-versions": Endpoint(
        {"GET": SEE, "POST": EDIT}, _of("segment"), {"POST": lambda t: {"rule": _RULE}}, **_PROJECT_WIDE
    ),
    "segments-api:segment-refresh": Endpoint({"POST": EDIT}, _of("segment"), **_PROJECT_WIDE),
    "segments-api:segment-retire": Endpoint({"POST": EDIT}, _of("segment"), **_PROJECT_WIDE),
    "experiments-api:flags": Endpoint(
        {"GET": SEE, "POST": EDIT},
        bodies={"POST": lambda t: {"key": "fresh", "type": "boolean", "default_value": False}},
    ),
    "experiments-api:flag": Endpoint(
        {"GET": SEE, "PATCH": EDIT}, _of("flag"), {"PATCH": lambda t: {"name": "Changed"}}, **_PROJECT_WIDE
    ),
    "experiments-api:metrics": Endpoint(
        {"GET": SEE, "POST": ANALYSE},
        bodies={
            "POST": lambda t: {"key": "fresh", "name": "Fresh", "kind": "conversion", "event_name": "order"}
        },
    ),
    "experiments-api:metric": Endpoint(
        {"GET": SEE, "PATCH": ANALYSE},
        _of("metric"),
        {"PATCH": lambda t: {"name": "Changed"}},
        **_PROJECT_WIDE,
    ),
    "experiments-api:holdout": Endpoint(
        {"GET": SEE, "PUT": RUN}, bodies={"PUT": lambda t: {"share_bp": 100}}
    ),
    "experiments-api:layers": Endpoint(
        {"GET": SEE, "POST": EDIT}, bodies={"POST": lambda t: {"key": "fresh"}}
    ),
    "experiments-api:experiments": Endpoint(
        {"GET": SEE, "POST": EDIT},
        bodies={
            "POST": lambda t: {
                "name": "Fresh",
                "hypothesis": "",
                "flag": t.flag.public_id,
                "variants": _ARMS,
                "metrics": [{"metric": t.metric.public_id, "role": "primary"}],
                "targets": [{"segment": t.segment.public_id}],
                "breakdowns": [t.segment.public_id],
            }
        },
    ),
    "experiments-api:experiment": Endpoint(
        {"GET": SEE, "PATCH": EDIT}, _of("draft"), {"PATCH": lambda t: {"name": "Changed"}}
    ),
    "experiments-api:variants": _part("draft", lambda t: {"variants": _ARMS}),
    "experiments-api:targets": _part("draft", lambda t: {"targets": [{"segment": t.segment.public_id}]}),
    "experiments-api:experiment-metrics": _part(
        "draft", lambda t: {"metrics": [{"metric": t.metric.public_id, "role": "primary"}]}
    ),
    "experiments-api:plan": _part("draft", lambda t: {"mde": 0.1, "planned_n": 1_000}),
    "experiments-api:breakdowns": _part("draft", lambda t: {"breakdowns": [t.segment.public_id]}),
    "experiments-api:layer": _part("draft", lambda t: {"layer": t.layer.public_id, "slots": [[0, 100]]}),
    "experiments-api:overrides": Endpoint(
        {"GET": SEE, "PUT": EDIT, "DELETE": EDIT},
        _of("running"),
        {"PUT": lambda t: {"unit_id": "unit-9", "variant": "control"}},
        lambda t: {"unit_id": f"{t.running.key}-unit"},
    ),
    "experiments-api:launch-check": Endpoint({"GET": SEE}, _of("draft")),
    "experiments-api:start": _step(RUN, "draft"),
    "experiments-api:pause": _step(STOP, "running", reason="A reason."),
    "experiments-api:resume": _step(RUN, "paused"),
    "experiments-api:complete": _step(RUN, "running", **_DECISION),
    "experiments-api:decision": Endpoint({"PUT": RUN}, _of("completed"), {"PUT": lambda t: _DECISION}),
    "experiments-api:archive": _step(EDIT, "completed"),
    "experiments-api:ramp": _step(RUN, "running", target=0, share_bp=4_000),
    "analysis-api:runs": Endpoint({"GET": SEE}, _of("measured")),
    "analysis-api:analyse": Endpoint({"POST": ANALYSE}, _of("measured")),
    "analysis-api:recipients": Endpoint(
        {"GET": SEE, "POST": MANAGE}, _of("measured"), {"POST": lambda t: {"email": "new@example.com"}}
    ),
    "analysis-api:recipient": Endpoint(
        {"DELETE": MANAGE}, lambda t: (t.measured.public_id, t.recipient.public_id)
    ),
    "analysis-api:report-schedule": Endpoint(
        {"GET": SEE, "PUT": MANAGE}, _of("measured"), {"PUT": lambda t: {"frequency": "daily"}}
    ),
    "analysis-api:run": Endpoint({"GET": SEE}, _of("run")),
    "analysis-api:job": Endpoint({"GET": SEE}, _of("job")),
}

WRITERS = frozenset({KeyKind.INGEST, KeyKind.SDK_SERVER})
EVALUATORS = frozenset({KeyKind.SDK_SERVER, KeyKind.SDK_CLIENT})


@dataclass(frozen=True)
class HotPath:
    """An address that SDKs and apps call: by method, the kinds of key it takes; a role opens nothing here."""

    kinds: Mapping[str, frozenset[KeyKind]]
    names: Callable[[Tenant], tuple[object, ...]] = nothing
    body: Callable[[Tenant], Any] = empty


HOT_PATHS: dict[str, HotPath] = {
    "events-api:events": HotPath({"POST": WRITERS}, body=lambda t: {"events": []}),
    "events-api:profiles": HotPath({"POST": WRITERS}, body=lambda t: {"profiles": []}),
    "events-api:profile": HotPath(
        {"PUT": WRITERS, "GET": frozenset({KeyKind.SDK_SERVER})}, lambda t: (f"{t.slug}-unit-1",)
    ),
    "assignments-api:exposures": HotPath({"POST": WRITERS}, body=lambda t: {"exposures": []}),
    "ofrep-bulk": HotPath({"POST": EVALUATORS}, body=lambda t: {"context": {"targetingKey": "unit-1"}}),
    "ofrep-flag": HotPath(
        {"POST": EVALUATORS}, lambda t: (t.flag.key,), lambda t: {"context": {"targetingKey": "unit-1"}}
    ),
}

REGISTERED = PUBLIC | PERSONAL | set(PAGES) | set(ENDPOINTS) | set(HOT_PATHS)
