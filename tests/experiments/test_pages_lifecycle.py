"""The pages that launch, ramp, pause, complete and override, through the client and without JavaScript."""

import pytest

from accounts.audit import SYSTEM
from experiments.models import Experiment, Override
from experiments.services import set_override
from tests.factories import ExperimentFactory, FlagFactory

pytestmark = pytest.mark.django_db

HALVES = {"weight_0": "50", "weight_1": "50"}


def test_the_launch_page_shows_blockers_and_no_button(project, page):
    draft = ExperimentFactory(project=project, plan=None)
    shown = page("start", draft.key).content.decode()
    assert "There is no plan" in shown
    assert "Launch now" not in shown
    answer = page("start", draft.key, method="post")
    assert answer.status_code == 422
    assert Experiment.objects.get(pk=draft.pk).status == "draft"


def test_an_experiment_is_launched_paused_resumed_completed_and_archived(page, draft):
    assert "Opens 10,000 of 10,000 slots" in page("start", draft.key).content.decode()
    steps = [
        ("start", {}, "running"),
        ("pause", {"reason": "Errors."}, "paused"),
        ("resume", {}, "running"),
        ("complete", {"decision": "ship", "reason": "It won.", "variant": "treatment"}, "completed"),
        ("archive", {}, "archived"),
    ]
    for step, data, status in steps:
        assert page(step, draft.key, method="post", data=data).status_code == 302
        assert Experiment.objects.get(pk=draft.pk).status == status
    assert page("detail", draft.key).status_code == 200
    assert "Completed it" in page("history", draft.key).content.decode()


@pytest.mark.parametrize(
    ("step", "data"), [("pause", {}), ("complete", {"decision": "ship"}), ("complete", {"reason": "x"})]
)
def test_a_step_without_its_reason_comes_back(page, running, step, data):
    assert page(step, running.key, method="post", data=data).status_code == 422
    assert Experiment.objects.get(pk=running.pk).status == "running"


def test_a_step_out_of_turn_is_explained(page, draft):
    answer = page("resume", draft.key, method="post")
    assert answer.status_code == 409
    assert "It can: start or archive" in answer.content.decode()


def test_a_ramp_is_previewed_before_it_is_done(page, running):
    data = {"share_bp": "40", **HALVES}
    preview = page("ramp", running.key, 0, method="post", data=data | {"preview": "1"})
    assert preview.status_code == 200
    assert "opens 2,000 of 10,000 slots to newcomers" in preview.content.decode()
    assert running.phases.count() == 1
    assert page("ramp", running.key, 0, method="post", data=data).status_code == 302
    assert running.phases.count() == 2


def test_a_ramp_that_would_close_slots_is_refused_at_its_field(page, running):
    answer = page("ramp", running.key, 0, method="post", data={"share_bp": "10", **HALVES})
    assert answer.status_code == 422
    assert "closing slots would move units" in answer.content.decode()


def test_overrides_are_added_and_removed(page, draft):
    data = {"unit_id": "qa <b>1</b>", "variant": "treatment"}
    assert page("overrides", draft.key, method="post", data=data).status_code == 302
    assert "qa &lt;b&gt;1" in page("overrides", draft.key).content.decode()
    assert page("override-remove", draft.key, method="post", data=data).status_code == 302
    assert not Override.objects.exists()
    assert page("override-remove", draft.key, method="post", data=data).status_code == 404


def test_names_with_markup_are_printed_and_not_run(project, page):
    evil = "<script>alert(1)</script>"
    flag = FlagFactory(project=project, name=evil)
    draft = ExperimentFactory(project=project, name=evil, hypothesis=evil, flag=flag, key="evil")
    set_override(experiment=draft, unit_id=evil, variant_key="control", actor=SYSTEM)
    for answer in (
        page("list"),
        page("flags"),
        page("detail", "evil"),
        page("history", "evil"),
        page("start", "evil"),
    ):
        assert evil not in answer.content.decode()
