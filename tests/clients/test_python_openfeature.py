"""The real Python OpenFeature client with its OFREP provider, against the running web server."""

from collections import Counter
from collections.abc import Iterator

import pytest
import requests
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import Reason

from accounts.audit import SYSTEM
from assignments.audit import audit_assignments
from assignments.models import Crossover, Exposure
from experiments.services import pause_experiment
from tests.clients.conftest import Shop


@pytest.fixture
def client(server: str, shop: Shop) -> Iterator[OpenFeatureClient]:
    api.set_provider(OFREPProvider(server, headers_factory=lambda: {"Authorization": f"Bearer {shop.key}"}))
    yield api.get_client()
    api.clear_providers()


def unit(unit_id: str, **attributes: str) -> EvaluationContext:
    return EvaluationContext(targeting_key=unit_id, attributes=attributes)


def test_every_flag_type_arrives_with_its_type_variant_and_reason(client: OpenFeatureClient) -> None:
    details = [
        client.get_boolean_details("boolean.flag", False, unit("u1")),
        client.get_string_details("string.flag", "", unit("u1")),
        client.get_integer_details("integer.flag", 0, unit("u1")),
        client.get_object_details("object.flag", {}, unit("u1")),
        # Both variants: the control is the whole number 1, which must arrive as a float.
        *(client.get_float_details("float.flag", 0.0, unit(f"u{i}")) for i in range(10)),
    ]
    assert {d.error_code for d in details} == {None}
    assert {d.reason for d in details} == {Reason.SPLIT}
    assert {d.variant for d in details} == {"control", "treatment"}
    assert {d.value for d in details[4:]} == {1.0, 2.5}
    assert details[0].flag_metadata["reason_code"] == "assigned"


def test_targeting_decides_by_the_attributes_of_the_call(client: OpenFeatureClient) -> None:
    inside = client.get_boolean_details("targeted", False, unit("u1", country="DE"))
    assert (inside.value, inside.variant, inside.reason) == (True, "treatment", Reason.SPLIT)
    outside = client.get_boolean_details("targeted", True, unit("u1", country="FR"))
    assert (outside.value, outside.reason, outside.error_code) == (False, Reason.DEFAULT, None)
    assert outside.flag_metadata["reason_code"] == "no_target_matches"


def test_what_needs_no_draw_needs_no_unit(client: OpenFeatureClient) -> None:
    plain = client.get_boolean_details("plain", False)
    assert (plain.value, plain.variant, plain.reason) == (True, None, Reason.STATIC)
    off = client.get_boolean_details("off", False)
    assert (off.value, off.reason) == (True, Reason.DISABLED)


def test_errors_give_the_default_of_the_code_and_say_why(client: OpenFeatureClient, server: str) -> None:
    missing = client.get_boolean_details("nope", True, unit("u1"))
    assert (missing.value, missing.error_code) == (True, ErrorCode.FLAG_NOT_FOUND)
    no_unit = client.get_boolean_details("boolean.flag", True)
    assert (no_unit.value, no_unit.error_code) == (True, ErrorCode.TARGETING_KEY_MISSING)
    long_id = client.get_boolean_details("boolean.flag", True, unit("x" * 257))
    assert (long_id.value, long_id.error_code) == (True, ErrorCode.INVALID_CONTEXT)
    wrong_type = client.get_integer_details("string.flag", 7, unit("u1"))
    assert (wrong_type.value, wrong_type.error_code) == (7, ErrorCode.TYPE_MISMATCH)
    api.set_provider(OFREPProvider(server, headers_factory=lambda: {"Authorization": "Bearer nonsense"}))
    stranger = api.get_client().get_boolean_details("plain", False)
    assert (stranger.value, stranger.error_code) == (False, ErrorCode.GENERAL)


def test_an_app_walks_the_whole_way_and_the_audit_finds_no_difference(
    client: OpenFeatureClient, server: str, shop: Shop
) -> None:
    """300 units ask, their exposures are sent and recomputed in SQL; asked again they get the same."""
    experiment = shop.experiments["string"]
    first = {f"ünit-{i}": client.get_string_details("string.flag", "", unit(f"ünit-{i}")) for i in range(300)}
    items = [
        {
            "experiment": details.flag_metadata["experiment"],
            "variant": details.variant,
            "unit_id": unit_id,
            "target": details.flag_metadata["target"],
            "phase": details.flag_metadata["phase"],
            "snapshot_version": details.flag_metadata["snapshot_version"],
            "reason_code": details.flag_metadata["reason_code"],
            "sdk": "openfeature-python 0.10.0",
        }
        for unit_id, details in first.items()
    ]
    answer = requests.post(
        f"{server}/api/v1/exposures",
        json={"exposures": items},
        headers={"Authorization": f"Bearer {shop.ingest_key}"},
        timeout=30,
    )
    assert (answer.status_code, answer.json()["accepted"]) == (202, 300)
    split = Counter(Exposure.objects.values_list("variant_index", flat=True))
    assert abs(split[0] - 150) < 5 * (300 * 0.25) ** 0.5
    assert audit_assignments(experiment).different == 0
    assert Crossover.objects.count() == 0
    again = {u: client.get_string_details("string.flag", "", unit(u)).variant for u in list(first)[:50]}
    assert again == {u: first[u].variant for u in again}


def test_a_pause_reaches_the_running_server(client: OpenFeatureClient, shop: Shop) -> None:
    """Without a restart: polling the answer, not the clock, ends the wait."""
    treated = next(
        f"u{i}" for i in range(100) if client.get_boolean_value("boolean.flag", False, unit(f"u{i}"))
    )
    pause_experiment(experiment=shop.experiments["boolean"], reason="test", actor=SYSTEM)
    for _ in range(5_000):
        details = client.get_boolean_details("boolean.flag", True, unit(treated))
        if details.flag_metadata["reason_code"] == "experiment_paused":
            break
    assert (details.value, details.variant) == (False, "control")
