"""The segment pages and the builder, with keyboard and mouse, with and without JavaScript."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django import DjangoDbBlocker
from pytest_django.live_server_helper import LiveServer

from accounts.audit import SYSTEM
from segments.rules import Event, Profile
from segments.services import create_segment, save_version
from segments.tasks import refresh_due_segments
from tests.browser.conftest import Site
from tests.browser.looks import Look
from tests.browser.test_pages import faults_of
from tests.browser.visiting import visit
from tests.browser.world import World, build_world
from tests.factories import AttributeFactory, MembershipFactory, ProjectFactory, production_of
from tests.segments.storing import store

PATIENCE_MS = 20_000  # a loaded machine is no fault of the page
WIDE, NARROW = Look(1280, "light"), Look(320, "dark")
RULE = {
    "all": [
        {"attribute": "country", "op": "in", "value": ["DE", "AT", "CH"]},
        {"not": {"attribute": "age", "op": "between", "value": [18, 29]}},
        {
            "any": [
                {"event": "purchase", "aggregate": "count", "op": "gte", "value": 3, "window_days": 30},
                {"event": "purchase", "aggregate": "sum", "property": "amount", "op": "gt", "value": 99.5},
                {"event": "login", "recency": {"op": "not_within_days", "days": 14}},
                {"attribute": "is_paying", "op": "eq", "value": True},
            ]
        },
    ]
}
PAGES = {
    "list": ("segments:list",),
    "detail": ("segments:detail", "loyal"),
    "new": ("segments:new",),
    "edit": ("segments:edit", "loyal"),
    "details": ("segments:details", "loyal"),
    "test": ("segments:test", "loyal"),
    "retire": ("segments:retire", "loyal"),
}


@pytest.fixture(scope="module")
def served(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[tuple[World, str]]:
    """A project with attributes, people, events and a counted segment of two versions."""
    with django_db_blocker.unblock():
        built = build_world()
        world = replace(built, project=ProjectFactory(name="Segmented", slug="segmented"))
        MembershipFactory(project=world.project, user=built.user)
        _fill(world)
        server = LiveServer("127.0.0.1")
        try:
            yield world, server.url
        finally:
            server.stop()
            call_command("flush", interactive=False, verbosity=0)


def _fill(world: World) -> None:
    project = world.project
    AttributeFactory(project=project, key="country")
    AttributeFactory(project=project, key="age", type="number", sensitivity="personal")
    AttributeFactory(project=project, key="is_paying", type="boolean")
    AttributeFactory(project=project, key="amount", type="number", subject="event")
    day_ago = timezone.now() - timedelta(days=1)
    events = [Event(name, day_ago, 9.5, {"amount": 60}) for name in ("purchase", "purchase", "login")]
    people = {
        f"u{i}": Profile({"country": "DE", "age": 20 + i % 40}, events if i % 3 else ()) for i in range(150)
    }
    store(people, production_of(project))
    segment = create_segment(
        project=project,
        actor=SYSTEM,
        key="loyal",
        name="Loyal customers",
        rationale="They react to other things.",
        rule=RULE["all"][0],
    )
    save_version(segment=segment, rule=RULE, actor=SYSTEM)
    create_segment(
        project=project,
        actor=SYSTEM,
        key="others",
        name="Others",
        rule={"not": {"segment": segment.public_id}},
    )
    refresh_due_segments()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_accessible_in_every_look(site: Site, axe_source: str, name: str) -> None:
    with site.admin(WIDE) as context:
        seen = visit(context, site.world.url(*PAGES[name]))
        assert faults_of(seen, axe_source) == []


def _build(page: Page, name: str) -> None:
    """Fill in a two-condition rule the way a person does."""
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Attribute of condition 1").select_option("country")
    page.get_by_label("Value of condition 1").fill("DE")
    page.get_by_label("What to add to the rule").select_option("recency")
    page.get_by_role("button", name="Add to the rule").click()
    page.get_by_label("Event of condition 2").fill("login")
    page.get_by_label("Days, condition 2").fill("14")


@pytest.mark.parametrize("javascript", [True, False])
def test_a_segment_is_built_and_saved_with_and_without_javascript(site: Site, javascript: bool) -> None:
    with site.admin(WIDE, java_script_enabled=javascript) as context:
        page = context.new_page()
        page.goto(site.world.url("segments:new"))
        _build(page, f"Built with JavaScript {javascript}")
        page.get_by_role("button", name="Check and count").click()
        expect(page.locator("#preview")).to_contain_text(
            "country is “DE” and “login” happened in the last 14 days", timeout=PATIENCE_MS
        )
        expect(page.locator("#preview")).to_contain_text("100 units in Production, of 150 profiles")
        page.get_by_role("button", name="Save the segment").click()
        expect(page.get_by_role("heading", level=1)).to_have_text(f"Built with JavaScript {javascript}")


def test_the_count_follows_the_rule_while_it_is_typed(site: Site) -> None:
    with site.admin(WIDE) as context:
        seen = visit(context, site.world.url("segments:new"))
        page = seen.page
        expect(page.locator("#preview")).to_contain_text("Not complete yet")
        page.get_by_label("Attribute of condition 1").select_option("age")
        expect(page.locator("#r-0-op option[value=contains]")).to_have_count(0)  # not of numbers
        page.get_by_label("Comparison of condition 1").select_option("gte")
        page.get_by_label("Value of condition 1").fill("40")
        page.get_by_label("Value of condition 1").press("Tab")
        expect(page.locator("#preview .sentence")).to_have_text("Units where age is at least 40.")
        expect(page.locator("#preview")).to_contain_text("personal")
        assert seen.all_faults() == []


def test_rows_are_added_moved_and_removed_by_keyboard_and_the_focus_goes_along(site: Site) -> None:
    with site.admin(WIDE) as context:
        page = visit(context, site.world.url("segments:edit", "loyal")).page
        page.get_by_role("button", name="Add to the rule").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_label("Attribute of condition 4")).to_be_focused()
        page.get_by_role("button", name="Up condition 4").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_label("Attribute of condition 3.5")).to_be_focused()
        page.get_by_role("button", name="Remove condition 3.5").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_label("Attribute of condition 3.5")).to_have_count(0)
        expect(page.locator("#builder :focus")).to_have_count(1)


def test_a_wrong_rule_leads_to_its_rows_in_every_look(site: Site, axe_source: str) -> None:
    with site.admin(WIDE) as context:
        seen = visit(context, site.world.url("segments:new"))
        page = seen.page
        page.get_by_label("Name", exact=True).fill("Wrong")
        page.get_by_label("Attribute of condition 1").select_option("age")
        expect(page.locator("#r-0-op option[value=contains]")).to_have_count(0)
        page.get_by_label("Value of condition 1").fill("old")
        page.get_by_role("button", name="Save the segment").click()
        expect(page.locator(".error-summary")).to_be_focused()
        page.locator(".error-summary a").click()
        assert page.url.endswith("#r-0")
        faults = [fault for fault in faults_of(seen, axe_source) if "422" not in fault]
        assert faults == []


def test_the_builder_fits_a_narrow_screen(site: Site) -> None:
    with site.admin(NARROW) as context:
        seen = visit(context, site.world.url("segments:edit", "loyal"))
        assert seen.overflows() == []
