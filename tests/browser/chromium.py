"""Which Chromium the browser tests drive: the system's, since Playwright's own download may be out of reach."""

import os
import shutil
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find() -> str | None:
    """Return the path of a Chromium, or None."""
    named = os.environ.get("STRATA_CHROMIUM", "")
    if named and Path(named).exists():
        return named
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def executable() -> str:
    """Return the path of a Chromium, or end with what to do."""
    path = find()
    if path is None:
        raise SystemExit("No Chromium here. Install one (apt-get install chromium) or set STRATA_CHROMIUM.")
    return path
