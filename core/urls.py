"""Probes for load balancers and service managers."""

from django.urls import path

from core import views

urlpatterns = [
    path("livez", views.live, name="live"),
    path("readyz", views.ready, name="ready"),
]
