"""The segments pages, as a browser without JavaScript uses them."""

import json
import re
from typing import Any

import pytest
from django.test import Client

from accounts.audit import SYSTEM
from accounts.models import AuditEntry, Project, Role
from events.models import AttributeType, Sensitivity
from segments.models import Segment
from segments.rules import Event, Profile
from segments.services import create_segment, save_version
from segments.tasks import refresh_due_segments
from tests.factories import PASSWORD, AttributeFactory, MembershipFactory, ProjectFactory, production_of
from tests.segments.fields import fields_of
from tests.segments.storing import store
from tests.segments.strategies import NOW

pytestmark = pytest.mark.django_db

GERMAN = {"attribute": "country", "op": "eq", "value": "DE"}
ROWS = {
    "mode": "rows",
    "r.kind": "group",
    "r.join": "all",
    "r.children": "2",
    "r.0.kind": "attribute",
    "r.0.attribute": "country",
    "r.0.op": "eq",
    "r.0.value": "DE",
    "r.1.kind": "recency",
    "r.1.event": "login",
    "r.1.op": "not_within_days",
    "r.1.days": "14",
}
DETAILS = {
    "name": "Quiet Germans",
    "key": "",
    "rationale": "They may leave.",
    "unit_type": "user",
    "refresh_minutes": "60",
}


@pytest.fixture
def project() -> Project:
    project = ProjectFactory()
    AttributeFactory(project=project, key="country")
    AttributeFactory(project=project, key="age", type=AttributeType.NUMBER, sensitivity=Sensitivity.PERSONAL)
    return project


def browser(project: Project, role: str = Role.EXPERIMENTER) -> Client:
    member = MembershipFactory(project=project, role=role)
    client = Client()
    assert client.login(username=member.user.email, password=PASSWORD)
    return client


def url(project: Project, path: str = "") -> str:
    return f"/p/{project.slug}/segments/{path}"


def make(project: Project, key: str = "germans", rule: Any = GERMAN) -> Segment:
    return create_segment(project=project, actor=SYSTEM, key=key, name=key.title(), rule=rule)


def text(response: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def test_an_empty_project_says_what_a_segment_is_and_how_to_make_one(project: Project) -> None:
    page = browser(project).get(url(project))
    assert "No segments yet" in text(page)
    assert url(project, "new/") in page.content.decode()
    assert "An experimenter or an admin can make one" in text(browser(project, Role.VIEWER).get(url(project)))


def test_the_list_shows_rule_size_and_when_it_was_counted(
    project: Project, django_assert_max_num_queries: Any
) -> None:
    make(project)
    store({f"u{i}": Profile({"country": "DE"}) for i in range(1_234)}, production_of(project))
    refresh_due_segments()
    client = browser(project)
    page = client.get(url(project))
    assert "Units where country is “DE”." in text(page)
    assert "1,234" in text(page)
    for i in range(10):
        make(project, f"s{i}")
    with django_assert_max_num_queries(10):
        client.get(url(project))
    assert "fewer than 10" not in text(page)
    assert "not counted yet" in text(client.get(url(project) + "?environment=staging"))


def test_a_segment_is_built_row_by_row_with_submit_buttons_only(project: Project) -> None:
    client = browser(project)
    page = client.get(url(project, "new/"))
    assert page.status_code == 200
    first = {"mode": "rows", "r.kind": "group", "r.join": "all", "r.children": "1", "r.0.kind": "attribute"}
    added = fields_of(
        client.post(url(project, "new/"), {**DETAILS, **first, "r.new": "recency", "do": "add:r"})
    )
    assert (added["r.1.kind"], added["r.1.days"], added["name"]) == ("recency", "30", "Quiet Germans")
    moved = fields_of(client.post(url(project, "new/"), {**DETAILS, **ROWS, "do": "up:r.1"}))
    assert (moved["r.0.event"], moved["r.1.attribute"]) == ("login", "country")
    removed = fields_of(client.post(url(project, "new/"), {**DETAILS, **ROWS, "do": "remove:r.0"}))
    assert (removed["r.0.event"], removed["r.children"]) == ("login", "1")
    assert "r.1.kind" not in removed
    checked = client.post(url(project, "new/"), {**DETAILS, **ROWS, "do": "check"})
    assert "Units where country is “DE” and “login” did not happen in the last 14 days." in text(checked)
    assert "No “login” event has arrived in Production yet." in text(checked)
    assert not Segment.objects.exists()
    saved = client.post(url(project, "new/"), {**DETAILS, **ROWS, "do": "save"})
    assert (saved.status_code, saved.url) == (302, url(project, "quiet-germans/"))
    version = Segment.objects.get().versions.get()
    assert version.rule == {
        "language": 1,
        "all": [GERMAN, {"event": "login", "recency": {"op": "not_within_days", "days": 14}}],
    }


def test_the_live_count_is_a_fragment(project: Project) -> None:
    store({f"u{i}": Profile({"country": "DE"}) for i in range(25)}, production_of(project))
    page = browser(project).post(
        url(project, "new/"),
        {**DETAILS, **ROWS, "do": "check"},
        headers={"HX-Request": "true", "HX-Target": "preview"},
    )
    assert "<html" not in page.content.decode()
    assert "25 units in Production, of 25 profiles" in text(page)


def test_a_wrong_rule_comes_back_as_422_with_the_fault_at_its_row(project: Project) -> None:
    wrong = {**ROWS, "r.0.attribute": "contry", "r.1.days": "soon"}
    page = browser(project).post(url(project, "new/"), {**DETAILS, **wrong, "do": "save"})
    html = page.content.decode()
    assert page.status_code == 422
    assert "Did you mean “country”" in text(page) or "Did you mean &quot;country&quot;" in html
    assert '<a href="#r-0">' in html
    assert '<a href="#r-1">' in html
    assert fields_of(page)["r.1.days"] == "soon"
    assert html.count('aria-invalid="true"') == 2
    assert not Segment.objects.exists()


def test_a_missing_name_and_a_taken_key_are_faults_of_the_form(project: Project) -> None:
    make(project, "quiet-germans")
    client = browser(project)
    nameless = client.post(url(project, "new/"), {**DETAILS, **ROWS, "name": "", "do": "save"})
    assert (nameless.status_code, "This field is required" in text(nameless)) == (422, True)
    taken = client.post(url(project, "new/"), {**DETAILS, **ROWS, "do": "save"})
    assert taken.status_code == 422
    assert "has a segment with the key" in text(taken)


def test_an_edit_opens_the_latest_rule_and_saves_the_next_version(project: Project) -> None:
    segment = make(project)
    client = browser(project)
    page = fields_of(client.get(url(project, "germans/edit/")))
    assert (page["r.0.attribute"], page["r.0.op"], page["r.0.value"]) == ("country", "eq", "DE")
    client.post(url(project, "germans/edit/"), {**ROWS, "do": "save"})
    assert segment.versions.count() == 2
    again = client.post(url(project, "germans/edit/"), {**ROWS, "do": "save"}, follow=True)
    assert "version 2 stays" in text(again)
    assert segment.versions.count() == 2


def test_a_rule_is_edited_as_json_and_goes_back_to_rows(project: Project) -> None:
    client = browser(project)
    as_json = client.post(url(project, "new/"), {**DETAILS, **ROWS, "do": "json"})
    assert json.loads(fields_of(as_json)["json"])["all"][0] == GERMAN
    json_text = '{"any": [{"attribute": "age", "op": "gte", "value": 18}]}'
    rows = client.post(url(project, "new/"), {**DETAILS, "mode": "json", "json": json_text, "do": "rows"})
    assert fields_of(rows)["r.0.value"] == "18"
    broken = client.post(url(project, "new/"), {**DETAILS, "mode": "json", "json": "{", "do": "save"})
    assert broken.status_code == 422
    assert "not valid JSON" in text(broken)
    wrong = client.post(
        url(project, "new/"), {**DETAILS, "mode": "json", "json": '{"any": []}', "do": "save"}
    )
    assert "A group needs at least one condition" in text(wrong)
    client.post(url(project, "new/"), {**DETAILS, "mode": "json", "json": json_text, "do": "save"})
    assert Segment.objects.get().versions.get().sentence == "Units where age is at least 18."


def test_a_rule_that_rows_cannot_hold_opens_as_json(project: Project) -> None:
    make(project, rule={"attribute": "country", "op": "eq", "value": "a\nb"})
    page = fields_of(browser(project).get(url(project, "germans/edit/")))
    assert page["mode"] == "json"
    assert json.loads(page["json"])["value"] == "a\nb"


def test_a_cycle_is_refused_on_the_page_with_its_path(project: Project) -> None:
    first = make(project, "first")
    second = make(project, "second", {"segment": first.public_id})
    rows = {
        "mode": "rows",
        "r.kind": "group",
        "r.children": "1",
        "r.0.kind": "segment",
        "r.0.segment": second.public_id,
    }
    page = browser(project).post(url(project, "first/edit/"), {**rows, "do": "save"})
    assert page.status_code == 422
    assert "First → Second → First" in text(page)


def test_the_detail_page_tells_sizes_versions_sensitivity_and_uses(project: Project) -> None:
    base = make(project, "base", {"attribute": "age", "op": "gte", "value": 18})
    make(project, "top", {"all": [GERMAN, {"segment": base.public_id}]})
    save_version(segment=base, rule={"attribute": "age", "op": "gte", "value": 21}, actor=SYSTEM)
    client = browser(project)
    page = text(client.get(url(project, "base/")))
    assert "Units where age is at least 21." in page
    assert "Units where age is at least 18." in page
    assert "age personal" in page
    assert "Segment Top" in page
    assert "its version 2 is newer" in text(client.get(url(project, "top/")))


def test_a_refresh_and_a_retirement_are_one_button_each(project: Project) -> None:
    segment = make(project)
    client = browser(project)
    refresh_due_segments()
    assert client.post(url(project, "germans/refresh/")).status_code == 302
    assert refresh_due_segments() == 2
    assert "Retire Germans?" in text(client.get(url(project, "germans/retire/")))
    client.post(url(project, "germans/retire/"))
    segment.refresh_from_db()
    assert segment.status == "retired"
    assert "Germans" in text(client.get(url(project) + "?status=retired"))
    assert client.post(url(project, "germans/edit/"), {**ROWS, "do": "save"}).status_code == 422


def test_details_are_edited_without_touching_the_rule(project: Project) -> None:
    segment = make(project)
    page = browser(project).post(
        url(project, "germans/details/"), {"name": "In Germany", "rationale": "", "refresh_minutes": "5"}
    )
    assert page.status_code == 302
    segment.refresh_from_db()
    assert (segment.name, segment.refresh_minutes, segment.versions.count()) == ("In Germany", 5, 1)


def test_typed_facts_are_traced_condition_by_condition(project: Project) -> None:
    make(project, rule={"all": [GERMAN, {"event": "login", "recency": {"op": "within_days", "days": 7}}]})
    client = browser(project, Role.VIEWER)
    form = client.get(url(project, "germans/test/")).content.decode()
    assert "&quot;country&quot;" in form
    facts = {
        "which": "facts",
        "attributes": '{"country": "DE"}',
        "events": '[{"name": "login", "days_ago": 8}]',
    }
    page = client.post(url(project, "germans/test/"), facts)
    assert "No: the unit is not in the segment" in text(page)
    assert re.search(r"country is “DE” true", text(page))
    assert re.search(r"“login” happened in the last 7 days false", text(page))
    facts["events"] = '[{"name": "login", "days_ago": 7}]'
    assert "No:" in text(client.post(url(project, "germans/test/"), facts))
    facts["events"] = '[{"name": "login", "days_ago": 6.9}]'
    assert "Yes:" in text(client.post(url(project, "germans/test/"), facts))


@pytest.mark.parametrize(
    "field", [{"attributes": "{"}, {"attributes": "[]"}, {"events": "7"}, {"events": '[{"name": 1}]'}]
)
def test_bad_facts_are_explained(project: Project, field: dict[str, str]) -> None:
    make(project)
    facts = {"which": "facts", "attributes": "{}", "events": "", **field}
    assert browser(project).post(url(project, "germans/test/"), facts).status_code == 422


def test_stored_facts_are_for_the_privacy_officer_with_a_logged_reason(project: Project) -> None:
    make(project)
    store({"u1": Profile({"country": "DE"}, [Event("login", NOW)])}, production_of(project))
    ask = {"which": "stored", "environment": "production", "unit_id": "u1", "reason": "Ticket 7"}
    assert browser(project, Role.ADMIN).post(url(project, "germans/test/"), ask).status_code == 403
    officer = browser(project, Role.PRIVACY_OFFICER)
    page = officer.post(url(project, "germans/test/"), ask)
    assert "Yes: the unit is in the segment" in text(page)
    assert "The stored membership says no" in text(page)
    entry = AuditEntry.objects.get(action="segment.unit_checked")
    assert (entry.reason, entry.after["unit_id"]) == ("Ticket 7", "u1")
    assert officer.post(url(project, "germans/test/"), {**ask, "reason": ""}).status_code == 422
    assert officer.post(url(project, "germans/test/"), {**ask, "unit_id": "nobody"}).status_code == 422


@pytest.mark.parametrize(
    "path", ["", "new/", "germans/", "germans/edit/", "germans/details/", "germans/test/", "germans/retire/"]
)
def test_strangers_find_nothing(project: Project, path: str) -> None:
    make(project)
    assert browser(ProjectFactory()).get(url(project, path)).status_code == 404


@pytest.mark.parametrize("path", ["new/", "germans/edit/", "germans/details/", "germans/retire/"])
def test_a_viewer_cannot_open_what_changes_segments(project: Project, path: str) -> None:
    make(project)
    assert browser(project, Role.VIEWER).get(url(project, path)).status_code == 403


def test_html_in_names_and_values_is_printed_not_executed(project: Project) -> None:
    nasty = "<script>alert(1)</script>"
    create_segment(
        project=project, actor=SYSTEM, key="x", name=nasty, rationale=nasty, rule={**GERMAN, "value": nasty}
    )
    client = browser(project)
    for path in ("", "x/", "x/edit/", "x/test/", "x/details/", "x/retire/"):
        assert "<script>alert" not in client.get(url(project, path)).content.decode()
