"""Every page, wide and narrow, light and dark: usable by all, within its width, and within the content policy."""

import pytest

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
        faults += [f"{look.name}: {fault}" for fault in seen.axe_violations(axe_source) + seen.overflows()]
    return faults + seen.all_faults()


@pytest.mark.parametrize("name", PRIVATE)
def test_a_page_is_accessible_in_every_look(site: Site, axe_source: str, name: str) -> None:
    with site.admin(WIDE) as context:
        faults = faults_of(visit(context, PRIVATE[name](site.world)), axe_source)
        assert not faults, "\n".join(faults)


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


@pytest.mark.parametrize("name", PRIVATE)
def test_a_page_says_the_same_without_javascript(site: Site, name: str) -> None:
    texts = []
    for enabled in (True, False):
        with site.admin(WIDE, java_script_enabled=enabled) as context:
            page = context.new_page()
            response = page.goto(PRIVATE[name](site.world))
            assert response is not None
            assert response.ok
            texts.append(page.locator("main h1, main h2, main label, main th").all_text_contents())
    assert texts[0] == texts[1]
