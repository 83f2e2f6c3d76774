"""WSGI entry point of the web processes."""

import os
from collections.abc import Callable, Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
pages = get_wsgi_application()

# Once the apps are loaded: evaluation is answered from memory, and from disk while the database is down.
from assignments.live import store  # noqa: E402
from config.hot_path import PREFIXES, HotPathHandler  # noqa: E402

hot_path = HotPathHandler()
store.watch()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Send evaluation and ingestion past the middleware of pages."""
    handler = hot_path if environ["PATH_INFO"].startswith(PREFIXES) else pages
    return handler(environ, start_response)
