"""API keys: shown once, stored hashed, found by prefix, dead when revoked."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.test import Client

from accounts.audit import SYSTEM
from accounts.keys import create_key, find_key, revoke_key, touch_key
from accounts.models import AuditEntry, KeyKind, Role
from tests.factories import ProjectFactory, make_key, production_of

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.mark.django_db
@pytest.mark.parametrize("kind", KeyKind.values)
def test_the_secret_finds_its_key_and_is_stored_nowhere(kind: str) -> None:
    key, secret = create_key(environment=production_of(ProjectFactory()), kind=kind, name="a", actor=SYSTEM)
    assert secret.startswith(f"{kind}_")
    assert find_key(secret) == key
    stored = " ".join(str(value) for value in vars(key).values())
    assert secret not in stored
    assert secret.removeprefix(f"{kind}_")[12:] not in stored


@pytest.mark.django_db
def test_a_wrong_or_shortened_or_empty_secret_finds_nothing() -> None:
    secret = make_key(production_of(ProjectFactory()))
    assert [find_key(s) for s in (secret[:-1] + "x", secret[:20], "", "api_", "\x00")] == [None] * 5


@pytest.mark.django_db
def test_a_revoked_key_is_dead_at_once_and_revoking_twice_is_one_entry() -> None:
    key, secret = create_key(environment=production_of(ProjectFactory()), kind="api", name="a", actor=SYSTEM)
    revoke_key(key=key, actor=SYSTEM)
    revoke_key(key=key, actor=SYSTEM)
    assert find_key(secret) is None
    assert AuditEntry.objects.filter(action="key.revoked").count() == 1


@pytest.mark.django_db
def test_last_used_is_written_at_most_once_a_minute() -> None:
    key, _ = create_key(environment=production_of(ProjectFactory()), kind="api", name="a", actor=SYSTEM)
    seen = []
    for seconds in (0, 30, 61):
        with time_machine.travel(NOW + timedelta(seconds=seconds), tick=False):
            touch_key(key)
        key.refresh_from_db()
        seen.append(key.last_used_at)
    assert seen == [NOW, NOW, NOW + timedelta(seconds=61)]


@pytest.mark.django_db
def test_the_api_lists_keys_of_the_own_project_only_and_never_a_secret(client: Client) -> None:
    project = ProjectFactory()
    make_key(production_of(ProjectFactory()))
    secret = make_key(production_of(project), role=Role.ADMIN)
    answer = client.get("/api/v1/keys", headers={"Authorization": f"Bearer {secret}"})
    assert answer.status_code == 200
    assert [row["prefix"] for row in answer.json()["data"]] == [secret[:16]]
    assert "secret" not in answer.content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize(("kind", "role"), [("api", Role.VIEWER), ("sdk_server", Role.ADMIN)])
def test_the_key_list_needs_an_admin_api_key(client: Client, kind: str, role: str) -> None:
    secret = make_key(production_of(ProjectFactory()), kind=kind, role=role)
    answer = client.get("/api/v1/keys", headers={"Authorization": f"Bearer {secret}"})
    assert answer.status_code == 403
    assert client.get("/api/v1/keys").status_code == 401
