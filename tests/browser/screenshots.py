"""Photograph every kind of page of a running site, wide and narrow, light and dark.

python -m tests.browser.screenshots FOLDER --url http://127.0.0.1:8000 --email you@example.com --password …

Follows the links of the site from its front door and shoots each kind of page (each URL pattern) once.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.browser.chromium import executable
from tests.browser.looks import LOOKS, Look

MAX_PAGES = 120
# Ends a session, or leads out of the pages.
IGNORED = re.compile(r"/(logout|admin|api|static|ofrep)(/|$)|\.(csv|json|png|svg|eml|ics)$")


def main() -> int:
    """Shoot and report; 1 when a page did not answer with 200."""
    arguments = _parse()
    folder: Path = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=["--no-sandbox"])
        state = _log_in(browser, arguments)
        paths = list(_find_pages(browser, arguments.url, state, arguments.start))
        failed = [path for path, status in paths if status != 200]
        for look in LOOKS:
            context = look.context(browser, storage_state=state, base_url=arguments.url)
            for path, _ in paths:
                _shoot(context, path, folder, look)
            context.close()
        browser.close()
    sys.stdout.write(f"{len(paths)} pages × {len(LOOKS)} looks in {folder}\n")
    for path in failed:
        sys.stderr.write(f"not 200: {path}\n")
    return 1 if failed else 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--email", required=True)
    parser.add_argument("--password", required=True)
    parser.add_argument("--start", action="append", default=["/", "/projects/"], help="a path to begin at")
    return parser.parse_args()


def _log_in(browser: Browser, arguments: argparse.Namespace) -> dict:
    context = browser.new_context(base_url=arguments.url)
    page = context.new_page()
    page.goto("/login/")
    page.get_by_label("E-mail address").fill(arguments.email)
    page.get_by_label("Password").fill(arguments.password)
    page.get_by_role("button", name="Log in").click()
    if "/login/" in page.url:
        raise SystemExit("The login was refused: check --email and --password.")
    state = context.storage_state()
    context.close()
    return state


def _find_pages(browser: Browser, url: str, state: dict, start: list[str]) -> Iterator[tuple[str, int]]:
    context = browser.new_context(base_url=url, storage_state=state)
    page = context.new_page()
    waiting, kinds, found = list(start), set(), 0
    while waiting and found < MAX_PAGES:
        path = waiting.pop(0)
        if _kind(path) in kinds or IGNORED.search(path):
            continue
        kinds.add(_kind(path))
        response = page.goto(path)
        kinds.add(_kind(urlsplit(page.url).path))
        found += 1
        yield path, response.status if response else 0
        waiting += _links(page, url)
    context.close()


def _links(page: Page, url: str) -> list[str]:
    hrefs = page.eval_on_selector_all("a[href]", "links => links.map(a => a.getAttribute('href'))")
    whole = [urlsplit(urljoin(page.url, href)) for href in hrefs]
    return [link.path for link in whole if link.netloc == urlsplit(url).netloc]


def _kind(path: str) -> str:
    """Return the URL pattern of a path: pages of one kind are shot once."""
    from django.urls import Resolver404, resolve

    try:
        return resolve(path).route
    except Resolver404:
        return path


def _shoot(context: BrowserContext, path: str, folder: Path, look: Look) -> None:
    page = context.new_page()
    page.goto(path, wait_until="networkidle")
    name = re.sub(r"[^A-Za-z0-9-]+", "_", path).strip("_") or "front"
    # A window as tall as the page: Chromium does not paint a sandboxed frame that lies outside of its window.
    page.set_viewport_size(
        {"width": look.width, "height": page.evaluate("document.documentElement.scrollHeight")}
    )
    page.wait_for_load_state("networkidle")
    page.screenshot(path=folder / f"{name}.{look.name}.png", full_page=True)
    page.close()


if __name__ == "__main__":
    import os

    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    # Only the URL patterns are read; no database is asked.
    os.environ.setdefault("DATABASE_URL", "postgresql:///unset")
    django.setup()
    sys.exit(main())
