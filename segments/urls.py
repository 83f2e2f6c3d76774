"""Addresses of the segments app: pages under /p/<project>/segments/, the API under /api/v1/segments."""

from django.urls import path

from segments import api
from segments.views import browsing, building, checking

app_name = "segments"

page_urlpatterns = [
    path("", browsing.segment_list, name="list"),
    path("new/", building.segment_new, name="new"),
    path("<slug:segment_key>/", browsing.segment_detail, name="detail"),
    path("<slug:segment_key>/edit/", building.segment_edit, name="edit"),
    path("<slug:segment_key>/details/", browsing.segment_details, name="details"),
    path("<slug:segment_key>/test/", checking.segment_test, name="test"),
    path("<slug:segment_key>/refresh/", browsing.segment_refresh, name="refresh"),
    path("<slug:segment_key>/retire/", browsing.segment_retire, name="retire"),
]
api_urlpatterns = [
    path("segments", api.SegmentList.as_view(), name="segments"),
    path("segments/preview", api.SegmentPreview.as_view(), name="segment-preview"),
    path("segments/<slug:segment_id>", api.SegmentDetail.as_view(), name="segment"),
    path("segments/<slug:segment_id>/versions", api.VersionList.as_view(), name="segment-versions"),
    path("segments/<slug:segment_id>/refresh", api.SegmentRefreshNow.as_view(), name="segment-refresh"),
    path("segments/<slug:segment_id>/retire", api.SegmentRetire.as_view(), name="segment-retire"),
]
