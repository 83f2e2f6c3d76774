"""Every endpoint × kind of key × role × {own, other environment, sibling project, other organisation, no key}."""

from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from accounts.access import allows
from accounts.audit import SYSTEM
from accounts.keys import revoke_key
from accounts.models import ApiKey, Environment, KeyKind, Role
from tests.factories import make_key
from tests.security.routes import ENDPOINTS, HOT_PATHS, Need, nothing
from tests.security.tenants import Tenant, World

METHODS = [
    pytest.param(name, method, id=f"{name}-{method}")
    for name, endpoint in ENDPOINTS.items()
    for method in endpoint.needs
]
# What answers about one object named in the address.
NAMING = [param for param in METHODS if ENDPOINTS[param.values[0]].names is not nothing]
HOT = [
    pytest.param(name, method, id=f"{name}-{method}")
    for name, path in HOT_PATHS.items()
    for method in path.kinds
]


@pytest.fixture
def staging(own: Tenant) -> Environment:
    return own.project.environments.get(slug="staging")


def call(secret: str | None, method: str, name: str, named: Tenant, body: Any = None) -> HttpResponse:
    """Call an endpoint whose address and body name the objects of a tenant."""
    endpoint = ENDPOINTS[name]
    if body is None and method in endpoint.bodies:
        body = endpoint.bodies[method](named)
    query = endpoint.query(named) if method == "DELETE" else {}
    return send(secret, method, reverse(name, args=endpoint.names(named), query=query), body)


def call_hot(secret: str | None, method: str, name: str, named: Tenant) -> HttpResponse:
    path = HOT_PATHS[name]
    body = path.body(named) if method != "GET" else None
    return send(secret, method, reverse(name, args=path.names(named)), body)


def send(secret: str | None, method: str, address: str, body: Any) -> HttpResponse:
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    kind = {} if body is None else {"content_type": "application/json"}
    return getattr(Client(), method.lower())(address, body, headers=headers, **kind)


def covers(role: str, need: Need) -> bool:
    return any(allows(role, action) for action in need)


def enough(need: Need) -> str:
    return next(role for role in (Role.ADMIN, *Role) if covers(role, need))


BAD_SECRETS = [None, "api_", "api_" + "0" * 64, "nonsense", "api_\u00e4", "_", "ap\u00a0i_" + "f" * 64]


@pytest.mark.parametrize(("name", "method"), METHODS + HOT)
def test_without_a_key_that_is_known_there_is_no_answer(own: Tenant, name: str, method: str) -> None:
    ask = call if name in ENDPOINTS else call_hot
    for secret in BAD_SECRETS:
        assert ask(secret, method, name, own).status_code == 401


@pytest.mark.parametrize(("name", "method"), METHODS)
def test_a_session_opens_no_endpoint(own: Tenant, name: str, method: str) -> None:
    client = Client()
    client.force_login(own.members[Role.ADMIN])
    endpoint = ENDPOINTS[name]
    answer = getattr(client, method.lower())(reverse(name, args=endpoint.names(own)))
    assert answer.status_code == 401


@pytest.mark.parametrize(("name", "method"), METHODS + HOT)
def test_a_revoked_key_opens_nothing(own: Tenant, name: str, method: str) -> None:
    kind = KeyKind.API if name in ENDPOINTS else KeyKind.SDK_SERVER
    secret = make_key(own.environment, kind=kind)
    revoke_key(key=ApiKey.objects.latest("id"), actor=SYSTEM)
    assert (call if name in ENDPOINTS else call_hot)(secret, method, name, own).status_code == 401


@pytest.mark.parametrize(("name", "method"), METHODS)
@pytest.mark.parametrize("kind", [kind for kind in KeyKind if kind != KeyKind.API])
def test_a_key_of_another_kind_opens_no_endpoint(own: Tenant, name: str, method: str, kind: KeyKind) -> None:
    assert call(make_key(own.environment, kind=kind), method, name, own).status_code == 403


@pytest.mark.parametrize(("name", "method"), METHODS)
@pytest.mark.parametrize("role", Role)
def test_a_keys_role_opens_what_it_covers_and_nothing_else(
    own: Tenant, name: str, method: str, role: Role
) -> None:
    answer = call(make_key(own.environment, role=role), method, name, own)
    if covers(role, ENDPOINTS[name].needs[method]):
        # 409: the gate let it through, and the state of things does not allow it now.
        assert answer.status_code in {200, 201, 202, 204, 409}, answer.content
    else:
        assert answer.status_code == 403, answer.content


@pytest.mark.parametrize(("name", "method"), NAMING)
@pytest.mark.parametrize("where", ["sibling", "foreign"])
def test_an_object_of_another_project_does_not_exist(
    world: World, name: str, method: str, where: str
) -> None:
    own, other = world.own, world.other(where)
    endpoint = ENDPOINTS[name]
    body = endpoint.bodies[method](own) if method in endpoint.bodies else None
    secret = make_key(own.environment, role=enough(endpoint.needs[method]))
    assert call(secret, method, name, other, body).status_code == 404


@pytest.mark.parametrize(("name", "method"), NAMING)
def test_an_object_of_another_environment_does_not_exist(
    own: Tenant, staging: Environment, name: str, method: str
) -> None:
    endpoint = ENDPOINTS[name]
    secret = make_key(staging, role=enough(endpoint.needs[method]))
    answer = call(secret, method, name, own)
    assert answer.status_code == 404 if endpoint.is_of_environment else answer.status_code < 300


def test_a_list_holds_only_what_is_of_the_project(own: Tenant) -> None:
    secret = make_key(own.environment)
    lists = [name for name, e in ENDPOINTS.items() if "GET" in e.needs and not e.names(own)]
    for name in lists:
        answer = send(secret, "GET", f"{reverse(name)}?limit=200", None).content
        assert b"sibling" not in answer
        assert b"foreign" not in answer


REFERENCES = {
    "experiments-api:experiments": ("POST", ["flag", "metrics", "targets", "breakdowns"]),
    "experiments-api:targets": ("PUT", ["targets"]),
    "experiments-api:experiment-metrics": ("PUT", ["metrics"]),
    "experiments-api:breakdowns": ("PUT", ["breakdowns"]),
    "experiments-api:layer": ("PUT", ["layer"]),
}


@pytest.mark.parametrize(
    ("name", "method", "reference"),
    [(name, method, part) for name, (method, parts) in REFERENCES.items() for part in parts],
)
@pytest.mark.parametrize("where", ["sibling", "foreign"])
def test_a_body_cannot_name_an_object_of_another_project(
    world: World, name: str, method: str, reference: str, where: str
) -> None:
    own, other = world.own, world.other(where)
    endpoint = ENDPOINTS[name]
    body = {**endpoint.bodies[method](own), reference: endpoint.bodies[method](other)[reference]}
    answer = call(make_key(own.environment), method, name, own, body)
    assert answer.status_code in {404, 422}, answer.content


@pytest.mark.parametrize("address", ["segments", "segments/preview"])
def test_a_rule_cannot_name_a_segment_of_another_project(own: Tenant, foreign: Tenant, address: str) -> None:
    rule = {"segment": foreign.segment.public_id, "op": "in"}
    body = {"key": "fresh", "name": "Fresh", "rule": rule}
    answer = send(make_key(own.environment), "POST", f"/api/v1/{address}", body)
    assert answer.status_code in {404, 422}


@pytest.mark.parametrize(("name", "method"), HOT)
@pytest.mark.parametrize("kind", KeyKind)
def test_a_hot_path_takes_its_kinds_of_key_whatever_their_role(
    own: Tenant, name: str, method: str, kind: KeyKind
) -> None:
    may = kind in HOT_PATHS[name].kinds[method]
    for role in (Role.VIEWER, Role.ADMIN):
        answer = call_hot(make_key(own.environment, kind=kind, role=role), method, name, own)
        assert (answer.status_code < 300) if may else (answer.status_code == 403), answer.content


def test_a_key_reads_no_profile_and_no_flag_of_another_project(own: Tenant, foreign: Tenant) -> None:
    secret = make_key(own.environment, kind=KeyKind.SDK_SERVER)
    assert call_hot(secret, "GET", "events-api:profile", foreign).status_code == 404
    assert call_hot(secret, "POST", "ofrep-flag", foreign).status_code == 404
    assert b"foreign" not in call_hot(secret, "POST", "ofrep-bulk", foreign).content


ODD_IDS = ["%00", "-", "0", "9" * 40, "%F0%9F%92%A9", "a" * 300, "%27%22%3Cscript%3E", "..%2F..%2Fetc"]


@pytest.mark.parametrize("value", ODD_IDS)
def test_an_odd_id_is_not_found(own: Tenant, value: str) -> None:
    secret = make_key(own.environment)
    for stem in ("attributes", "segments", "flags", "metrics", "experiments", "runs", "jobs"):
        answer = send(secret, "GET", f"/api/v1/{stem}/{value}", None)
        assert answer.status_code in {404, 422}, f"{stem}: {answer.status_code}"


@pytest.mark.parametrize("value", ["\x00", "-1", "9" * 40, "'\"<script>", "cD0tMQ==", "cD1hYmM=", "cD0lMDA="])
def test_odd_parameters_never_break_a_list(own: Tenant, value: str) -> None:
    secret = make_key(own.environment)
    for name, endpoint in ENDPOINTS.items():
        if "GET" in endpoint.needs:
            query = {"cursor": value, "limit": value, "status": value, "unit_id": value}
            address = reverse(name, args=endpoint.names(own), query=query)
            assert send(secret, "GET", address, None).status_code < 500


ODD_BODIES = [
    [],
    {},
    None,
    1,
    "text",
    [[]],
    {"\ud83d\ude00": {}},
    {"name": []},
    {"name": {}, "key": 1, "rule": 1},
]


@pytest.mark.parametrize(("name", "method"), [p for p in METHODS if p.values[1] in {"POST", "PUT", "PATCH"}])
def test_odd_bodies_are_refused_and_never_break(own: Tenant, name: str, method: str) -> None:
    endpoint = ENDPOINTS[name]
    secret = make_key(own.environment, role=enough(endpoint.needs[method]))
    address = reverse(name, args=endpoint.names(own))
    wrong = [{**endpoint.bodies.get(method, dict)(own), field: value}
             for field in endpoint.bodies.get(method, lambda t: {})(own)
             for value in (None, {}, -1, 10**30, "x" * 100_000, [None])
    ] if method in endpoint.bodies else []  # fmt: skip
    for body in ODD_BODIES + wrong:
        raw = "null" if body is None else body
        answer = send(secret, method, address, raw)
        assert answer.status_code < 500, body
