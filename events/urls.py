"""Addresses of the events app."""

from django.urls import path

from events import api, endpoints, views

page_urlpatterns = [
    path("events/", views.overview, name="overview"),
    path("events/replay/", views.replay, name="replay"),
    path("attributes/", views.attributes, name="attributes"),
    path("attributes/new/", views.attribute_new, name="attribute-new"),
    path("attributes/<slug:subject>/<slug:key>/", views.attribute_edit, name="attribute-edit"),
    path("attributes/<slug:subject>/<slug:key>/delete/", views.attribute_delete, name="attribute-delete"),
]
api_urlpatterns = [
    path("events", endpoints.post_events, name="events"),
    path("profiles", endpoints.post_profiles, name="profiles"),
    path("profiles/<path:unit_id>", endpoints.profile, name="profile"),
    path("attributes", api.AttributeList.as_view(), name="attributes"),
    path("attributes/<slug:public_id>", api.AttributeDetail.as_view(), name="attribute"),
]
