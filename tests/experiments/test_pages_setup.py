"""The pages that make a draft and edit its parts, through the client and without JavaScript."""

import pytest
from django.urls import reverse

from experiments.models import Experiment, Flag
from tests.factories import FlagFactory, MetricFactory, SegmentFactory

pytestmark = pytest.mark.django_db


NEW = {
    "name": "Bigger button",
    "hypothesis": "Seen more.",
    "environment": "production",
    "unit_type": "user",
    "flag": ":new",
    "new_flag_key": "cta",
    "new_flag_type": "string",
    "control_key": "control",
    "control_value": "small",
    "treatment_key": "big",
    "treatment_value": "big",
}


def test_the_short_form_leads_to_a_draft_with_its_checklist(project, page):
    segment = SegmentFactory(project=project, name="Germans")
    answer = page("new", method="post", data=NEW | {"segments": [segment.key]})
    assert answer.status_code == 302
    experiment = Experiment.objects.get()
    assert list(experiment.variants.values_list("value", flat=True)) == ["small", "big"]
    assert experiment.targets.get().segment_version.segment == segment
    shown = page("detail", experiment.key).content.decode()
    assert "There is no plan" in shown
    assert "Germans" in shown


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"new_flag_key": ""}, "new_flag_key"),
        ({"new_flag_key": "a b"}, "new_flag_key"),
        ({"new_flag_key": "taken"}, "new_flag_key"),
        ({"new_flag_type": "integer"}, "control_value"),
        ({"flag": "taken", "treatment_value": "maybe"}, "treatment_value"),
        ({"treatment_key": "control"}, "treatment_key"),
        ({"environment": "moon"}, "environment"),
        ({"unit_type": "device", "segments": ["germans"]}, "segments"),
    ],
)
def test_a_faulty_form_comes_back_with_the_error_at_its_field(project, page, change, field):
    FlagFactory(project=project, key="taken")
    SegmentFactory(project=project, key="germans")
    answer = page("new", method="post", data=NEW | change)
    assert answer.status_code == 422
    assert field in answer.context["form"].errors
    assert not Experiment.objects.exists()
    assert Flag.objects.count() == 1


def rows(prefix, *rows, initial=0):
    data = {f"{prefix}-TOTAL_FORMS": len(rows), f"{prefix}-INITIAL_FORMS": initial}
    for index, row in enumerate(rows):
        data |= {f"{prefix}-{index}-{name}": value for name, value in row.items()}
    return data


CONTROL = {"key": "control", "name": "Control", "value": "false"}
TREATMENT = {"key": "treatment", "name": "", "value": "true"}
BLANK = {"key": "", "name": "", "value": ""}


def test_variants_can_be_added_and_removed(page, draft):
    three = rows("variants", CONTROL, TREATMENT, {"key": "b", "name": "B", "value": "true"}, initial=3)
    assert page("setup-variants", draft.key, method="post", data=three).status_code == 302
    assert list(draft.variants.values_list("key", "name")) == [
        ("control", "Control"),
        ("treatment", "treatment"),
        ("b", "B"),
    ]
    back = rows(
        "variants", CONTROL, {**TREATMENT, "DELETE": "on"}, {**BLANK, "key": "b", "value": "true"}, BLANK
    )
    assert page("setup-variants", draft.key, method="post", data=back).status_code == 302
    assert list(draft.variants.values_list("key", flat=True)) == ["control", "b"]


def test_saving_with_add_comes_back_for_another_row(page, draft):
    data = rows("variants", CONTROL, TREATMENT, BLANK, initial=3) | {"add": "1"}
    answer = page("setup-variants", draft.key, method="post", data=data)
    assert answer.url == reverse("experiments:setup-variants", args=[draft.project.slug, draft.key])


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ({**TREATMENT, "value": "maybe"}, "value"),
        ({**TREATMENT, "key": "control"}, "key"),
        ({**TREATMENT, "key": ""}, "key"),
    ],
)
def test_a_faulty_variant_comes_back_at_its_row(page, draft, row, field):
    answer = page("setup-variants", draft.key, method="post", data=rows("variants", CONTROL, row, initial=2))
    assert answer.status_code == 422
    assert field in answer.context["formset"].forms[1].errors
    assert draft.variants.count() == 2


HALVES = {"weight_0": "50", "weight_1": "50"}


def test_targets_are_saved_in_order_in_basis_points(project, page, draft):
    segment = SegmentFactory(project=project)
    data = rows(
        "targets",
        {"segment": segment.key, "share_bp": "12.5", "weight_0": "90", "weight_1": "10"},
        {"segment": "everyone", "share_bp": "100", **HALVES},
        initial=2,
    )
    assert page("setup-targets", draft.key, method="post", data=data).status_code == 302
    assert list(draft.targets.values_list("share_bp", "weights_bp")) == [
        (1_250, [9_000, 1_000]),
        (10_000, [5_000, 5_000]),
    ]
    shown = page("detail", draft.key).content.decode()
    assert "Allocation: control 11.25 %, treatment 1.25 %, Closed 87.5 %" in shown


def test_a_target_row_left_as_it_was_shown_is_ignored(page, draft):
    data = rows("targets", {"segment": "", "share_bp": "100", **HALVES}, initial=1)
    draft.targets.all().delete()
    assert page("setup-targets", draft.key, method="post", data=data).status_code == 302
    assert not draft.targets.exists()


def test_weights_that_do_not_sum_come_back_with_what_to_do(page, draft):
    data = rows(
        "targets", {"segment": "everyone", "share_bp": "100", "weight_0": "50", "weight_1": "40"}, initial=1
    )
    answer = page("setup-targets", draft.key, method="post", data=data)
    assert answer.status_code == 422
    assert "they must sum to 100 %" in answer.content.decode()


def test_metrics_take_a_margin_in_percent(project, page, draft):
    orders, errors = (
        MetricFactory(project=project, key="orders"),
        MetricFactory(project=project, key="errors"),
    )
    data = rows(
        "metrics",
        {"metric": orders.key, "role": "primary"},
        {"metric": errors.key, "role": "guardrail", "margin": "2"},
        initial=1,
    )
    assert page("setup-metrics", draft.key, method="post", data=data).status_code == 302
    assert list(draft.metrics.order_by("id").values_list("metric__key", "margin")) == [
        ("orders", None),
        ("errors", 0.02),
    ]
    data["metrics-1-margin"] = ""
    answer = page("setup-metrics", draft.key, method="post", data=data)
    assert answer.status_code == 422
    assert "margin" in answer.context["formset"].forms[1].errors


PLAN = {
    "mde": "5",
    "planned_n": "2000",
    "alpha": "5",
    "power": "80",
    "stopping_rule": "always_valid",
    "min_days": "7",
    "max_days": "28",
}


def test_a_plan_is_given_in_percent(page, draft):
    assert page("setup-plan", draft.key, method="post", data=PLAN).status_code == 302
    draft.plan.refresh_from_db()
    assert (draft.plan.mde, draft.plan.alpha, draft.plan.power) == (0.05, 0.05, 0.8)
    shown = page("setup-plan", draft.key).content.decode()
    assert 'value="5"' in shown


@pytest.mark.parametrize(
    ("change", "field"),
    [({"mde": "0"}, "mde"), ({"max_days": "3"}, "max_days"), ({"planned_n": "many"}, "planned_n")],
)
def test_a_faulty_plan_comes_back_at_its_field(page, draft, change, field):
    answer = page("setup-plan", draft.key, method="post", data=PLAN | change)
    assert answer.status_code == 422
    assert field in answer.context["form"].errors


def test_breakdowns_are_ticked(project, page, draft):
    segment = SegmentFactory(project=project)
    data = {"segments": [segment.key]}
    assert page("setup-breakdowns", draft.key, method="post", data=data).status_code == 302
    assert draft.breakdowns.get().segment_version.segment == segment


@pytest.mark.parametrize("part", ["variants", "targets", "metrics", "plan", "breakdowns"])
def test_the_set_up_of_a_running_experiment_leads_back(page, running, part):
    answer = page(f"setup-{part}", running.key, method="post")
    assert answer.status_code == 302
    assert Experiment.objects.get(pk=running.pk).revision == running.revision
