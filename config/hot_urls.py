"""The URL table of the hot path: the same addresses and views as in config.urls, the busiest first."""

from django.urls import path

from assignments.exposure_views import post_exposures
from assignments.views import evaluate_flag, evaluate_flags
from events import endpoints

urlpatterns = [
    path("ofrep/v1/evaluate/flags", evaluate_flags),
    path("ofrep/v1/evaluate/flags/<path:key>", evaluate_flag),
    path("api/v1/events", endpoints.post_events),
    path("api/v1/exposures", post_exposures),
    path("api/v1/profiles", endpoints.post_profiles),
    path("api/v1/profiles/<path:unit_id>", endpoints.profile),
]
