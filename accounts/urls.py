"""Addresses of the accounts app; its project pages live under /p/<project>/ like everyone's."""

from django.contrib.auth.views import LogoutView
from django.urls import URLPattern, URLResolver, include, path

from accounts import api
from accounts.views import keys, members, projects, sessions, trail

_project_pages = [
    path("keys/", keys.keys, name="keys"),
    path("keys/new/", keys.create, name="key-new"),
    path("keys/<slug:public_id>/revoke/", keys.revoke, name="key-revoke"),
    path("members/", members.members, name="members"),
    path("members/add/", members.add, name="member-add"),
    path("members/<int:pk>/", members.member, name="member"),
    path("members/<int:pk>/remove/", members.remove, name="member-remove"),
    path("audit/", trail.audit, name="audit"),
    path("settings/", projects.settings, name="settings"),
]
_pages: list[URLPattern | URLResolver] = [
    path("login/", sessions.Login.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("account/", sessions.account, name="account"),
    path("account/password/", sessions.ChangePassword.as_view(), name="change-password"),
    path("account/set-password/<uidb64>/<token>/", sessions.SetPassword.as_view(), name="set-password"),
    path("p/<slug:project_slug>/", include(_project_pages)),
]
# These names stand outside a namespace: they belong to no project.
urlpatterns = [
    path("", projects.home, name="home"),
    path("projects/", projects.projects, name="projects"),
    path("", include((_pages, "accounts"))),
    path("projects/new/", projects.create, name="project-new"),
]
api_urlpatterns = [path("keys", api.KeyList.as_view(), name="keys")]
