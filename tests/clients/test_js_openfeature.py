"""The real JavaScript OpenFeature server client with its OFREP provider on Node, against the running web server."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.clients.conftest import Shop
from tests.paths import REPO

FOLDER = REPO / "tests" / "clients" / "js"


@pytest.fixture(scope="session")
def node_project() -> Path:
    """Install the pinned client, once; say loudly when that is impossible here."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("NOT RUN: node and npm are needed for the JavaScript client; install Node 18 or later")
    if not (FOLDER / "node_modules" / ".package-lock.json").exists():
        done = subprocess.run(
            ["npm", "ci", "--ignore-scripts", "--loglevel", "error"],
            cwd=FOLDER,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            pytest.skip(f"NOT RUN: npm could not install the JavaScript client: {done.stderr[-300:]}")
    return FOLDER


def ask(project: Path, server: str, key: str, *questions: dict[str, Any]) -> list[dict[str, Any]]:
    done = subprocess.run(
        ["node", "ask.mjs"],
        cwd=project,
        input=json.dumps({"baseUrl": server, "key": key, "questions": questions}),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return json.loads(done.stdout)


def question(
    kind: str, flag: str, default: Any, unit_id: str | None = "u1", **attributes: Any
) -> dict[str, Any]:
    context = {**attributes, **({"targetingKey": unit_id} if unit_id else {})}
    return {"type": kind, "flag": flag, "default": default, "context": context}


def test_every_flag_type_arrives_with_its_type_variant_and_reason(
    node_project: Path, server: str, shop: Shop
) -> None:
    answers = ask(
        node_project,
        server,
        shop.key,
        question("boolean", "boolean.flag", False),
        question("string", "string.flag", ""),
        question("number", "integer.flag", 0),
        question("object", "object.flag", {}),
        *(question("number", "float.flag", 0, f"u{i}") for i in range(10)),
    )
    assert [a.get("errorCode") for a in answers] == [None] * 14
    assert {a["reason"] for a in answers} == {"SPLIT"}
    assert {a["variant"] for a in answers} == {"control", "treatment"}
    assert {a["value"] for a in answers[4:]} == {1, 2.5}
    assert answers[0]["flagMetadata"]["experiment"] == shop.experiments["boolean"].public_id


def test_targeting_static_flags_and_errors_are_as_the_client_expects(
    node_project: Path, server: str, shop: Shop
) -> None:
    inside, outside, plain, off, missing, no_unit, too_long, wrong_type = ask(
        node_project,
        server,
        shop.key,
        question("boolean", "targeted", False, country="DE"),
        question("boolean", "targeted", True, country="FR"),
        question("boolean", "plain", False, None),
        question("boolean", "off", False, None),
        question("boolean", "nope", True),
        question("boolean", "boolean.flag", True, None),
        question("boolean", "boolean.flag", True, "x" * 257),
        question("number", "string.flag", 7),
    )
    assert (inside["value"], inside["variant"], inside["reason"]) == (True, "treatment", "SPLIT")
    assert (outside["value"], outside["reason"]) == (False, "DEFAULT")
    assert (plain["value"], plain["reason"]) == (True, "STATIC")
    assert (off["value"], off["reason"]) == (True, "DISABLED")
    assert (missing["value"], missing["errorCode"]) == (True, "FLAG_NOT_FOUND")
    assert (no_unit["value"], no_unit["errorCode"]) == (True, "TARGETING_KEY_MISSING")
    assert (too_long["value"], too_long["errorCode"]) == (True, "INVALID_CONTEXT")
    assert (wrong_type["value"], wrong_type["errorCode"]) == (7, "TYPE_MISMATCH")


def test_a_wrong_key_gives_the_default_of_the_code(node_project: Path, server: str, shop: Shop) -> None:
    (answer,) = ask(node_project, server, "sdk_server_" + "0" * 64, question("boolean", "plain", False, None))
    assert answer["value"] is False
    assert answer["errorCode"] == "GENERAL"


def test_both_clients_give_a_unit_the_same_variant(node_project: Path, server: str, shop: Shop) -> None:
    from openfeature.contrib.provider.ofrep import OFREPProvider
    from openfeature.evaluation_context import EvaluationContext

    units = [f"ünit-{i}" for i in range(40)]
    provider = OFREPProvider(server, headers_factory=lambda: {"X-API-Key": shop.key})
    python = [provider.resolve_string_details("string.flag", "", EvaluationContext(u)).variant for u in units]
    answers = ask(node_project, server, shop.key, *(question("string", "string.flag", "", u) for u in units))
    assert [a["variant"] for a in answers] == python
    assert set(python) == {"control", "treatment"}
