"""Where tests find files outside their own folder."""

import os
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
# Vectors, reference results and protocol documents that the project shares with others; a test that needs one
# skips, and says so, when the folder is absent.
SHARED = Path(os.environ.get("STRATA_SHARED") or REPO.parent / "shared")
