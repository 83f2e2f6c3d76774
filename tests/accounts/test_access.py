"""Who may open which page: every route × every role, and strangers see nothing."""

import pytest
from django.test import Client
from django.urls import reverse

from accounts.access import Action, allows, covers
from accounts.models import Role
from tests.factories import MembershipFactory, ProjectFactory, UserFactory

EVERYONE = set(Role)
PAGES = {
    "accounts:members": EVERYONE,
    "accounts:audit": EVERYONE,
    "accounts:member-add": {Role.ADMIN},
    "accounts:keys": {Role.ADMIN},
    "accounts:key-new": {Role.ADMIN},
    "accounts:settings": {Role.ADMIN},
}


@pytest.mark.django_db
@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_opens_for_the_roles_that_cover_it_and_explains_itself_to_the_others(
    client: Client, name: str, role: Role
) -> None:
    member = MembershipFactory(role=role)
    client.force_login(member.user)
    answer = client.get(reverse(name, args=[member.project.slug]))
    if role in PAGES[name]:
        assert answer.status_code == 200
    else:
        assert answer.status_code == 403
        assert "your role here is" in answer.content.decode().lower()


@pytest.mark.django_db
@pytest.mark.parametrize("name", PAGES)
def test_a_foreign_project_is_a_404_and_a_visitor_is_sent_to_log_in(client: Client, name: str) -> None:
    url = reverse(name, args=[ProjectFactory().slug])
    assert client.get(url).headers["Location"] == f"/login/?next={url}"
    client.force_login(MembershipFactory().user)
    assert client.get(url).status_code == 404


@pytest.mark.django_db
def test_objects_of_a_sibling_project_are_a_404(client: Client) -> None:
    here, there = MembershipFactory(), MembershipFactory()
    client.force_login(here.user)
    url = reverse("accounts:member", args=[here.project.slug, there.pk])
    assert client.get(url).status_code == 404
    assert (
        client.post(reverse("accounts:member-remove", args=[here.project.slug, there.pk])).status_code == 404
    )


@pytest.mark.django_db
def test_times_on_a_page_are_in_the_zone_of_the_project(client: Client) -> None:
    member = MembershipFactory(project=ProjectFactory(timezone="Asia/Tokyo"))
    client.force_login(member.user)
    assert (
        " JST</time>" in client.get(reverse("accounts:members", args=[member.project.slug])).content.decode()
    )
    assert " UTC</time>" in client.get(reverse("projects")).content.decode()


@pytest.mark.django_db
def test_a_user_of_no_project_learns_how_to_get_into_one(client: Client) -> None:
    client.force_login(UserFactory())
    page = client.get("/", follow=True).content.decode()
    assert "You belong to no project yet" in page
    assert client.get("/projects/new/").status_code == 403


def test_an_admin_covers_an_experimenter_but_not_a_privacy_officer() -> None:
    assert covers(Role.ADMIN, Role.EXPERIMENTER)
    assert not covers(Role.ADMIN, Role.PRIVACY_OFFICER)
    assert not covers(Role.VIEWER, Role.ANALYST)


@pytest.mark.parametrize("action", Action)
def test_every_action_is_covered_by_some_role(action: Action) -> None:
    assert any(allows(role, action) for role in Role)
