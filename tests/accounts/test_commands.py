"""key_create and owner_create: data on stdout, clear refusals."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.keys import find_key
from accounts.models import Membership, Role, User
from tests.factories import ProjectFactory


def output(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


@pytest.mark.django_db
def test_key_create_prints_nothing_but_the_secret() -> None:
    project = ProjectFactory()
    key = find_key(output("key_create", project.slug, "--kind", "ingest").strip())
    assert key is not None
    assert (key.kind, key.environment.slug) == ("ingest", "production")


@pytest.mark.django_db
def test_key_create_for_an_unknown_project_names_those_there_are() -> None:
    project = ProjectFactory()
    with pytest.raises(CommandError, match=project.slug):
        output("key_create", "nowhere")


@pytest.mark.django_db
def test_owner_create_makes_a_user_and_a_project_and_does_nothing_the_second_time() -> None:
    arguments = (
        "owner_create",
        "Owner@example.com",
        "--organisation",
        "Acme",
        "--project",
        "Web shop",
        "--json",
    )
    facts = json.loads(output(*arguments))
    assert User.objects.get(email="owner@example.com").check_password(facts["password"])
    assert facts["project"] == "web-shop"
    assert Membership.objects.get().role == Role.ADMIN
    with pytest.raises(CommandError) as refusal:
        output(*arguments)
    assert refusal.value.returncode == 3
    assert User.objects.count() == 1
