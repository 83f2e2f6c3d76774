"""OFREP over HTTP: every answer its real clients insist on, and every bad request."""

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.audit import SYSTEM
from accounts.models import Environment, KeyKind, Project
from assignments.models import Exposure
from experiments.models import FlagType
from experiments.services import TargetInput, VariantInput, pause_experiment, set_override
from segments.models import Segment, SegmentMember, SegmentVersion
from tests.factories import (
    FlagFactory,
    ProfileFactory,
    ProjectFactory,
    SegmentFactory,
    make_key,
    production_of,
    running_experiment,
)

FLAG = "/ofrep/v1/evaluate/flags/checkout"
BULK = "/ofrep/v1/evaluate/flags"
U1 = {"context": {"targetingKey": "u1"}}


@pytest.fixture
def experiment(project: Project) -> Any:
    return running_experiment(project=project, flag=FlagFactory(project=project, key="checkout"))


def test_an_assignment_carries_value_variant_reason_and_flat_metadata(experiment: Any, post: Any) -> None:
    response = post(FLAG, U1)
    body = response.json()
    assert response.status_code == 200
    assert set(body) == {"key", "value", "variant", "reason", "metadata"}
    assert body["variant"] in {"control", "treatment"}
    assert body["reason"] == "SPLIT"
    assert body["metadata"]["reason_code"] == "assigned"
    assert body["metadata"]["experiment"] == experiment.public_id
    assert not any(isinstance(value, dict | list) for value in body["metadata"].values())


def test_the_same_unit_gets_the_same_answer_and_an_evaluation_is_no_exposure(
    experiment: Any, post: Any
) -> None:
    assert len({post(FLAG, U1).content for _ in range(3)}) == 1
    assert Exposure.objects.count() == 0


def test_a_flag_without_experiment_sends_a_null_variant(project: Project, post: Any) -> None:
    FlagFactory(project=project, key="checkout", default_value=True)
    body = post(FLAG, {"context": {}}).json()
    assert (body["value"], body["variant"], body["reason"]) == (True, None, "STATIC")


def test_a_whole_number_of_a_float_flag_is_sent_with_a_decimal_point(project: Project, post: Any) -> None:
    FlagFactory(project=project, key="checkout", type=FlagType.FLOAT, default_value=1)
    assert b'"value":1.0' in post(FLAG, {"context": {}}).content
    flag = FlagFactory(project=project, key="ratio", type=FlagType.FLOAT, default_value=1)
    running_experiment(project=project, flag=flag, variants=(VariantInput("a", 2), VariantInput("b", 3)))
    value = post("/ofrep/v1/evaluate/flags/ratio", U1).content
    assert b'"value":2.0' in value or b'"value":3.0' in value


@pytest.mark.parametrize("key", ["missing", "with/slash", "sp ace", "é"])
def test_an_unknown_flag_is_a_404_with_key_and_code(environment: Environment, post: Any, key: str) -> None:
    response = post(f"/ofrep/v1/evaluate/flags/{key}", U1)
    assert response.status_code == 404
    assert (response.json()["key"], response.json()["errorCode"]) == (key, "FLAG_NOT_FOUND")


def test_without_targeting_key_only_a_randomised_flag_is_refused(
    experiment: Any, project: Project, post: Any
) -> None:
    FlagFactory(project=project, key="plain")
    response = post(FLAG, {"context": {}})
    assert (response.status_code, response.json()["errorCode"]) == (400, "TARGETING_KEY_MISSING")
    assert response.json()["errorDetails"]
    assert post("/ofrep/v1/evaluate/flags/plain", {"context": {}}).status_code == 200


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "PARSE_ERROR"),
        (b"{", 400, "PARSE_ERROR"),
        (b'{"context": {"targetingKey": "u1", "targetingKey": "u2"}}', 400, "PARSE_ERROR"),
        (b'{"context": {"targetingKey": NaN}}', 400, "PARSE_ERROR"),
        (rb'{"context": {"targetingKey": "a\u0000"}}', 400, "PARSE_ERROR"),
        (rb'{"context": {"targetingKey": "\ud800"}}', 400, "PARSE_ERROR"),
        (b'{"context": ' + b"[" * 30 + b"]" * 30 + b"}", 400, "PARSE_ERROR"),
        (b'{"context": {"x": "' + b"a" * 1_000_001 + b'"}}', 413, "PARSE_ERROR"),
        (b"[]", 400, "INVALID_CONTEXT"),
        (b"{}", 400, "INVALID_CONTEXT"),
        (b'{"context": null}', 400, "INVALID_CONTEXT"),
        (b'{"context": []}', 400, "INVALID_CONTEXT"),
        (b'{"context": {"targetingKey": 1}}', 400, "INVALID_CONTEXT"),
        (b'{"context": {"targetingKey": "' + b"x" * 257 + b'"}}', 400, "INVALID_CONTEXT"),
    ],
)
def test_a_bad_request_says_what_is_wrong(
    experiment: Any, post: Any, body: bytes, status: int, code: str
) -> None:
    response = post(FLAG, body)
    answer = response.json()
    assert (response.status_code, answer["errorCode"], answer["key"]) == (status, code, "checkout")
    assert answer["errorDetails"]


@pytest.mark.parametrize("path", [FLAG, BULK])
def test_without_a_valid_key_nothing_is_answered(experiment: Any, post: Any, path: str) -> None:
    assert post(path, U1, key=None).status_code == 401
    assert post(path, U1, key="sdk_server_" + "0" * 64).status_code == 401
    assert post(path, U1, key="sdk_server_é").status_code == 401
    refused = post(path, U1, key=None).json()
    assert refused["errorCode"] == "GENERAL"
    assert refused["errorDetails"]


@pytest.mark.parametrize("kind", [KeyKind.INGEST, KeyKind.API])
def test_a_key_of_another_kind_is_forbidden(
    experiment: Any, environment: Environment, post: Any, kind: str
) -> None:
    assert post(FLAG, U1, key=make_key(environment, kind=kind)).status_code == 403


def test_the_key_is_also_taken_from_x_api_key(experiment: Any, server_key: str, post: Any) -> None:
    assert post(FLAG, U1, key=None, **{"X-API-Key": server_key}).status_code == 200


def test_a_key_of_another_project_or_environment_sees_nothing(
    experiment: Any, project: Project, post: Any
) -> None:
    other = make_key(production_of(ProjectFactory()), kind=KeyKind.SDK_SERVER)
    assert post(FLAG, U1, key=other).status_code == 404
    staging = make_key(project.environments.get(slug="staging"), kind=KeyKind.SDK_SERVER)
    assert post(FLAG, U1, key=staging).json()["metadata"]["reason_code"] == "no_experiment"


def test_a_client_key_is_held_to_its_origins(experiment: Any, environment: Environment, post: Any) -> None:
    key = make_key(environment, kind=KeyKind.SDK_CLIENT, allowed_origins=["https://shop.example"])
    assert post(FLAG, U1, key=key, Origin="https://shop.example").status_code == 200
    assert post(FLAG, U1, key=key, Origin="https://evil.example").status_code == 403


def test_get_is_not_allowed(client: Client, db: None) -> None:
    assert client.get(FLAG).status_code == 405


def test_a_browser_may_ask_and_read(experiment: Any, client: Client, post: Any) -> None:
    preflight = client.options(BULK, headers={"Origin": "https://shop.example"})
    assert preflight.status_code == 204
    assert preflight["Access-Control-Allow-Origin"] == "*"
    for header in ("Authorization", "If-None-Match", "X-API-Key", "Content-Type"):
        assert header in preflight["Access-Control-Allow-Headers"]
    for response in (post(BULK, U1), post(FLAG, U1, key=None)):
        assert response["Access-Control-Allow-Origin"] == "*"
        assert response["Access-Control-Expose-Headers"] == "ETag, Retry-After"


def test_bulk_answers_every_flag_each_a_success_or_a_failure(
    experiment: Any, project: Project, post: Any
) -> None:
    FlagFactory(project=project, key="plain")
    response = post(BULK, {"context": {}})
    flags = {flag["key"]: flag for flag in response.json()["flags"]}
    assert response.status_code == 200
    assert flags["checkout"]["errorCode"] == "TARGETING_KEY_MISSING"
    assert flags["plain"]["value"] is False
    assert Exposure.objects.count() == 0


def test_bulk_is_a_304_only_while_the_answers_are_the_same(experiment: Any, post: Any) -> None:
    first = post(BULK, U1)
    for tag in (first["ETag"], f"W/{first['ETag']}", f'"other", {first["ETag"]}'):
        unchanged = post(BULK, U1, **{"If-None-Match": tag})
        assert (unchanged.status_code, unchanged.content, unchanged["ETag"]) == (304, b"", first["ETag"])
    pause_experiment(experiment=experiment, reason="test", actor=SYSTEM)
    changed = post(BULK, U1, **{"If-None-Match": first["ETag"]})
    assert changed.status_code == 200
    assert changed["ETag"] != first["ETag"]


def test_a_paused_experiment_answers_the_control_to_everyone(experiment: Any, evaluate: Any) -> None:
    pause_experiment(experiment=experiment, reason="test", actor=SYSTEM)
    answers = [evaluate("checkout", f"u{i}") for i in range(10)]
    assert {(a["variant"], a["metadata"]["reason_code"]) for a in answers} == {
        ("control", "experiment_paused")
    }


def test_an_override_reaches_its_unit_only(experiment: Any, evaluate: Any) -> None:
    set_override(experiment=experiment, unit_id="tester", variant_key="treatment", actor=SYSTEM)
    answer = evaluate("checkout", "tester")
    assert (answer["value"], answer["metadata"]["reason_code"]) == (True, "override")
    assert evaluate("checkout", "u1")["metadata"]["reason_code"] == "assigned"


def test_a_segment_of_attributes_is_decided_by_the_call_and_else_by_the_profile(
    project: Project, environment: Environment, evaluate: Any
) -> None:
    segment = SegmentFactory(project=project, rule={"attribute": "country", "op": "eq", "value": "DE"})
    running_experiment(
        project=project,
        flag=FlagFactory(project=project, key="checkout"),
        targets=(TargetInput(segment=segment),),
    )
    ProfileFactory(environment=environment, unit_id="german", attributes={"country": "DE"})
    assert evaluate("checkout", "u1", country="DE")["reason"] == "SPLIT"
    assert evaluate("checkout", "u1")["metadata"]["reason_code"] == "no_target_matches"
    assert evaluate("checkout", "german")["reason"] == "SPLIT"
    assert evaluate("checkout", "german", country="FR")["metadata"]["reason_code"] == "no_target_matches"


def test_a_segment_inside_a_segment_is_decided_by_the_call_too(project: Project, evaluate: Any) -> None:
    inner = SegmentFactory(project=project, rule={"attribute": "country", "op": "eq", "value": "DE"})
    outer = Segment.objects.create(project=project, key="adults", name="Adults")
    SegmentVersion.objects.create(
        segment=outer,
        number=1,
        rule={
            "all": [
                {"segment": inner.public_id, "version": 1},
                {"attribute": "age", "op": "gte", "value": 18},
            ]
        },
        sentence="",
        needs_stored_facts=False,
    )
    running_experiment(
        project=project,
        flag=FlagFactory(project=project, key="checkout"),
        targets=(TargetInput(segment=outer),),
    )
    assert evaluate("checkout", country="DE", age=18)["reason"] == "SPLIT"
    assert evaluate("checkout", country="FR", age=18)["metadata"]["reason_code"] == "no_target_matches"


def test_a_behavioural_segment_is_decided_by_its_open_membership_and_frozen_at_exposure(
    project: Project, environment: Environment, evaluate: Any, post: Any
) -> None:
    segment = SegmentFactory(
        project=project,
        rule={"event": "purchase", "aggregate": "count", "op": "gte", "value": 1, "window_days": 30},
    )
    experiment = running_experiment(
        project=project,
        flag=FlagFactory(project=project, key="checkout"),
        targets=(TargetInput(segment=segment),),
    )
    assert experiment.frozen
    member = SegmentMember.objects.create(
        version=segment.latest_version, environment=environment, unit_id="buyer", entered_at=timezone.now()
    )
    assert evaluate("checkout", "u1")["metadata"]["reason_code"] == "no_target_matches"
    met = evaluate("checkout", "buyer")
    assert met["metadata"]["reason_code"] == "assigned"
    item = {"experiment": experiment.key, "variant": met["variant"], "unit_id": "buyer"}
    post("/api/v1/exposures", {"exposures": [item]})
    SegmentMember.objects.filter(pk=member.pk).update(left_at=timezone.now())
    after = evaluate("checkout", "buyer")
    assert (after["variant"], after["metadata"]["reason_code"]) == (met["variant"], "already_exposed")
    assert after["metadata"]["target"] == met["metadata"]["target"]


def test_a_project_that_requires_consent_assigns_nobody_without_it(
    project: Project, environment: Environment, evaluate: Any
) -> None:
    project.consent_required = True
    project.save()
    running_experiment(project=project, flag=FlagFactory(project=project, key="checkout"))
    ProfileFactory(environment=environment, unit_id="willing", consent={"experiments": True})
    assert evaluate("checkout", "u1")["metadata"]["reason_code"] == "consent_missing"
    assert evaluate("checkout", "willing")["metadata"]["reason_code"] == "assigned"
    assert evaluate("checkout", "willing", consent=False)["metadata"]["reason_code"] == "consent_missing"


def test_auto_exposure_counts_a_single_evaluation_once_and_never_a_bulk_one(
    project: Project, post: Any
) -> None:
    flag = FlagFactory(project=project, key="checkout", auto_exposure=True)
    running_experiment(project=project, flag=flag)
    post(BULK, U1)
    assert Exposure.objects.count() == 0
    variants = {post(FLAG, U1).json()["variant"] for _ in range(3)}
    exposure = Exposure.objects.get()
    assert (exposure.unit_id, exposure.sdk, exposure.reason_code) == ("u1", "ofrep", "assigned")
    assert len(variants) == 1


def test_stored_facts_take_one_query(
    project: Project, environment: Environment, django_assert_num_queries: Any
) -> None:
    from assignments.queries import read_facts

    ProfileFactory(environment=environment, unit_id="u1", attributes={"a": 1}, consent={"experiments": True})
    with django_assert_num_queries(1):
        facts = read_facts(environment_id=environment.pk, unit_type="user", unit_id="u1")
    assert (facts.attributes, facts.consent) == ({"a": 1}, {"experiments": True})
    nobody = read_facts(environment_id=environment.pk, unit_type="user", unit_id="nobody")
    assert (nobody.attributes, nobody.memberships, nobody.exposures) == ({}, frozenset(), {})
