"""Template context that every page gets."""

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from accounts.navigation import build_navigation


def navigation(request: HttpRequest) -> dict[str, Any]:
    """Offer `navigation`; nothing is read until a template prints it."""
    return {"navigation": SimpleLazyObject(lambda: build_navigation(request))}
