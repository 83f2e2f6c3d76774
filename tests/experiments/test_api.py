"""The REST API, the way a client calls it."""

import pytest
from django.test import Client

from accounts.models import KeyKind, Role
from experiments.models import Experiment, Flag, Metric
from experiments.services import TargetInput
from tests.factories import (
    ExperimentFactory,
    FlagFactory,
    MetricFactory,
    SegmentFactory,
    make_key,
    production_of,
    running_experiment,
)

pytestmark = pytest.mark.django_db


class Api:
    """A client with a key."""

    def __init__(self, secret):
        self.client = Client(raise_request_exception=True)
        self.headers = {"Authorization": f"Bearer {secret}"}

    def __call__(self, method, path, body=None, **headers):
        send = getattr(self.client, method)
        extra = {"content_type": "application/json"} if body is not None else {}
        return send(f"/api/v1/{path}", body, headers=self.headers | headers, **extra)


@pytest.fixture
def api(project):
    return Api(make_key(production_of(project)))


def codes(response):
    return [error["code"] for error in response.json()["errors"]]


def test_the_whole_way_from_flag_to_decision(project, api):
    segment = SegmentFactory(project=project)
    flag = api("post", "flags", {"key": "cta", "type": "string", "default_value": "small"})
    assert flag.status_code == 201
    metric = api(
        "post", "metrics", {"key": "orders", "name": "Orders", "kind": "conversion", "event_name": "order"}
    ).json()
    assert metric["sentence"].startswith("The share of exposed units")
    draft = api(
        "post",
        "experiments",
        {
            "name": "Bigger button",
            "hypothesis": "Seen more.",
            "flag": flag.json()["id"],
            "variants": [{"key": "control", "value": "small"}, {"key": "big", "value": "big"}],
            "targets": [{"segment": segment.public_id, "share_bp": 1_000}, {}],
            "breakdowns": [segment.public_id],
        },
    )
    assert draft.status_code == 201, draft.content
    one = f"experiments/{draft.json()['id']}"
    check = api("get", f"{one}/launch-check").json()
    assert not check["can_start"]
    assert {"no_plan", "no_primary_metric"} <= {finding["code"] for finding in check["findings"]}
    assert codes(api("post", f"{one}/start")) == ["no_primary_metric", "no_plan"]

    metrics = {"metrics": [{"metric": metric["id"], "role": "primary"}]}
    assert api("put", f"{one}/metrics", metrics).status_code == 200
    assert api("put", f"{one}/plan", {"mde": 0.05, "planned_n": 2_000}).json()["plan"]["alpha"] == 0.05
    started = api("post", f"{one}/start").json()
    assert started["status"] == "running"
    assert started["targets"][0]["allocation"] == [[500, 0], [1_000, 1], [10_000, -1]]

    ramp = {"target": 0, "share_bp": 3_000}
    effect = api("post", f"{one}/ramp", {**ramp, "dry_run": True}).json()
    assert (effect["moved_units"], effect["opened_slots"]) == (0, 2_000)
    assert len(api("get", one).json()["phases"]) == 1
    assert api("post", f"{one}/ramp", ramp).json() == effect
    assert len(api("get", one).json()["phases"]) == 2

    assert api("post", f"{one}/pause", {"reason": "Errors."}).json()["status"] == "paused"
    assert api("post", f"{one}/resume").json()["status"] == "running"
    done = api("post", f"{one}/complete", {"decision": "ship", "reason": "It won."}).json()
    assert (done["status"], done["decided_variant"]) == ("completed", "big")
    revised = api("put", f"{one}/decision", {"decision": "invalid", "reason": "Tracking broke."}).json()
    assert (revised["decision"], revised["decided_variant"]) == ("invalid", None)
    assert api("post", f"{one}/archive").json()["status"] == "archived"


def test_an_experiment_can_bring_its_flag_and_every_part_at_once(project, api):
    metric = MetricFactory(project=project)
    answer = api(
        "post",
        "experiments",
        {
            "name": "All at once",
            "hypothesis": "",
            "new_flag": {"key": "cta", "type": "boolean"},
            "variants": [{"key": "control", "value": False}, {"key": "treatment", "value": True}],
            "metrics": [{"metric": metric.public_id, "role": "primary"}],
            "plan": {"mde": 0.1, "planned_n": 100},
        },
    )
    assert answer.status_code == 201, answer.content
    assert api("post", f"experiments/{answer.json()['id']}/start").status_code == 200


def test_a_faulty_part_leaves_nothing_of_the_experiment(project, api):
    answer = api(
        "post",
        "experiments",
        {
            "name": "All at once",
            "hypothesis": "",
            "new_flag": {"key": "cta", "type": "boolean"},
            "variants": [{"key": "control", "value": False}, {"key": "treatment", "value": True}],
            "plan": {"mde": 0.1, "planned_n": 100, "min_days": 30, "max_days": 5},
        },
    )
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/plan/max_days"
    assert not Flag.objects.exists()
    assert not Experiment.objects.exists()


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"flag": "flg_nothere"}, "/flag"),
        ({"flag": None}, "/flag"),
        ({"variants": [{"key": "a b", "value": True}]}, "/variants/0/key"),
        ({"variants": [{"key": "a", "value": "yes"}]}, "/variants/0/value"),
        ({"targets": [{"segment": "seg_nothere"}]}, "/targets/0/segment"),
        ({"targets": [{"weights_bp": [5_000, 4_000]}]}, "/targets/0/weights_bp"),
        ({"targets": [{"share_bp": True}]}, "/targets/0/share_bp"),
        ({"name": "x" * 121}, "/name"),
        ({"plan": {"mde": 0.1, "planned_n": 1.5}}, "/plan/planned_n"),
        ({"key": "new"}, "/key"),
    ],
)
def test_a_bad_body_is_a_problem_at_its_place(project, api, change, pointer):
    body = {
        "name": "N",
        "hypothesis": "",
        "flag": FlagFactory(project=project).public_id,
        "variants": [{"key": "control", "value": False}, {"key": "treatment", "value": True}],
    }
    assert api("post", "experiments", body).status_code == 201
    answer = api("post", "experiments", body | change)
    assert answer.status_code == 422, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]


def test_a_change_of_what_somebody_else_changed_meanwhile_is_refused(project, api):
    draft = ExperimentFactory(project=project)
    one = f"experiments/{draft.public_id}"
    tag = api("get", one)["ETag"]
    first = api("patch", one, {"note": "Mine."}, **{"If-Match": tag})
    assert first.status_code == 200
    assert first["ETag"] != tag
    second = api("patch", one, {"note": "Yours."}, **{"If-Match": tag})
    assert (second.status_code, second.json()["code"]) == (412, "revision_mismatch")
    assert Experiment.objects.get(pk=draft.pk).note == "Mine."
    assert api("patch", one, {"note": "Ours."}, **{"If-Match": "*"}).status_code == 200


def test_flags_and_metrics_can_be_listed_read_and_changed(project, api):
    flag, metric = FlagFactory(project=project), MetricFactory(project=project)
    FlagFactory()
    assert [row["id"] for row in api("get", "flags").json()["data"]] == [flag.public_id]
    assert api("get", f"flags/{flag.public_id}").json()["key"] == flag.key
    assert api("patch", f"flags/{flag.public_id}", {"default_value": True}).json()["default_value"] is True
    assert codes(api("patch", f"flags/{flag.public_id}", {"default_value": "on"})) == ["invalid_flag_value"]
    assert [row["id"] for row in api("get", "metrics").json()["data"]] == [metric.public_id]
    assert api("get", f"metrics/{metric.public_id}").status_code == 200
    assert api("patch", f"metrics/{metric.public_id}", {"window_days": 14}).json()["window_days"] == 14
    assert api("patch", f"metrics/{metric.public_id}", {"window_days": 0}).status_code == 422
    assert Metric.objects.get().window_days == 14


def test_overrides_are_listed_set_and_removed(api, running):
    path = f"experiments/{running.public_id}/overrides"
    assert api("put", path, {"unit_id": "qa/1", "variant": "treatment"}).status_code == 200
    assert api("get", path).json()["data"] == [{"unit_id": "qa/1", "variant": "treatment"}]
    assert api("put", path, {"unit_id": "qa/1", "variant": "none"}).status_code == 422
    assert api("delete", f"{path}?unit_id=qa/1").status_code == 204
    assert api("delete", f"{path}?unit_id=qa/1").status_code == 404
    assert api("delete", f"{path}?unit_id=%00").status_code == 422


def test_holdout_and_layers(project, api):
    assert api("get", "holdout").json() == {"share_bp": 0}
    assert api("put", "holdout", {"share_bp": 500}).json() == {"share_bp": 500}
    assert api("get", "holdout").json() == {"share_bp": 500}
    assert api("put", "holdout", {"share_bp": 5_000}).status_code == 422
    layer = api("post", "layers", {"key": "checkout"}).json()
    assert api("get", "layers").json()["data"] == [layer]
    one = f"experiments/{ExperimentFactory(project=project).public_id}/layer"
    body = {"layer": layer["id"], "slots": [[0, 5_000]]}
    assert api("put", one, body).json()["layer_slots"] == [[0, 5_000]]
    assert api("put", one, {"layer": "lay_nothere", "slots": []}).status_code == 404
    assert api("put", one, {"layer": None}).json()["layer"] is None


def test_the_list_is_paged_and_narrowed_by_status(project, api, running):
    drafts = [ExperimentFactory(project=project) for _ in range(2)]
    first = api("get", "experiments?limit=2").json()
    assert first["has_more"]
    rest = api("get", f"experiments?limit=2&cursor={first['next_cursor']}").json()
    seen = [row["id"] for row in first["data"] + rest["data"]]
    assert seen == [drafts[1].public_id, drafts[0].public_id, running.public_id]
    only = api("get", "experiments?status=running").json()["data"]
    assert [row["id"] for row in only] == [running.public_id]
    assert api("get", "experiments?status=flying").status_code == 422


def test_lists_and_details_cost_a_fixed_number_of_queries(project, api, running, django_assert_num_queries):
    segment = SegmentFactory(project=project)
    for _ in range(3):
        full = ExperimentFactory(project=project, targets=[TargetInput(segment), TargetInput()])
    # key, touch of the key, the page
    api("get", "flags")
    with django_assert_num_queries(3):
        assert len(api("get", "experiments").json()["data"]) == 4
    # key, touch, the experiment, and one query each for its row, variants, targets, metrics, breakdowns, phases
    with django_assert_num_queries(9):
        api("get", f"experiments/{full.public_id}")


PARTS = ("", "/launch-check", "/overrides")
WRITES = {
    "patch": [("", {"note": "x"})],
    "put": [
        ("/variants", {"variants": [{"key": "a", "value": True}]}),
        ("/targets", {"targets": [{}]}),
        ("/metrics", {"metrics": []}),
        ("/plan", {"mde": 0.1, "planned_n": 10}),
        ("/breakdowns", {"breakdowns": []}),
        ("/layer", {"layer": None}),
        ("/overrides", {"unit_id": "u", "variant": "control"}),
        ("/decision", {"decision": "stop", "reason": "x"}),
    ],
    "post": [
        ("/start", {}),
        ("/pause", {"reason": "x"}),
        ("/resume", {}),
        ("/complete", {"decision": "stop", "reason": "x"}),
        ("/archive", {}),
        ("/ramp", {"target": 0, "share_bp": 5_000}),
    ],
}
EVERY_WRITE = [(method, path, body) for method, calls in WRITES.items() for path, body in calls]


@pytest.mark.parametrize("path", PARTS)
def test_reading_a_foreign_experiment_is_a_404(api, project, path):
    foreign = ExperimentFactory()
    assert api("get", f"experiments/{foreign.public_id}{path}").status_code == 404
    sibling = ExperimentFactory(project=project, environment=project.environments.get(slug="staging"))
    assert api("get", f"experiments/{sibling.public_id}{path}").status_code == 404


@pytest.mark.parametrize(("method", "path", "body"), EVERY_WRITE)
def test_writing_a_foreign_experiment_is_a_404_and_changes_nothing(api, method, path, body):
    foreign = running_experiment(targets=[TargetInput(None, 2_000)])
    assert api(method, f"experiments/{foreign.public_id}{path}", body).status_code == 404
    assert Experiment.objects.get(pk=foreign.pk).revision == foreign.revision


@pytest.mark.parametrize(("method", "path", "body"), EVERY_WRITE)
def test_a_viewer_key_reads_and_changes_nothing(project, running, method, path, body):
    viewer = Api(make_key(production_of(project), role=Role.VIEWER))
    assert viewer("get", f"experiments/{running.public_id}").status_code == 200
    answer = viewer(method, f"experiments/{running.public_id}{path}", body)
    assert answer.status_code == 403, answer.content
    assert Experiment.objects.get(pk=running.pk).revision == running.revision


@pytest.mark.parametrize(
    ("role", "step", "status"),
    [
        (Role.EXPERIMENTER, "start", 403),
        (Role.EXPERIMENTER, "pause", 403),
        (Role.PRIVACY_OFFICER, "pause", 200),
        (Role.PRIVACY_OFFICER, "complete", 403),
        (Role.ADMIN, "pause", 200),
    ],
)
def test_roles_may_take_the_steps_that_are_theirs(project, running, role, step, status):
    api = Api(make_key(production_of(project), role=role))
    body = {"reason": "x", "decision": "stop"}
    assert api("post", f"experiments/{running.public_id}/{step}", body).status_code == status


@pytest.mark.parametrize("kind", [KeyKind.SDK_SERVER, KeyKind.SDK_CLIENT, KeyKind.INGEST])
def test_only_an_api_key_configures(project, kind):
    assert Api(make_key(production_of(project), kind=kind))("get", "flags").status_code == 403


def test_without_a_key_nothing_is_said():
    assert Client().get("/api/v1/experiments").status_code == 401


def test_an_analyst_key_edits_metrics_and_no_flags(project):
    api = Api(make_key(production_of(project), role=Role.ANALYST))
    body = {"key": "m", "name": "M", "kind": "count", "event_name": "x"}
    assert api("post", "metrics", body).status_code == 201
    assert api("post", "flags", {"key": "f", "type": "boolean", "default_value": True}).status_code == 403


def test_the_openapi_document_describes_every_operation_of_this_app():
    paths = Client().get("/api/v1/openapi.json", headers={"Accept": "application/json"}).json()["paths"]
    named = {
        operation["operationId"]
        for methods in paths.values()
        for operation in methods.values()
        if isinstance(operation, dict)
    }
    expected = {"experiments_create", "experiments_ramp", "flags_update", "metrics_list", "holdout_set"}
    assert expected <= named
    answer = paths["/api/v1/experiments/{public_id}/start"]["post"]["responses"]["200"]
    assert answer["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Experiment"}


@pytest.mark.django_db
@pytest.mark.parametrize(("role", "status"), [(Role.EXPERIMENTER, 403), (Role.ADMIN, 200)])
def test_what_a_live_experiment_in_production_serves_is_changed_by_an_admin_only(
    role: Role, status: int
) -> None:
    flag = running_experiment().flag
    key = make_key(production_of(flag.project), role=role)
    headers = {"Authorization": f"Bearer {key}"}
    for change, expected in (({"enabled": False}, status), ({"description": "words"}, 200)):
        answer = Client().patch(
            f"/api/v1/flags/{flag.public_id}", change, content_type="application/json", headers=headers
        )
        assert answer.status_code == expected, answer.content
    flag.refresh_from_db()
    assert flag.enabled is (status == 403)
