"""The accounts pages, walked the way a browser does."""

import re

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from accounts.audit import SYSTEM, record
from accounts.keys import find_key
from accounts.models import ApiKey, AuditEntry, Membership, Project, Role, User
from accounts.services import create_owner
from tests.factories import PASSWORD, MembershipFactory, ProjectFactory, UserFactory, make_key, production_of


@pytest.fixture
def admin(client: Client) -> Membership:
    member: Membership = MembershipFactory(role=Role.ADMIN)
    client.force_login(member.user)
    return member


def address(name: str, member: Membership, *args: object) -> str:
    return reverse(f"accounts:{name}", args=[member.project.slug, *args])


@pytest.mark.django_db
def test_logging_in_leads_to_the_only_project_and_logging_out_ends_the_session(client: Client) -> None:
    member = MembershipFactory()
    answer = client.post("/login/", {"username": member.user.email, "password": PASSWORD})
    assert answer.headers["Location"] == "/"
    assert client.get("/").headers["Location"] == f"/p/{member.project.slug}/"
    assert client.post("/logout/").headers["Location"] == "/login/"
    assert client.get("/").headers["Location"] == "/login/?next=/"


@pytest.mark.django_db
def test_a_login_never_leads_to_another_site(client: Client) -> None:
    user = UserFactory()
    data = {"username": user.email, "password": PASSWORD, "next": "https://evil.example/"}
    assert client.post("/login/", data).headers["Location"] == "/"


@pytest.mark.django_db
def test_a_wrong_password_and_an_unknown_address_read_the_same(client: Client) -> None:
    user = UserFactory()
    pages = [
        client.post("/login/", {"username": name, "password": "wrong"})
        for name in (user.email, "no@example.com")
    ]
    assert {page.status_code for page in pages} == {422}
    assert all("do not match" in page.content.decode() for page in pages)


@pytest.mark.django_db
def test_an_owner_makes_the_first_project(client: Client) -> None:
    owner, _ = create_owner(email="owner@example.com")
    client.force_login(owner)
    assert "No project yet" in client.get("/", follow=True).content.decode()
    answer = client.post("/projects/new/", {"organisation_name": "Acme", "name": "Web shop"})
    assert answer.headers["Location"] == "/p/web-shop/"
    assert Project.objects.get().organisation.name == "Acme"


@pytest.mark.django_db
def test_a_project_without_a_name_is_refused_and_the_form_says_where(client: Client) -> None:
    owner, _ = create_owner(email="owner@example.com")
    client.force_login(owner)
    answer = client.post("/projects/new/", {"organisation_name": "Acme", "name": ""})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert 'href="#id_name"' in page
    assert 'aria-describedby="id_name_helptext id_name_error"' in page
    assert not Project.objects.exists()


@pytest.mark.django_db
def test_a_new_key_shows_its_secret_once(client: Client, admin: Membership) -> None:
    data = {
        "name": "Shop",
        "environment": production_of(admin.project).pk,
        "kind": "sdk_client",
        "role": Role.ADMIN,
        "allowed_origins": "https://shop.example.com/\nhttp://localhost:3000",
    }
    page = client.post(address("key-new", admin), data)
    (secret,) = set(re.findall(r"sdk_client_[0-9a-f]{64}", page.content.decode()))
    key = find_key(secret)
    assert key is not None
    assert key.allowed_origins == ["https://shop.example.com", "http://localhost:3000"]
    assert key.role == Role.VIEWER, "only api keys carry a role"
    assert page["Cache-Control"].startswith("max-age=0, no-cache, no-store")
    assert secret not in client.get(address("keys", admin)).content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": ""}, "This field is required"),
        ({"allowed_origins": "shop.example.com"}, "is not an origin"),
        ({"allowed_origins": "https://shop.example.com/checkout"}, "is not an origin"),
        ({"kind": "root"}, "Select a valid choice"),
        ({"role": "privacy_officer"}, "Select a valid choice"),
    ],
)
def test_a_faulty_key_form_makes_no_key(
    client: Client, admin: Membership, change: dict[str, str], message: str
) -> None:
    data = {"name": "Shop", "environment": production_of(admin.project).pk, "kind": "api", "role": "admin"}
    answer = client.post(address("key-new", admin), data | change)
    assert answer.status_code == 422
    assert message in answer.content.decode()
    assert not ApiKey.objects.exists()
    assert client.post(address("key-new", admin), data).status_code == 200


@pytest.mark.django_db
def test_a_key_for_a_foreign_environment_is_refused(client: Client, admin: Membership) -> None:
    foreign = production_of(ProjectFactory())
    data = {"name": "Shop", "environment": foreign.pk, "kind": "api", "role": "admin"}
    assert client.post(address("key-new", admin), data).status_code == 422
    assert not ApiKey.objects.exists()


@pytest.mark.django_db
def test_revoking_asks_first_and_a_foreign_key_is_a_404(client: Client, admin: Membership) -> None:
    secret = make_key(production_of(admin.project))
    url = address("key-revoke", admin, ApiKey.objects.get().public_id)
    assert "Revoke" in client.get(url).content.decode()
    assert find_key(secret) is not None
    assert client.post(url).status_code == 302
    assert find_key(secret) is None
    make_key(production_of(ProjectFactory()))
    foreign = ApiKey.objects.latest("id")
    assert client.post(f"/p/{admin.project.slug}/keys/key_%00/revoke/").status_code == 404
    assert client.post(address("key-revoke", admin, foreign.public_id)).status_code == 404


@pytest.mark.django_db
def test_a_stranger_is_added_and_sets_a_password_with_the_link_once(
    client: Client, admin: Membership
) -> None:
    answer = client.post(
        address("member-add", admin), {"email": "new@example.com", "role": Role.ANALYST}, follow=True
    )
    (link,) = re.findall(r'<code id="invitation">http://testserver(/[^<]+)</code>', answer.content.decode())
    visitor = Client()
    form_url = visitor.get(link).headers["Location"]
    password = {"new_password1": "a long and odd phrase", "new_password2": "a long and odd phrase"}
    assert visitor.post(form_url, password).headers["Location"] == "/login/"
    user = User.objects.get(email="new@example.com")
    assert user.check_password("a long and odd phrase")
    assert "does not work any more" in Client().get(link, follow=True).content.decode()
    page = client.get(address("member", admin, user.memberships.get().pk)).content.decode()
    assert "invitation" not in page


@pytest.mark.django_db
def test_no_link_is_shown_for_someone_who_belongs_to_another_project_too(
    client: Client, admin: Membership
) -> None:
    user = User.objects.create_user("shared@example.com")
    MembershipFactory(user=user)
    here = MembershipFactory(user=user, project=admin.project, role=Role.VIEWER)
    assert "invitation" not in client.get(address("member", admin, here.pk)).content.decode()


@pytest.mark.django_db
def test_the_last_admin_is_told_why_the_role_stays(client: Client, admin: Membership) -> None:
    answer = client.post(address("member", admin, admin.pk), {"role": Role.VIEWER})
    assert answer.status_code == 422
    assert "is the only admin" in answer.content.decode()
    removal = client.post(address("member-remove", admin, admin.pk))
    assert removal.status_code == 409
    assert "is the only admin" in removal.content.decode()


@pytest.mark.django_db
def test_settings_are_saved_and_a_rejected_form_does_not_rename_the_page(
    client: Client, admin: Membership
) -> None:
    data = {"name": "Renamed", "timezone": "Europe/Berlin", "currency": "USD"}
    assert client.post(address("settings", admin), data).status_code == 302
    assert Project.objects.get(pk=admin.project.pk).currency == "USD"
    rejected = client.post(address("settings", admin), data | {"name": "Broken", "timezone": "Mars/Base"})
    assert rejected.status_code == 422
    assert "Broken · Strata" not in rejected.content.decode()


@pytest.mark.django_db
def test_the_trail_is_filtered_turned_and_verified(client: Client, admin: Membership) -> None:
    for i in range(60):
        record(
            project=admin.project,
            actor=SYSTEM,
            action=f"thing.{i}",
            target=admin.project,
            reason=f"reason {i}",
        )
    url = address("audit", admin)
    first = client.get(url).content.decode()
    assert "thing.59" in first
    assert "thing.9<" not in first
    (older,) = re.findall(r'href="\?(before=\d+)"', first)
    assert "thing.9<" in client.get(f"{url}?{older}").content.decode()
    assert "No entry fits" in client.get(f"{url}?target=exp_nothing").content.decode()
    assert "the trail is whole" in client.get(f"{url}?verify=1").content.decode()
    assert client.get(f"{url}?before=99999999999999999999999").status_code == 200


@pytest.mark.django_db
def test_the_trail_shows_only_its_own_project(client: Client, admin: Membership) -> None:
    record(project=ProjectFactory(), actor=SYSTEM, action="secret.deed", target=admin.project)
    assert "secret.deed" not in client.get(address("audit", admin)).content.decode()
    assert AuditEntry.objects.filter(action="secret.deed").exists()


@pytest.mark.django_db
def test_names_with_markup_are_printed_as_text(client: Client, admin: Membership) -> None:
    Project.objects.filter(pk=admin.project.pk).update(name="<script>alert(1)</script>")
    page = client.get(address("members", admin)).content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["members", "keys", "audit"])
def test_lists_cost_the_same_number_of_queries_whatever_their_length(
    client: Client, admin: Membership, django_assert_max_num_queries: DjangoAssertNumQueries, name: str
) -> None:
    for _ in range(10):
        MembershipFactory(project=admin.project, role=Role.VIEWER)
        make_key(production_of(admin.project))
    with django_assert_max_num_queries(7):
        client.get(address(name, admin))


@pytest.mark.django_db
def test_the_menu_marks_the_room_and_hides_what_the_role_does_not_cover(client: Client) -> None:
    viewer = MembershipFactory(role=Role.VIEWER)
    client.force_login(viewer.user)
    page = client.get(address("members", viewer)).content.decode()
    assert page.count('aria-current="page"') == 2, "the menu entry and the last crumb"
    assert reverse("accounts:keys", args=[viewer.project.slug]) not in page


@pytest.mark.django_db
def test_the_own_name_and_password_can_be_changed(client: Client, admin: Membership) -> None:
    assert client.post("/account/", {"first_name": "Ann", "last_name": "Lee"}).status_code == 302
    new = {
        "old_password": PASSWORD,
        "new_password1": "another odd long phrase",
        "new_password2": "another odd long phrase",
    }
    assert client.post("/account/password/", new | {"old_password": "wrong"}).status_code == 422
    assert client.post("/account/password/", new).status_code == 302
    user = User.objects.get(pk=admin.user.pk)
    assert (user.get_full_name(), user.check_password("another odd long phrase")) == ("Ann Lee", True)
