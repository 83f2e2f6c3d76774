"""The Events and Attributes pages."""

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from accounts.models import Environment, Project, Role
from events.models import Attribute, DeadLetter, Profile
from tests.events.api_client import App, event
from tests.factories import AttributeFactory, MembershipFactory, ProfileFactory, UserFactory

pytestmark = pytest.mark.django_db

FORM = {
    "subject": "profile",
    "key": "tier",
    "type": "string",
    "purpose": "price tests",
    "description": "",
    "sensitivity": "none",
    "retention_days": "365",
}


def member(project: Project, role: str = Role.ADMIN) -> Client:
    client = Client()
    client.force_login(MembershipFactory(project=project, role=role).user)
    return client


def url(name: str, project: Project, *args: str) -> str:
    return reverse(f"events:{name}", args=[project.slug, *args])


def test_without_an_event_the_page_names_the_missing_link_and_the_command(project: Project) -> None:
    page = member(project).get(url("overview", project)).content.decode()
    assert "No event has come in to Production yet" in page
    assert "/api/v1/events" in page
    assert reverse("accounts:keys", args=[project.slug]) in page


def test_the_page_counts_by_name_and_shows_no_unit_and_no_value(app: App, project: Project) -> None:
    app.post_events(
        event(name="order", unit_id="jane@example.com", value=123.25, properties={"plan": "secret plan"}),
        event(name="order"),
        event(name="<script>alert(1)</script>"),
        {"name": "refused", "unit_id": "joe@example.com", "value": "x"},
    )
    page = member(project, Role.VIEWER).get(url("overview", project)).content.decode()
    assert "Received in the last 24 hours" in page
    assert "bad_value" in page
    for hidden in ("jane@", "joe@", "123.25", "secret plan", "<script>alert"):
        assert hidden not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_each_environment_has_its_own_tab_and_a_foreign_one_is_a_404(app: App, project: Project) -> None:
    app.post_events(event(name="in_production"))
    client = member(project)
    assert (
        "in_production" not in client.get(url("overview", project) + "?environment=staging").content.decode()
    )
    assert client.get(url("overview", project) + "?environment=elsewhere").status_code == 404


def test_the_page_costs_the_same_queries_for_many_events(
    app: App, project: Project, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    app.post_events(*(event(name=f"name {n}") for n in range(100)))
    client = member(project)
    with django_assert_max_num_queries(13):
        client.get(url("overview", project))


def test_refused_items_are_taken_in_again_from_the_page(app: App, project: Project) -> None:
    app.put_profile("u1", attributes={"tier": "gold"})
    AttributeFactory(project=project, key="tier")
    response = member(project).post(url("replay", project), {"environment": "production"}, follow=True)
    assert "1 taken in, 0 still refused" in response.content.decode()
    assert Profile.objects.get().attributes == {"tier": "gold"}
    assert DeadLetter.objects.get().replayed_at


def test_an_attribute_is_registered_from_the_page(project: Project) -> None:
    client = member(project, Role.EXPERIMENTER)
    response = client.post(url("attribute-new", project), FORM, follow=True)
    assert "tier is registered" in response.content.decode()
    assert Attribute.objects.get(project=project, key="tier").purpose == "price tests"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"key": "1st"}, "A key starts with a letter"),
        ({"key": "country"}, "registered already"),
        ({"purpose": ""}, "This field is required"),
        ({"retention_days": "0"}, "greater than or equal to 1"),
    ],
)
def test_a_faulty_form_comes_back_with_status_422_and_its_reason(
    project: Project, change: dict[str, str], message: str
) -> None:
    response = member(project).post(url("attribute-new", project), {**FORM, **change})
    assert response.status_code == 422
    assert message in response.content.decode()


def test_an_admin_changes_the_purpose_but_not_the_retention(project: Project) -> None:
    address = url("attribute-edit", project, "profile", "country")
    sent = {"purpose": "pricing", "description": "", "sensitivity": "special", "retention_days": "1"}
    assert member(project, Role.ADMIN).post(address, sent).status_code == 302
    attribute = Attribute.objects.get(key="country")
    assert (attribute.purpose, attribute.sensitivity, attribute.retention_days) == ("pricing", "none", 365)
    assert member(project, Role.PRIVACY_OFFICER).post(address, sent).status_code == 302
    attribute.refresh_from_db()
    assert (attribute.sensitivity, attribute.retention_days) == ("special", 1)


def test_deleting_asks_first_and_erases_values_only_for_the_privacy_officer(
    project: Project, environment: Environment
) -> None:
    profile = ProfileFactory(environment=environment, attributes={"country": "DE"})
    address = url("attribute-delete", project, "profile", "country")
    assert member(project, Role.ADMIN).post(address).status_code == 403
    officer = member(project, Role.PRIVACY_OFFICER)
    assert "removed from every profile" in officer.get(address).content.decode()
    assert Attribute.objects.filter(key="country").exists()
    assert officer.post(address).status_code == 302
    profile.refresh_from_db()
    assert profile.attributes == {}


@pytest.mark.parametrize("role", [Role.VIEWER, Role.ANALYST])
def test_readers_see_attributes_but_cannot_change_them(project: Project, role: str) -> None:
    client = member(project, role)
    page = client.get(url("attributes", project)).content.decode()
    assert "country" in page
    assert "Register" not in page
    assert client.get(url("attribute-new", project)).status_code == 403
    assert client.post(url("attribute-new", project), FORM).status_code == 403
    assert client.get(url("attribute-edit", project, "profile", "country")).status_code == 403
    assert client.post(url("replay", project)).status_code == 403


def test_strangers_get_404_and_visitors_the_login(project: Project) -> None:
    stranger = Client()
    stranger.force_login(UserFactory())
    for name in ("overview", "attributes", "attribute-new"):
        assert stranger.get(url(name, project)).status_code == 404
        assert Client().get(url(name, project)).status_code == 302


def test_an_attribute_of_another_project_is_a_404(project: Project) -> None:
    AttributeFactory(key="theirs")
    client = member(project, Role.PRIVACY_OFFICER)
    assert client.get(url("attribute-edit", project, "profile", "theirs")).status_code == 404
    assert client.post(url("attribute-delete", project, "profile", "theirs")).status_code == 404
