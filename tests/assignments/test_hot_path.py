"""The short path of evaluation and ingestion answers as the full stack does, with the request id and no session."""

import io
from typing import Any

import orjson
import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.urls import get_resolver, reverse

from config.hot_path import PREFIXES, URLCONF, HotPathHandler
from tests.factories import running_experiment


def ask(handler: WSGIHandler, path: str, body: bytes, key: str) -> tuple[str, dict[str, str], Any]:
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": path,
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_AUTHORIZATION": f"Bearer {key}",
        "wsgi.input": io.BytesIO(body),
        "wsgi.url_scheme": "http",
    }
    started: list[Any] = []
    response = handler(environ, lambda status, headers: started.extend([status, dict(headers)]))  # type: ignore[arg-type]
    return started[0], started[1], orjson.loads(b"".join(response))


# A handler of its own ends each request by closing connections that are in a transaction: so none may be open.
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("body", "status"), [(b'{"context": {"targetingKey": "u1"}}', "200 OK"), (b"{", "400 Bad Request")]
)
def test_both_ways_give_the_same_answer(project: Any, server_key: str, body: bytes, status: str) -> None:
    running_experiment(project=project)
    path = "/ofrep/v1/evaluate/flags"
    short_status, short_headers, short = ask(HotPathHandler(), path, body, server_key)
    full_status, full_headers, full = ask(WSGIHandler(), path, body, server_key)
    assert (short_status, full_status, short) == (status, status, full)
    assert "X-Request-Id" in short_headers
    assert short_headers["Content-Type"] == full_headers["Content-Type"]


@pytest.mark.django_db(transaction=True)
def test_a_refused_batch_names_its_request() -> None:
    status, headers, body = ask(HotPathHandler(), "/api/v1/exposures", b"[]", "nonsense")
    assert status.startswith("401")
    assert body["request_id"] == headers["X-Request-Id"]


@pytest.mark.parametrize(
    "path",
    [
        "/ofrep/v1/evaluate/flags",
        "/ofrep/v1/evaluate/flags/a",
        "/api/v1/events",
        "/api/v1/exposures",
        "/api/v1/profiles",
        "/api/v1/profiles/u1",
    ],
)
def test_the_short_table_leads_to_the_views_of_the_full_one(path: str) -> None:
    assert path.startswith(PREFIXES)
    assert get_resolver(URLCONF).resolve(path).func is get_resolver().resolve(path).func


def test_no_address_of_the_full_table_is_swallowed_by_the_short_path() -> None:
    """What begins like a hot address must be in the short table, too."""
    short, full = (set(_routes(get_resolver(urlconf).url_patterns)) for urlconf in (URLCONF, None))
    hot = {route for route in full if f"/{route}".startswith(PREFIXES)}
    assert len(hot) >= 6
    assert hot == short


def _routes(patterns: list[Any], prefix: str = "") -> list[str]:
    routes = []
    for pattern in patterns:
        route = f"{prefix}{pattern.pattern}"
        routes += _routes(pattern.url_patterns, route) if hasattr(pattern, "url_patterns") else [route]
    return routes


@pytest.mark.django_db(transaction=True)
def test_a_thread_finds_the_whole_site_again_after_a_hot_request(server_key: str) -> None:
    ask(HotPathHandler(), "/ofrep/v1/evaluate/flags", b"{}", server_key)
    assert reverse("home") == "/"
