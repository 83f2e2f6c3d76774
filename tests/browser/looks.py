"""The looks in which every page is tried: wide and narrow, light and dark."""

from dataclasses import dataclass
from typing import Any, Literal

from playwright.sync_api import Browser, BrowserContext


@dataclass(frozen=True)
class Look:
    """One way to look at a page."""

    width: int
    scheme: Literal["light", "dark"]

    @property
    def name(self) -> str:
        return f"{self.width}-{self.scheme}"

    @property
    def height(self) -> int:
        return 900 if self.width > 600 else 700

    def context(self, browser: Browser, **options: Any) -> BrowserContext:
        """Open a fresh browser profile with this look."""
        return browser.new_context(
            viewport={"width": self.width, "height": self.height},
            color_scheme=self.scheme,
            reduced_motion="reduce",
            **options,
        )


LOOKS = tuple(Look(width, scheme) for width in (1280, 320) for scheme in ("light", "dark"))
