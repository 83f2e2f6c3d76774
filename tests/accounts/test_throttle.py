"""Guessing passwords is braked, in the database, whoever asks and however many workers answer."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connections
from django.test import Client, RequestFactory
from pytest_django import Settings

from accounts.models import LoginAttempt
from accounts.throttle import (
    MAX_PER_ACCOUNT,
    MAX_PER_ACCOUNT_AND_ADDRESS,
    MAX_PER_ADDRESS,
    TooManyAttempts,
    claim_attempt,
    client_address,
)
from tests.factories import PASSWORD, UserFactory

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def spend(tries: int, *, email: Callable[[int], str], address: Callable[[int], str]) -> None:
    for i in range(tries):
        claim_attempt(email=email(i), address=address(i), now=NOW)


def ann(_: int = 0) -> str:
    return "ann@example.com"


def home(_: int = 0) -> str:
    return "10.0.0.1"


@pytest.mark.django_db
def test_the_sixth_try_in_fifteen_minutes_is_refused_and_a_later_one_allowed() -> None:
    spend(MAX_PER_ACCOUNT_AND_ADDRESS, email=ann, address=home)
    with pytest.raises(TooManyAttempts) as refusal:
        claim_attempt(email="ANN@example.com ", address=home(), now=NOW + MINUTE)
    assert refusal.value.retry_after == timedelta(minutes=14)
    claim_attempt(email=ann(), address=home(), now=NOW + timedelta(minutes=15, seconds=1))


@pytest.mark.django_db
def test_another_address_may_still_try_the_account_so_nobody_locks_a_colleague_out() -> None:
    spend(MAX_PER_ACCOUNT_AND_ADDRESS, email=ann, address=home)
    claim_attempt(email=ann(), address="10.0.0.2", now=NOW)


@pytest.mark.django_db
def test_one_address_that_tries_many_accounts_is_refused() -> None:
    spend(MAX_PER_ADDRESS, email=lambda i: f"user{i}@example.com", address=home)
    with pytest.raises(TooManyAttempts):
        claim_attempt(email=ann(), address=home(), now=NOW)


@pytest.mark.django_db
def test_many_addresses_that_try_one_account_are_refused() -> None:
    spend(MAX_PER_ACCOUNT, email=ann, address=lambda i: f"10.0.1.{i}")
    with pytest.raises(TooManyAttempts):
        claim_attempt(email=ann(), address="10.0.2.1", now=NOW)


@pytest.mark.django_db(transaction=True)
def test_tries_at_the_same_moment_are_counted_one_after_the_other() -> None:
    def attempt(_: int) -> bool:
        try:
            claim_attempt(email=ann(), address=home(), now=NOW)
        except TooManyAttempts:
            return False
        finally:
            connections.close_all()
        return True

    with ThreadPoolExecutor(12) as pool:
        assert sum(pool.map(attempt, range(24))) == MAX_PER_ACCOUNT_AND_ADDRESS


@pytest.mark.django_db
def test_the_login_page_refuses_even_the_right_password_while_the_brake_is_on(client: Client) -> None:
    user = UserFactory()
    for _ in range(MAX_PER_ACCOUNT_AND_ADDRESS):
        assert client.post("/login/", {"username": user.email, "password": "wrong"}).status_code == 422
    answer = client.post("/login/", {"username": user.email, "password": PASSWORD})
    assert answer.status_code == 429
    assert 0 < int(answer["Retry-After"]) <= 901
    assert "Too many attempts" in answer.content.decode()


@pytest.mark.django_db
def test_a_right_password_clears_the_count(client: Client) -> None:
    user = UserFactory()
    client.post("/login/", {"username": user.email, "password": "wrong"})
    assert client.post("/login/", {"username": user.email.upper(), "password": PASSWORD}).status_code == 302
    assert not LoginAttempt.objects.exists()


def test_the_client_address_trusts_only_as_many_proxies_as_stand_in_front(settings: Settings) -> None:
    request = RequestFactory().get("/", HTTP_X_FORWARDED_FOR="6.6.6.6, 10.0.0.9", REMOTE_ADDR="127.0.0.1")
    settings.TRUSTED_PROXIES = 0
    assert client_address(request) == "127.0.0.1"
    settings.TRUSTED_PROXIES = 1
    assert client_address(request) == "10.0.0.9"
