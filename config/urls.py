"""The map of the site: pages under /p/<project>/, the REST API under /api/v1/, OFREP under /ofrep/v1/."""

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

import accounts.urls
import analysis.urls
import assignments.urls
import core.urls
import events.urls
import experiments.urls
import segments.urls

PROJECT = "p/<slug:project_slug>/"

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/v1/openapi.json", SpectacularAPIView.as_view(), name="openapi"),
    path("api/v1/docs", SpectacularSwaggerSplitView.as_view(url_name="openapi"), name="api-docs"),
    *core.urls.urlpatterns,
    *accounts.urls.urlpatterns,
    *assignments.urls.urlpatterns,
    *analysis.urls.urlpatterns,
    path(PROJECT, include((events.urls.page_urlpatterns, "events"))),
    path(f"{PROJECT}segments/", include((segments.urls.page_urlpatterns, "segments"))),
    path(PROJECT, include((experiments.urls.page_urlpatterns, "experiments"))),
    path(PROJECT, include((analysis.urls.page_urlpatterns, "analysis"))),
    path("api/v1/", include((accounts.urls.api_urlpatterns, "accounts-api"))),
    path("api/v1/", include((events.urls.api_urlpatterns, "events-api"))),
    path("api/v1/", include((segments.urls.api_urlpatterns, "segments-api"))),
    path("api/v1/", include((experiments.urls.api_urlpatterns, "experiments-api"))),
    path("api/v1/", include((assignments.urls.api_urlpatterns, "assignments-api"))),
    path("api/v1/", include((analysis.urls.api_urlpatterns, "analysis-api"))),
]

handler403 = "core.views.forbidden"
handler404 = "core.views.not_found"
handler500 = "core.views.server_error"
