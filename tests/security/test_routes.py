"""Every route of the URL table × role × {own, sibling project, other organisation, anonymous}."""

from collections.abc import Iterable, Iterator

import pytest
from django.core import signing
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from accounts.access import allows
from accounts.models import Role, User
from tests.factories import MembershipFactory, UserFactory
from tests.security.routes import BACK_OFFICE, PAGES, PERSONAL, PUBLIC, REGISTERED, Need, nothing
from tests.security.tenants import Tenant, World

PAGE_METHODS = [
    pytest.param(name, method, id=f"{name}-{method}")
    for name, page in PAGES.items()
    for method in ("GET", "POST")
    if (page.get if method == "GET" else page.post) is not None
]
READ = [name for name, page in PAGES.items() if page.get is not None]
NAMING = [param for param in PAGE_METHODS if PAGES[param.values[0]].names is not nothing]


def route_names(patterns: Iterable[URLPattern | URLResolver], namespace: str = "") -> Iterator[str]:
    """Yield every route as `namespace:name`; one without a name as its pattern, which no registry holds."""
    for entry in patterns:
        if isinstance(entry, URLResolver):
            inner = f"{namespace}{entry.namespace}:" if entry.namespace else namespace
            yield from route_names(entry.url_patterns, inner)
        else:
            yield f"{namespace}{entry.name}" if entry.name else f"{namespace}{entry.pattern} (unnamed)"


def own_routes() -> set[str]:
    return {name for name in route_names(get_resolver().url_patterns) if not name.startswith(BACK_OFFICE)}


def visit(user: User | None, method: str, name: str, project: str, named: Tenant) -> HttpResponse:
    """Ask for a page at a project's slug whose address and body name the objects of a tenant."""
    page, client = PAGES[name], Client()
    if user:
        client.force_login(user)
    address = reverse(name, args=[project, *page.names(named)])
    return client.get(address) if method == "GET" else client.post(address, page.data(named))


def need_of(name: str, method: str) -> Need:
    need = PAGES[name].get if method == "GET" else PAGES[name].post
    assert need is not None
    return need


def covers(role: Role, need: Need) -> bool:
    return any(allows(role, action) for action in need)


def member_who_may(tenant: Tenant, need: Need) -> User:
    return next(tenant.members[role] for role in (Role.ADMIN, *Role) if covers(role, need))


def test_every_route_is_registered() -> None:
    unlisted = own_routes() - REGISTERED
    assert not unlisted, f"say in tests/security/routes.py who may use: {', '.join(sorted(unlisted))}"


def test_every_registered_route_exists() -> None:
    assert not REGISTERED - own_routes()


@pytest.mark.parametrize(("name", "method"), PAGE_METHODS)
def test_an_anonymous_visitor_is_sent_to_the_login(own: Tenant, name: str, method: str) -> None:
    answer = visit(None, method, name, own.slug, own)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/login/?next=/p/own/")


@pytest.mark.parametrize(("name", "method"), PAGE_METHODS)
@pytest.mark.parametrize("where", ["sibling", "foreign"])
def test_an_admin_of_another_project_finds_nothing(world: World, name: str, method: str, where: str) -> None:
    own, stranger = world.own, world.other(where)
    assert visit(stranger.members[Role.ADMIN], method, name, own.slug, own).status_code == 404


@pytest.mark.parametrize(("name", "method"), PAGE_METHODS)
@pytest.mark.parametrize("role", Role)
def test_a_role_reaches_what_it_covers_and_nothing_else(
    own: Tenant, name: str, method: str, role: Role
) -> None:
    answer = visit(own.members[role], method, name, own.slug, own)
    if covers(role, need_of(name, method)):
        assert answer.status_code not in {403, 404, 405}
        assert answer.status_code < 500
        # An empty form comes back with its errors; every other refusal would hide that the gate was open.
        assert answer.status_code in {200, 202, 302, 409, 422}
    else:
        assert answer.status_code == 403


@pytest.mark.parametrize(("name", "method"), NAMING)
@pytest.mark.parametrize("where", ["sibling", "foreign"])
def test_an_object_of_another_project_is_not_found_in_ones_own(
    world: World, name: str, method: str, where: str
) -> None:
    own, other = world.own, world.other(where)
    user = member_who_may(own, need_of(name, method))
    assert visit(user, method, name, own.slug, other).status_code == 404


@pytest.mark.parametrize("name", READ)
def test_a_superuser_who_is_no_member_finds_nothing(own: Tenant, name: str) -> None:
    boss = UserFactory(is_staff=True, is_superuser=True)
    assert visit(boss, "GET", name, own.slug, own).status_code == 404


@pytest.mark.parametrize("name", sorted(set(PAGES) - set(READ)))
def test_an_action_is_not_carried_out_by_a_link(own: Tenant, name: str) -> None:
    assert visit(own.members[Role.ADMIN], "GET", name, own.slug, own).status_code == 405


@pytest.mark.parametrize("name", READ)
def test_a_removed_member_finds_nothing(own: Tenant, name: str) -> None:
    member = MembershipFactory(project=own.project, role=Role.ADMIN)
    member.delete()
    assert visit(member.user, "GET", name, own.slug, own).status_code == 404


ODD_VALUES = ["\x00", "-1", "9" * 40, "٣", "'\"<script>\ud7ff\uffff"]
PARAMETERS = {
    "accounts:audit": ("before", "kind", "target", "actor", "verify"),
    "events:overview": ("environment",),
    "events:attribute-new": ("subject",),
    "segments:list": ("environment", "status", "page"),
    "experiments:list": ("status", "page"),
    "experiments:flags": ("page",),
    "experiments:metrics": ("page",),
    "experiments:history": ("page",),
    "experiments:overrides": ("page",),
    "analysis:mail": ("page",),
    "analysis:results": ("run",),
    "analysis:health": ("run",),
}
EVERY_PARAMETER = sorted({name for names in PARAMETERS.values() for name in names})


@pytest.mark.parametrize("name", READ)
def test_odd_parameters_never_break_a_page(own: Tenant, name: str) -> None:
    page, client = PAGES[name], Client()
    client.force_login(member_who_may(own, need_of(name, "GET")))
    address = reverse(name, args=[own.slug, *page.names(own)])
    for value in ODD_VALUES if name in PARAMETERS else ODD_VALUES[:1]:
        assert client.get(address, dict.fromkeys(EVERY_PARAMETER, value)).status_code < 500
        for parameter in PARAMETERS.get(name, ()):
            assert client.get(address, {parameter: value}).status_code < 500, (parameter, value)


@pytest.mark.parametrize(("name", "method"), [p for p in PAGE_METHODS if p.values[1] == "POST"])
@pytest.mark.parametrize("value", ODD_VALUES, ids=ascii)
def test_odd_fields_never_break_a_form(own: Tenant, name: str, method: str, value: str) -> None:
    page, client = PAGES[name], Client()
    client.force_login(member_who_may(own, need_of(name, method)))
    address = reverse(name, args=[own.slug, *page.names(own)])
    assert client.post(address, dict.fromkeys(FIELDS, value)).status_code < 500


FIELDS = (
    "alpha", "attributes", "auto_exposure", "control_key", "control_value", "currency", "decision", "default_value",
    "description", "do", "email", "enabled", "environment", "event_name", "events", "flag", "frequency", "hour",
    "hypothesis", "json", "key", "kind", "mde", "min_days", "metrics-0-metric", "metrics-INITIAL_FORMS",
    "metrics-TOTAL_FORMS", "mode", "name", "new_flag_key", "new_flag_type", "note", "planned_n", "rationale", "reason",
    "recipient", "refresh_minutes", "retention_days", "role", "segments", "sensitivity", "share_bp", "subject",
    "targets-0-segment", "targets-INITIAL_FORMS", "targets-TOTAL_FORMS", "timezone", "treatment_key",
    "treatment_value", "type", "unit_id", "unit_type", "variant", "variants-0-key", "variants-INITIAL_FORMS",
    "variants-TOTAL_FORMS", "weekday", "weight_0", "which", "window_days",
)  # fmt: skip


@pytest.mark.parametrize("name", sorted(PERSONAL))
def test_a_personal_page_asks_an_anonymous_visitor_to_log_in(own: Tenant, name: str) -> None:
    address = reverse(name)
    assert Client().get(address).headers["Location"] == f"/login/?next={address}"


@pytest.mark.parametrize("name", ["projects", "accounts:account"])
def test_a_personal_page_names_no_project_of_others(own: Tenant, name: str) -> None:
    client = Client()
    client.force_login(own.members[Role.ADMIN])
    page = client.get(reverse(name)).content.decode()
    assert "/p/own/" in page
    assert "/p/sibling/" not in page


@pytest.mark.parametrize("role", Role)
def test_only_who_manages_a_project_may_make_another(own: Tenant, role: Role) -> None:
    client = Client()
    client.force_login(own.members[role])
    assert client.get(reverse("project-new")).status_code == (200 if role == Role.ADMIN else 403)


def test_a_project_cannot_be_made_in_a_foreign_organisation(own: Tenant, foreign: Tenant) -> None:
    client = Client()
    client.force_login(own.members[Role.ADMIN])
    data = {"organisation": foreign.project.organisation.pk, "name": "Intruder"}
    assert client.post(reverse("project-new"), data).status_code == 422
    assert not foreign.project.organisation.projects.filter(name="Intruder").exists()


PUBLIC_ARGUMENTS = {"accounts:set-password": ["MQ", "spent-token"], "unsubscribe": ["not-a-token"]}


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_a_public_address_says_nothing_of_a_project(own: Tenant, name: str) -> None:
    answer = Client().get(reverse(name, args=PUBLIC_ARGUMENTS.get(name, [])))
    assert answer.status_code < 500
    assert b"own-" not in answer.getvalue()


def test_an_unsubscribe_link_opens_nothing_else(own: Tenant, foreign: Tenant) -> None:
    forged = [
        own.unsubscribe_token[:-1] + "x",
        signing.dumps(own.recipient.public_id, salt="another purpose"),
    ]
    for token in forged:
        assert Client().post(reverse("unsubscribe", args=[token])).status_code == 404
    own.recipient.refresh_from_db()
    assert own.recipient.unsubscribed_at is None
    assert Client().post(reverse("unsubscribe", args=[own.unsubscribe_token])).status_code == 200
    own.recipient.refresh_from_db()
    foreign.recipient.refresh_from_db()
    assert own.recipient.unsubscribed_at is not None
    assert foreign.recipient.unsubscribed_at is None


ADMIN_PAGES = sorted(
    name
    for name in set(route_names(get_resolver().url_patterns))
    if name.startswith(BACK_OFFICE) and name.endswith(("_changelist", "_add", ":index", ":password_change"))
)


@pytest.mark.parametrize("name", ADMIN_PAGES)
def test_the_back_office_is_for_staff(own: Tenant, name: str) -> None:
    client = Client()
    assert client.get(reverse(name)).status_code == 302
    client.force_login(own.members[Role.ADMIN])
    assert client.get(reverse(name)).status_code == 302
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    assert client.get(reverse(name)).status_code in {200, 403}
