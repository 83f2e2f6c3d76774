"""A state folder of its own for an installation with its own embedded servers."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from config.embedded.account import server_home
from tests.servers import FOLDER


@contextmanager
def own_home() -> Iterator[Path]:
    """Yield a new STRATA_HOME that any account may enter; all of it is gone afterwards."""
    FOLDER.mkdir(exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="journey-", dir=FOLDER))
    home.chmod(0o755)
    place = server_home(home)
    try:
        yield home
    finally:
        for folder in {home, place}:
            shutil.rmtree(folder, ignore_errors=True)
