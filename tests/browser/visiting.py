"""Opening a page with open eyes: console errors, CSP violations and failed requests are faults."""

from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import BrowserContext, Page, Request, Response

from tests.browser.looks import Look

_WATCH_CSP = """
window.cspViolations = [];
document.addEventListener("securitypolicyviolation", (e) =>
  window.cspViolations.push(`${e.effectiveDirective} ${e.blockedURI} ${e.sourceFile || ""}`));
"""
# All rules of axe: WCAG 2.2 A and AA, and its best practices.
_EVERYTHING: dict[str, Any] = {"resultTypes": ["violations"]}
_COLOURS = _EVERYTHING | {"runOnly": ["color-contrast", "link-in-text-block"]}


@dataclass
class Visit:
    """One open page and the faults seen on it so far."""

    page: Page
    response: Response
    faults: list[str] = field(default_factory=list)

    def put_on(self, look: Look) -> None:
        """Show the open page in another width and colour scheme."""
        self.page.set_viewport_size({"width": look.width, "height": look.height})
        self.page.emulate_media(color_scheme=look.scheme)

    def all_faults(self) -> list[str]:
        """Return what the console, the network and the content policy complained about."""
        violations = self.page.evaluate("window.cspViolations || []")
        return self.faults + [f"CSP: {v}" for v in violations]

    def overflows(self) -> list[str]:
        """Return the elements that stick out to the right, when the page scrolls sideways."""
        found: list[str] = self.page.evaluate(
            """() => {
              const root = document.documentElement;
              if (root.scrollWidth <= root.clientWidth) return [];
              return [...document.querySelectorAll("body *")]
                .filter((e) => e.getBoundingClientRect().right > root.clientWidth + 1)
                .map((e) => `${e.tagName.toLowerCase()}.${e.className}`)
                .concat("the page scrolls sideways");
            }"""
        )
        return found

    def axe_violations(self, axe_source: str, *, colours_only: bool = False) -> list[str]:
        """Return what axe finds, one line for each rule and element."""
        self.page.evaluate(f"window.axe || (() => {{ {axe_source} }})()")
        options = _COLOURS if colours_only else _EVERYTHING
        result: dict[str, Any] = self.page.evaluate("options => axe.run(document, options)", options)
        return [
            f"{v['id']}: {v['help']}: {node['html'][:160]} ({node.get('failureSummary', '')[:200]})"
            for v in result["violations"]
            for node in v["nodes"]
        ]


def _failure(request: Request) -> list[str]:
    # A picture whose other source is wanted meanwhile is aborted by the browser itself.
    return (
        [] if request.failure == "net::ERR_ABORTED" else [f"request failed: {request.url} {request.failure}"]
    )


def visit(context: BrowserContext, url: str, *, status: int = 200) -> Visit:
    """Open a page and fail when the status is another or anything complains."""
    page = context.new_page()
    page.add_init_script(_WATCH_CSP)
    faults: list[str] = []
    page.on(
        "console", lambda m: faults.append(f"console: {m.text}") if m.type in {"error", "warning"} else None
    )
    page.on("pageerror", lambda e: faults.append(f"script: {e}"))
    page.on("requestfailed", lambda r: faults.extend(_failure(r)))
    page.on("dialog", lambda d: (faults.append(f"dialog: {d.message}"), d.dismiss()))
    response = page.goto(url, wait_until="load")
    assert response is not None
    assert response.status == status, f"{url} answered {response.status}"
    if status >= 400:  # the console repeats the status of the page itself
        faults[:] = [fault for fault in faults if f"status of {status}" not in fault]
    if page.locator("[hx-trigger*=load], [hx-trigger*=every]").count():
        page.wait_for_load_state("networkidle")  # panels that the page fetches itself
    seen = Visit(page, response, faults)
    assert seen.all_faults() == []
    return seen
