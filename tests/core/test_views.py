"""Probes, and requests that lead nowhere."""

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test import Client, RequestFactory

from core import views


def test_livez_answers_without_a_database(client: Client) -> None:
    assert client.get("/livez").json() == {"status": "ok"}


@pytest.mark.django_db
def test_readyz_is_ok_on_a_migrated_database(client: Client) -> None:
    assert client.get("/readyz").json() == {"status": "ok"}


@pytest.mark.django_db
def test_readyz_refuses_while_a_migration_is_pending(client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM django_migrations WHERE app = 'accounts' AND name = '0003_login_attempts'"
        )
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["reason"] == "migrations are pending"


@pytest.mark.django_db
def test_an_unknown_api_path_is_a_problem_and_an_unknown_page_a_page(client: Client) -> None:
    problem = client.get("/api/v1/nowhere")
    assert (problem.status_code, problem["Content-Type"]) == (404, "application/problem+json")
    assert problem.json()["code"] == "not_found"
    page = client.get("/nowhere")
    assert (page.status_code, page["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert "does not exist" in page.content.decode()


def test_a_server_fault_is_a_page_that_needs_no_database() -> None:
    answer = views.server_error(RequestFactory().get("/p/web-shop/"))
    assert answer.status_code == 500
    assert "broke on our side" in answer.content.decode()


def test_a_server_fault_of_a_program_is_a_problem() -> None:
    answer = views.server_error(RequestFactory().get("/ofrep/v1/evaluate/flags"))
    assert (answer.status_code, answer["Content-Type"]) == (500, "application/problem+json")


def test_forbidden_to_a_program_is_a_problem() -> None:
    answer = views.forbidden(RequestFactory().get("/api/v1/x"), PermissionDenied("Not with this key."))
    assert answer.status_code == 403
    assert b"Not with this key." in answer.content
