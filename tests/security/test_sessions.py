"""Cross-site requests, open redirects, sessions, and fields that nobody may set."""

from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from django.db.models import Model
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from accounts.models import Project, Role, User
from events.models import Attribute
from experiments.models import Experiment, Flag, Layer, Metric
from segments.models import Segment
from tests.factories import PASSWORD, MembershipFactory, UserFactory, make_key
from tests.security.routes import ENDPOINTS, HOT_PATHS, PAGES
from tests.security.tenants import Tenant

POSTED = [name for name, page in PAGES.items() if page.post is not None]
PERSONAL_POSTS = (
    "project-new",
    "accounts:account",
    "accounts:change-password",
    "accounts:login",
    "accounts:logout",
)


def exempt_routes(patterns: Iterable[URLPattern | URLResolver], namespace: str = "") -> Iterator[str]:
    """Yield the routes whose view takes a POST without a CSRF token."""
    for entry in patterns:
        if isinstance(entry, URLResolver):
            yield from exempt_routes(
                entry.url_patterns, f"{entry.namespace}:" if entry.namespace else namespace
            )
        elif getattr(entry.callback, "csrf_exempt", False):
            yield f"{namespace}{entry.name}"


def test_only_what_reads_no_session_is_exempt_from_csrf() -> None:
    api = set(ENDPOINTS) | set(HOT_PATHS) | {"openapi", "api-docs"}
    assert set(exempt_routes(get_resolver().url_patterns)) - api == {"unsubscribe"}


@pytest.mark.parametrize("name", [*POSTED, *PERSONAL_POSTS])
def test_a_post_from_another_site_is_refused(own: Tenant, name: str) -> None:
    client = Client(enforce_csrf_checks=True)
    member = own.members[Role.PRIVACY_OFFICER if name == "events:attribute-delete" else Role.ADMIN]
    if name != "accounts:login":
        client.force_login(member)
    page = PAGES.get(name)
    address = reverse(name, args=[own.slug, *page.names(own)] if page else [])
    answer = client.post(address, page.data(own) if page else {}, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert "csrf" in answer.content.decode().lower() or "expired" in answer.content.decode().lower()


def test_a_page_hands_out_the_token_that_its_form_needs(own: Tenant) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(own.members[Role.ADMIN])
    address = reverse("experiments:describe", args=[own.slug, own.draft.key])
    token = client.get(address).context["csrf_token"]
    data = {"name": "Renamed", "hypothesis": "", "note": ""}
    assert client.post(address, data).status_code == 403
    assert client.post(address, {**data, "csrfmiddlewaretoken": str(token)}).status_code == 302


ELSEWHERE = [
    "https://evil.example/", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example",
    "http:evil.example", "https:/evil.example", " //evil.example", "\t//evil.example", "/\t/evil.example",
    "javascript:alert(1)", "data:text/html,x", "https://testserver@evil.example", "https://testserver.evil.example",
    "//evil.example\\@testserver/", "/\r\nLocation: https://evil.example", "http://[::1", "\x00//evil.example",
]  # fmt: skip


@pytest.mark.parametrize("place", ELSEWHERE, ids=ascii)
def test_no_login_or_logout_leads_to_another_site(own: Tenant, place: str) -> None:
    client, user = Client(), own.members[Role.ADMIN]
    login = {"username": user.email, "password": PASSWORD, "next": place}
    answers = [
        client.post("/login/", login),
        client.get("/login/", {"next": place}),  # logged in already: led on at once
        client.post("/logout/", {"next": place}),
        client.post(f"/login/?next={place}", {**login, "next": place}),
    ]
    for answer in answers:
        assert answer.status_code == 302
        target = answer.headers["Location"]
        assert target.startswith("/")
        assert not target.startswith(("//", "/\\"))
        assert target.isascii()
        assert not {"\r", "\n", "\t"} & set(target)


def test_a_login_leads_on_to_the_page_that_was_asked_for(own: Tenant) -> None:
    login = {"username": own.members[Role.VIEWER].email, "password": PASSWORD, "next": "/p/own/segments/"}
    assert Client().post("/login/", login).headers["Location"] == "/p/own/segments/"


def test_a_login_starts_a_new_session_and_a_logout_ends_it(own: Tenant) -> None:
    client, user = Client(), own.members[Role.ADMIN]
    session = client.session
    session["planted"] = "by an attacker"
    session.save()
    client.cookies["sessionid"] = session.session_key
    client.get("/login/")
    csrf = client.cookies["csrftoken"].value
    client.post("/login/", {"username": user.email, "password": PASSWORD})
    cookie = client.cookies["sessionid"]
    assert cookie.value != session.session_key
    assert client.cookies["csrftoken"].value != csrf
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
    client.post("/logout/")
    thief = Client()
    thief.cookies["sessionid"] = cookie.value
    assert thief.get("/projects/").status_code == 302


def test_a_new_password_ends_every_other_session(own: Tenant) -> None:
    user = UserFactory()
    here, elsewhere = Client(), Client()
    for client in (here, elsewhere):
        client.force_login(user)
    new = "another long passphrase"
    data = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert here.post("/account/password/", data).status_code == 302
    assert here.get("/projects/").status_code == 200
    assert elsewhere.get("/projects/").status_code == 302


def test_the_back_office_has_no_login_of_its_own(own: Tenant) -> None:
    answer = Client().post(
        "/admin/login/?next=/admin/", {"username": "boss@example.com", "password": PASSWORD}
    )
    assert answer.headers["Location"] == "/login/?next=/admin/"
    client = Client()
    client.force_login(own.members[Role.ADMIN])
    assert client.get("/admin/", follow=True).status_code == 403


@pytest.mark.parametrize("name", ["accounts:login", "projects", "accounts:account"])
def test_pages_carry_the_headers_that_browsers_obey(own: Tenant, name: str) -> None:
    client = Client()
    if name != "accounts:login":
        client.force_login(own.members[Role.ADMIN])
    headers = client.get(reverse(name)).headers
    policy = headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert {"script-src 'self'", "object-src 'none'", "base-uri 'none'"} <= {
        p.strip() for p in policy.split(";")
    }
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"


# What a body may not set: identity, owner, state and whatever decides the draw.
SMUGGLED: dict[str, Any] = {
    "id": 1, "pk": 1, "public_id": "exp_aaaaaaaaaaaaaaaa", "project": 1, "project_id": 1, "environment": 1,
    "environment_id": 1, "organisation": 1, "organisation_id": 1, "status": "completed", "state": "done",
    "salt": "chosen", "hash_version": 9, "revision": 99, "origin": "imported", "owner": 1, "owner_id": 1,
    "created_by": 1, "created_at": "2001-01-01T00:00:00Z", "started_at": "2001-01-01T00:00:00Z", "frozen": True,
    "decision": "ship", "secret_hash": "0" * 64, "is_superuser": True, "is_staff": True, "allocation": [[10000, 1]],
}  # fmt: skip
PROTECTED = (
    "pk", "public_id", "project_id", "environment_id", "status", "salt", "hash_version", "revision", "origin",
    "owner_id", "created_at", "started_at", "frozen", "decision",
)  # fmt: skip
CREATED: dict[str, type[Model]] = {
    "experiments-api:experiments": Experiment,
    "experiments-api:flags": Flag,
    "experiments-api:metrics": Metric,
    "experiments-api:layers": Layer,
    "segments-api:segments": Segment,
    "events-api:attributes": Attribute,
}
CHANGED = {
    "experiments-api:experiment": "draft",
    "experiments-api:flag": "flag",
    "experiments-api:metric": "metric",
    "segments-api:segment": "segment",
    "events-api:attribute": "attribute",
}


def protected(row: Model) -> dict[str, Any]:
    return {name: getattr(row, name) for name in PROTECTED if hasattr(row, name)}


def send(own: Tenant, method: str, name: str, body: dict[str, Any]) -> int:
    headers = {"Authorization": f"Bearer {make_key(own.environment)}"}
    address = reverse(name, args=ENDPOINTS[name].names(own))
    return getattr(Client(), method)(
        address, body, content_type="application/json", headers=headers
    ).status_code


@pytest.mark.parametrize("name", CREATED)
def test_a_new_object_ignores_what_its_maker_may_not_set(own: Tenant, name: str) -> None:
    body = ENDPOINTS[name].bodies["POST"](own)
    status = send(own, "post", name, {**SMUGGLED, **body})
    if status == 422:  # refused altogether, as well
        return
    assert status == 201
    row = CREATED[name].objects.latest("id")
    values = protected(row)
    assert values["pk"] != 1
    assert values["public_id"] != SMUGGLED["public_id"]
    assert values.get("project_id", own.project.pk) == own.project.pk
    assert values.get("environment_id", own.environment.pk) == own.environment.pk
    for field in ("status", "salt", "hash_version", "revision", "origin", "decision"):
        assert field not in values or values[field] != SMUGGLED[field], field
    assert values["created_at"].year > 2001
    assert values.get("started_at") is None


@pytest.mark.parametrize("name", CHANGED)
def test_a_change_leaves_alone_what_its_maker_may_not_set(own: Tenant, name: str) -> None:
    row: Model = getattr(own, CHANGED[name])
    row.refresh_from_db()
    before = protected(row)
    status = send(own, "patch", name, {**SMUGGLED, **ENDPOINTS[name].bodies["PATCH"](own)})
    assert status in {200, 422}
    row.refresh_from_db()
    # A change may count the revision up; it never takes one from the body.
    revision = before.pop("revision", None)
    after = protected(row)
    assert after.pop("revision", None) in {None, revision, (revision or 0) + 1}
    assert after == before


def test_forms_ignore_what_they_do_not_show(own: Tenant, foreign: Tenant) -> None:
    member = MembershipFactory(project=own.project, role=Role.ADMIN)
    client = Client()
    client.force_login(member.user)
    user = {**SMUGGLED, "first_name": "Ada", "last_name": "L", "email": "boss@example.com", "password": "x"}
    assert client.post("/account/", user).status_code == 302
    stored = User.objects.get(pk=member.user.pk)
    assert (stored.first_name, stored.email, stored.is_superuser) == ("Ada", member.user.email, False)
    assert stored.check_password(PASSWORD)
    settings = {
        "name": "Renamed",
        "description": "",
        "timezone": "UTC",
        "currency": "EUR",
        "slug": "taken-over",
    }
    settings |= {"organisation": foreign.project.organisation.pk, "id": foreign.project.pk}
    assert client.post(reverse("accounts:settings", args=[own.slug]), settings).status_code == 302
    project = Project.objects.get(pk=own.project.pk)
    assert (project.name, project.slug) == ("Renamed", own.slug)
    assert project.organisation == own.project.organisation


def test_a_form_cannot_name_an_object_of_another_project(own: Tenant, foreign: Tenant) -> None:
    client = Client()
    client.force_login(own.members[Role.ADMIN])

    def post(name: str, data: dict[str, Any], *args: object) -> int:
        return client.post(reverse(name, args=[own.slug, *args]), data).status_code

    key = {"name": "x", "kind": "api", "role": "admin", "environment": foreign.environment.pk}
    assert post("accounts:key-new", key) == 422
    one = {"TOTAL_FORMS": 1, "INITIAL_FORMS": 0}
    target = {f"targets-{field}": value for field, value in one.items()}
    target |= {"targets-0-segment": foreign.segment.key, "targets-0-share_bp": 100}
    assert post("experiments:setup-targets", target, own.draft.key) == 422
    metric = {f"metrics-{field}": value for field, value in one.items()}
    metric |= {"metrics-0-metric": foreign.metric.key, "metrics-0-role": "primary"}
    assert post("experiments:setup-metrics", metric, own.draft.key) == 422
    assert post("experiments:setup-breakdowns", {"segments": [foreign.segment.key]}, own.draft.key) == 422
    assert (
        post("analysis:recipient-remove", {"recipient": foreign.recipient.public_id}, own.measured.key) == 404
    )
    assert post("events:replay", {"environment": "not-ours"}) == 404
    new = {
        "name": "x", "hypothesis": "x", "environment": "production", "unit_type": "user", "flag": foreign.flag.key,
        "control_key": "a", "control_value": "false", "treatment_key": "b", "treatment_value": "true",
    }  # fmt: skip
    assert post("experiments:new", new) == 422
    assert post("experiments:new", {**new, "flag": own.flag.key, "segments": [foreign.segment.key]}) == 422
    assert Experiment.objects.filter(project=own.project, name="x").count() == 0


def test_a_key_cannot_be_made_stronger_than_its_maker(own: Tenant) -> None:
    client = Client()
    client.force_login(own.members[Role.ADMIN])
    data = {"name": "x", "kind": "api", "role": Role.PRIVACY_OFFICER, "environment": own.environment.pk}
    assert client.post(reverse("accounts:key-new", args=[own.slug]), data).status_code == 422
