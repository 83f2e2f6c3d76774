"""The frame of every page and the way forms answer, used with keyboard and mouse."""

from playwright.sync_api import expect

from tests.browser.conftest import Site
from tests.browser.looks import Look
from tests.browser.visiting import visit
from tests.factories import PASSWORD

WIDE, NARROW = Look(1280, "light"), Look(320, "dark")


def test_logging_in_by_keyboard_leads_into_the_site(site: Site) -> None:
    with site.visitor(WIDE) as context:
        page = visit(context, "/login/").page
        page.keyboard.type(site.world.user.email)
        page.keyboard.press("Tab")
        page.keyboard.type(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url: "/login/" not in url)


def test_the_skip_link_is_first_and_leads_to_the_content(site: Site) -> None:
    with site.admin(WIDE) as context:
        page = visit(context, site.world.url("accounts:members")).page
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_be_focused()


def test_a_rejected_form_takes_the_focus_to_its_summary_even_without_javascript(site: Site) -> None:
    for enabled in (True, False):
        with site.admin(WIDE, java_script_enabled=enabled) as context:
            page = context.new_page()
            page.goto(site.world.url("accounts:key-new"))
            page.get_by_role("button", name="Create the key").click()
            summary = page.locator(".error-summary")
            expect(summary).to_be_focused()
            summary.get_by_role("link").first.click()
            expect(page.get_by_label("Name", exact=True)).to_be_focused()


def test_the_menu_opens_on_a_narrow_screen_without_javascript(site: Site) -> None:
    with site.admin(NARROW, java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(site.world.url("accounts:members"))
        link = page.get_by_role("navigation", name="Main").get_by_role("link", name="Audit trail")
        expect(link).to_be_hidden()
        page.get_by_role("button", name="Menu").click()
        link.click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Audit trail")


def test_the_menu_is_always_there_on_a_wide_screen(site: Site) -> None:
    with site.admin(WIDE) as context:
        page = visit(context, site.world.url("accounts:members")).page
        expect(page.get_by_role("button", name="Menu")).to_be_hidden()
        current = page.get_by_role("navigation", name="Main").locator("[aria-current=page]")
        expect(current).to_have_text("Members")


def test_pages_that_answer_a_post_are_accessible_too(site: Site, axe_source: str) -> None:
    with site.admin(NARROW) as context:
        seen = visit(context, site.world.url("accounts:key-new"))
        seen.page.get_by_role("button", name="Create the key").click()
        expect(seen.page.locator(".error-summary")).to_be_visible()
        assert seen.axe_violations(axe_source) + seen.overflows() == []
        seen.page.get_by_label("Name", exact=True).fill("Shop")
        seen.page.get_by_role("button", name="Create the key").click()
        expect(seen.page.locator("#secret")).to_be_visible()
        assert seen.axe_violations(axe_source) + seen.overflows() == []


def test_the_open_menu_is_accessible(site: Site, axe_source: str) -> None:
    with site.admin(NARROW) as context:
        seen = visit(context, site.world.url("accounts:members"))
        seen.page.get_by_role("button", name="Menu").click()
        expect(seen.page.get_by_role("link", name="Audit trail")).to_be_visible()
        assert seen.axe_violations(axe_source) + seen.overflows() == []
        seen.page.keyboard.press("Escape")
        expect(seen.page.get_by_role("link", name="Audit trail")).to_be_hidden()


def test_the_api_document_is_shown_within_the_content_policy(site: Site) -> None:
    with site.visitor(WIDE) as context:
        seen = visit(context, "/api/v1/docs")
        expect(seen.page.get_by_role("heading", name="Strata API")).to_be_visible()
        assert seen.all_faults() == []


def test_a_new_key_can_be_copied(site: Site) -> None:
    with site.admin(WIDE) as context:
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = visit(context, site.world.url("accounts:key-new")).page
        page.get_by_label("Name", exact=True).fill("Shop")
        page.get_by_role("button", name="Create the key").click()
        secret = page.locator("#secret").inner_text()
        page.get_by_role("button", name="Copy").click()
        expect(page.get_by_role("button", name="Copied")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()") == secret
