"""One world, one server and one Chromium for a module; skipped, and saying so, where a tool is missing.

Playwright's event loop runs in the thread of the tests, and Django gives a thread with a running loop other
database connections. So the ORM is used before Chromium starts and after it has ended, never while it runs.
"""

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from playwright.sync_api import Browser, BrowserContext, sync_playwright
from pytest_django import DjangoDbBlocker
from pytest_django.live_server_helper import LiveServer

from tests.browser.chromium import find
from tests.browser.looks import Look
from tests.browser.world import World, build_world

HERE = Path(__file__).parent
AXE = HERE / "node_modules" / "axe-core" / "axe.min.js"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)
            # pytest-django makes the test database only when an item says that it needs one.
            item.add_marker(pytest.mark.django_db(transaction=True))


@pytest.fixture
def _django_db_helper() -> None:
    """Replace pytest-django's clean-up after each test: the world lasts for a module."""


@pytest.fixture(scope="session")
def axe_source() -> str:
    """The accessibility engine, fetched once by npm."""
    if not AXE.exists():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("no npm: axe-core cannot be fetched")
        done = subprocess.run([npm, "ci"], cwd=HERE, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"axe-core cannot be fetched: {done.stderr[-300:]}")
    return AXE.read_text(encoding="utf-8")


@dataclass(frozen=True)
class Site:
    """A running server and what is in it."""

    url: str
    world: World
    browser: Browser

    def visitor(self, look: Look, **options: Any) -> BrowserContext:
        """Open a browser profile without a session."""
        return look.context(self.browser, base_url=self.url, **options)

    def admin(self, look: Look, **options: Any) -> BrowserContext:
        """Open a browser profile in which the world's user is logged in."""
        context = self.visitor(look, **options)
        context.add_cookies([{"name": "sessionid", "value": self.world.session, "url": self.url}])
        return context


@pytest.fixture(scope="module")
def served(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[tuple[World, str]]:
    """The world and the address of the server that shows it; gone when the module is done."""
    if find() is None:
        pytest.skip("no Chromium: apt-get install chromium, or set STRATA_CHROMIUM")
    with django_db_blocker.unblock():
        world = build_world()
        server = LiveServer("127.0.0.1")
        try:
            yield world, server.url
        finally:
            server.stop()
            call_command("flush", interactive=False, verbosity=0)


@pytest.fixture(scope="module")
def browser(served: tuple[World, str]) -> Iterator[Browser]:
    """A headless Chromium, started after and ended before everything that asks the database."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find(), args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def site(served: tuple[World, str], browser: Browser) -> Site:
    """The served world, looked at through the browser."""
    world, url = served
    return Site(url, world, browser)
