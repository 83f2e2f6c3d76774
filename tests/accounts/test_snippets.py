"""The code on the API keys page is true: it is taken from the page and run."""

import gc
import html
import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from accounts.models import KeyKind, Role
from experiments.models import Experiment, FlagType
from experiments.services import VariantInput
from tests.factories import (
    FlagFactory,
    MembershipFactory,
    ProjectFactory,
    make_key,
    production_of,
    running_experiment,
)

VARIANTS = (VariantInput("control", "Buy"), VariantInput("treatment", "Buy now"))


@pytest.fixture
def experiment() -> Experiment:
    project = ProjectFactory()
    flag = FlagFactory(project=project, key="checkout-cta", type=FlagType.STRING, default_value="Buy")
    return running_experiment(project=project, key="checkout-cta", flag=flag, variants=VARIANTS)


def snippets(client: Client, experiment: Experiment, kind: str) -> list[str]:
    """Return the code blocks of the keys page, with a real secret in the place of the placeholder."""
    client.force_login(MembershipFactory(project=experiment.project, role=Role.ADMIN).user)
    page = client.get(reverse("accounts:keys", args=[experiment.project.slug])).content.decode()
    secret = make_key(production_of(experiment.project), kind=kind)
    blocks = re.findall(r"<pre[^>]*><code>(.*?)</code></pre>", page, re.DOTALL)
    return [html.unescape(block).replace("YOUR_KEY", secret) for block in blocks]


def run_curl(client: Client, snippet: str) -> tuple[int, bytes]:
    """Send what a curl command would send."""
    path = re.search(r"curl https?://[^/]+(\S+)", snippet)
    body = re.search(r"-d '(.+)'", snippet, re.DOTALL)
    secret = re.search(r"Bearer (\w+)", snippet)
    assert path
    assert body
    assert secret
    answer = client.post(
        path[1], body[1], content_type="application/json", headers={"Authorization": f"Bearer {secret[1]}"}
    )
    return answer.status_code, answer.content


@pytest.mark.django_db(transaction=True)
def test_every_curl_command_is_accepted(client: Client, experiment: Experiment) -> None:
    commands = [s for s in snippets(client, experiment, KeyKind.SDK_SERVER) if s.startswith("curl")]
    assert len(commands) == 3
    for command in commands:
        status, body = run_curl(client, command)
        assert status in {200, 202}, body
        assert b'"status":"rejected"' not in body


@pytest.mark.django_db(transaction=True)
def test_the_python_code_gets_a_variant(
    client: Client, experiment: Experiment, live_server: LiveServer, settings: Settings
) -> None:
    settings.BASE_URL = live_server.url
    (code,) = [s for s in snippets(client, experiment, KeyKind.SDK_SERVER) if "import api" in s]
    names: dict[str, Any] = {}
    try:
        exec(code, names)
        assert names["label"] in {"Buy", "Buy now"}
        details = names["client"].get_string_details("checkout-cta", "none", names["user"])
        assert details.variant in {"control", "treatment"}
    finally:
        # The provider's kept-alive connection would hold a server thread, and its database connection, open.
        names["api"].clear_providers()
        names.clear()
        gc.collect()
