"""The pages, through the client and without JavaScript."""

import pytest
from django.urls import reverse

from accounts.audit import SYSTEM
from accounts.models import Role
from experiments.models import Flag, Metric
from experiments.services import (
    complete_experiment,
    pause_experiment,
)
from tests.factories import (
    ExperimentFactory,
    FlagFactory,
    MembershipFactory,
)

pytestmark = pytest.mark.django_db


PROJECT_PAGES = ["list", "new", "metrics", "metric-new", "flags", "flag-new"]
DRAFT_PAGES = [
    "detail",
    "history",
    "describe",
    "overrides",
    "setup-variants",
    "setup-targets",
    "setup-metrics",
    "setup-plan",
    "setup-breakdowns",
    "start",
    "archive",
]


@pytest.mark.parametrize("name", PROJECT_PAGES)
def test_a_page_of_an_empty_project_shows_one_heading(page, name):
    answer = page(name)
    assert answer.status_code == 200
    assert answer.content.count(b"<h1") == 1


@pytest.mark.parametrize("name", DRAFT_PAGES)
def test_a_page_of_a_draft_shows_one_heading_and_no_inline_style(page, draft, name):
    answer = page(name, draft.key)
    assert answer.status_code == 200
    assert answer.content.count(b"<h1") == 1
    assert b"style=" not in answer.content


@pytest.mark.parametrize("name", ["detail", "history", "pause", "complete"])
def test_a_page_of_a_running_experiment_answers(page, running, name):
    assert page(name, running.key).status_code == 200


def test_an_experiment_in_every_state_has_a_page(project, page, running):
    pause_experiment(experiment=running, reason="Errors doubled.", actor=SYSTEM)
    assert "Errors doubled." in page("detail", running.key).content.decode()
    assert page("resume", running.key).status_code == 200
    complete_experiment(experiment=running, decision="ship", reason="It won.", actor=SYSTEM)
    shown = page("detail", running.key).content.decode()
    assert "It won." in shown
    assert "serves its default value" in shown


@pytest.mark.parametrize("name", DRAFT_PAGES)
def test_a_foreign_experiment_is_a_404(page, name):
    assert page(name, ExperimentFactory().key).status_code == 404


def test_strangers_see_a_404_and_the_anonymous_are_asked_to_log_in(client, project, draft):
    address = reverse("experiments:detail", args=[project.slug, draft.key])
    assert client.get(address).status_code == 302
    client.force_login(MembershipFactory().user)
    assert client.get(address).status_code == 404


FORBIDDEN = [
    (Role.VIEWER, "new", []),
    (Role.VIEWER, "flag-new", []),
    (Role.VIEWER, "metric-new", []),
    (Role.ANALYST, "flag-new", []),
    (Role.VIEWER, "setup-plan", ["draft"]),
    (Role.ANALYST, "overrides", ["draft"]),
    (Role.EXPERIMENTER, "start", ["draft"]),
    (Role.PRIVACY_OFFICER, "start", ["draft"]),
    (Role.EXPERIMENTER, "pause", ["draft"]),
    (Role.PRIVACY_OFFICER, "complete", ["draft"]),
]


@pytest.mark.parametrize(("role", "name", "args"), FORBIDDEN)
def test_a_role_that_lacks_the_action_is_refused(visit, draft, role, name, args):
    page = visit(role)
    keys = [draft.key for _ in args]
    assert page(name, *keys).status_code == 403
    assert page(name, *keys, method="post").status_code == 403


def test_a_viewer_sees_the_lists_and_no_buttons(visit, draft):
    page = visit(Role.VIEWER)
    shown = page("detail", draft.key).content.decode()
    assert reverse("experiments:start", args=[draft.project.slug, draft.key]) not in shown
    assert reverse("experiments:setup-plan", args=[draft.project.slug, draft.key]) not in shown
    assert reverse("experiments:new", args=[draft.project.slug]) not in page("list").content.decode()


def test_lists_cost_a_fixed_number_of_queries(project, page, running, django_assert_num_queries):
    for _ in range(3):
        ExperimentFactory(project=project)
    page("list")
    # session, user, membership and project, count, page, variants, primary metrics, navigation
    with django_assert_num_queries(8):
        assert page("list").content.decode().count("<tr>") == 5
    with django_assert_num_queries(6):
        page("flags")
    with django_assert_num_queries(6):
        page("metrics")


# Flags and metrics

FLAG = {"key": "cta", "type": "boolean", "default_value": "false", "enabled": "on"}
METRIC = {
    "name": "Orders",
    "key": "orders",
    "kind": "conversion",
    "event_name": "order",
    "direction": "increase",
}


def test_a_flag_is_made_and_changed_on_its_page(project, page):
    assert page("flag-new", method="post", data=FLAG).status_code == 302
    flag = Flag.objects.get()
    assert (flag.key, flag.default_value, flag.enabled) == ("cta", False, True)
    assert (
        page("flag-edit", "cta", method="post", data={"name": "CTA", "default_value": "true"}).status_code
        == 302
    )
    flag.refresh_from_db()
    assert (flag.name, flag.default_value, flag.enabled) == ("CTA", True, False)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"key": "with space"}, "letters, digits, dot"),
        ({"default_value": "maybe"}, "true and false"),
        ({"type": "object", "default_value": "{a}"}, "Write the value as JSON"),
        ({"key": "taken"}, "exists already"),
    ],
)
def test_a_faulty_flag_comes_back_with_its_reason(project, page, change, words):
    FlagFactory(project=project, key="taken")
    answer = page("flag-new", method="post", data=FLAG | change)
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert Flag.objects.count() == 1


def test_an_object_flag_takes_json(page):
    page("flag-new", method="post", data=FLAG | {"type": "object", "default_value": '{"colour": "blue"}'})
    assert Flag.objects.get().default_value == {"colour": "blue"}
    assert "colour" in page("flag-edit", "cta").content.decode()


def test_a_metric_is_made_and_changed_on_its_page(page):
    assert page("metric-new", method="post", data=METRIC).status_code == 302
    assert (
        page("metric-edit", "orders", method="post", data=METRIC | {"window_days": "14"}).status_code == 302
    )
    assert Metric.objects.get().window_days == 14
    assert "within 14 days" in page("metrics").content.decode()


def test_a_metric_in_use_comes_back_with_its_reason(project, page, running):
    metric = running.metrics.get().metric
    data = METRIC | {"name": metric.name, "event_name": "other"}
    answer = page("metric-edit", metric.key, method="post", data=data)
    assert answer.status_code == 422
    assert "Make a new metric" in answer.content.decode()
    metric.refresh_from_db()
    assert metric.event_name == "purchase"
