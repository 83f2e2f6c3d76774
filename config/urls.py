"""The map of the site: pages under /p/<project>/, the REST API under /api/v1/, OFREP under /ofrep/v1/."""

# while apps are being built in parallel, an app whose urls.py is not there yet is left out (lead removes this)
import importlib

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

PAGES = {
    "segments": "segments/",
    "experiments": "",
    "events": "",
    "analysis": "",
    "accounts": "",
}
urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/v1/openapi.json", SpectacularAPIView.as_view(), name="openapi"),
    path("api/v1/docs", SpectacularSwaggerView.as_view(url_name="openapi"), name="api-docs"),
]
for app in ("core", "accounts", "events", "segments", "experiments", "assignments", "analysis"):
    try:
        urls = importlib.import_module(f"{app}.urls")
    except ModuleNotFoundError as error:
        if error.name != f"{app}.urls":
            raise
        continue
    if hasattr(urls, "urlpatterns"):
        urlpatterns += urls.urlpatterns
    if hasattr(urls, "page_urlpatterns"):
        urlpatterns.append(path(f"p/<slug:project_slug>/{PAGES[app]}", include((urls.page_urlpatterns, app))))
    if hasattr(urls, "api_urlpatterns"):
        urlpatterns.append(path("api/v1/", include((urls.api_urlpatterns, f"{app}-api"))))

handler403 = "core.views.forbidden"
handler404 = "core.views.not_found"
handler500 = "core.views.server_error"
