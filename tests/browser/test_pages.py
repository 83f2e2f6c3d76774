"""Every page, wide and narrow, light and dark: usable by all, within its width, and within the content policy."""

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Site
from tests.browser.looks import LOOKS
from tests.browser.pages import ERRORS, PRIVATE, PUBLIC
from tests.browser.visiting import Visit, visit

WIDE = LOOKS[0]


def faults_of(seen: Visit, axe_source: str) -> list[str]:
    """Return everything that is wrong with an open page, in any look."""
    faults = [] if seen.page.locator("h1").count() == 1 else ["the page has not exactly one h1"]
    for look in LOOKS:
        seen.put_on(look)
        # The scheme changes colours and nothing else.
        found = seen.axe_violations(axe_source, colours_only=look.scheme == "dark") + seen.overflows()
        faults += [f"{look.name}: {fault}" for fault in found]
    return faults + seen.all_faults()


# A panel that the page fetches itself; without JavaScript its place holds a link to it.
PANEL = "main [hx-get][hx-trigger^=load]"


def outline(page: Page) -> list[str]:
    """Return the headings, labels and table heads of a page, without those of fetched panels."""
    return page.locator(f"main :is(h1, h2, label, th):not({PANEL} *)").all_text_contents()


@pytest.mark.parametrize("name", PRIVATE)
def test_a_page_is_accessible_in_every_look_and_says_the_same_without_javascript(
    site: Site, axe_source: str, name: str
) -> None:
    path = PRIVATE[name](site.world)
    with site.admin(WIDE) as context:
        seen = visit(context, path)
        text = outline(seen.page)
        faults = faults_of(seen, axe_source)
        assert not faults, "\n".join(faults)
    with site.admin(WIDE, java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(path)
        assert outline(page) == text
        assert page.locator(f"{PANEL}:not(:has(a[href]))").count() == 0, "a panel has no link in its place"


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_page_is_accessible_in_every_look(site: Site, axe_source: str, name: str) -> None:
    with site.visitor(WIDE) as context:
        faults = faults_of(visit(context, PUBLIC[name](site.world)), axe_source)
        assert not faults, "\n".join(faults)


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_page_is_accessible_in_every_look(site: Site, axe_source: str, name: str) -> None:
    with site.admin(WIDE) as context:
        faults = faults_of(visit(context, ERRORS[name](site.world), status=404), axe_source)
        assert not faults, "\n".join(faults)
