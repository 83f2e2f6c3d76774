"""Addresses that apps ask: OFREP evaluation, and where they report exposures."""

from django.urls import path

from assignments.exposure_views import post_exposures
from assignments.views import evaluate_flag, evaluate_flags

urlpatterns = [
    path("ofrep/v1/evaluate/flags", evaluate_flags, name="ofrep-bulk"),
    # A key that holds a slash is answered as OFREP says, too: there is no such flag.
    path("ofrep/v1/evaluate/flags/<path:key>", evaluate_flag, name="ofrep-flag"),
]
api_urlpatterns = [path("exposures", post_exposures, name="exposures")]
