"""The fields a browser would send back from a page."""

from html.parser import HTMLParser
from typing import Any


class _Fields(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self.open = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        name = given.get("name", "")
        if tag == "input" and name and (given.get("type") != "checkbox" or "checked" in given):
            self.found[name] = given.get("value", "on" if given.get("type") == "checkbox" else "")
        elif tag in ("textarea", "select"):
            self.open = name
            self.found[name] = ""
        elif tag == "option" and ("selected" in given or not self.found[self.open]):
            self.found[self.open] = given.get("value", "")

    def handle_data(self, data: str) -> None:
        if self.lasttag == "textarea" and self.open:
            self.found[self.open] += data

    def handle_endtag(self, tag: str) -> None:
        if tag in ("textarea", "select"):
            self.open = ""


def fields_of(response: Any) -> dict[str, str]:
    """Return the fields of a page's forms with their values."""
    parser = _Fields()
    parser.feed(response.content.decode())
    return parser.found
