"""The draw in SQL, and stored assignments recomputed with it."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from accounts.audit import SYSTEM
from assignments.audit import audit_assignments, draw_expression, slot_expression
from assignments.models import Exposure
from experiments.models import Experiment
from experiments.services import TargetInput, create_layer, set_layer, start_experiment
from tests.factories import ExperimentFactory, running_experiment
from tests.paths import SHARED


def test_the_sql_expression_agrees_with_every_shared_vector(db: None) -> None:
    path = SHARED / "vectors" / "draw.json"
    if not path.exists():
        pytest.skip(f"NOT RUN: the shared vectors are not at {path}")
    draw = draw_expression("v ->> 0", "v ->> 1", "v ->> 2")
    slot = slot_expression("v ->> 0", "v ->> 1", "v ->> 2")
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*), count(*) FILTER (WHERE {draw} <> (v ->> 3)::bigint OR {slot} <> (v ->> 4)::int) "
            "FROM jsonb_array_elements(%s::jsonb) AS vectors(v)",
            [path.read_text(encoding="utf-8")],
        )
        count, different = cursor.fetchone()
    assert count >= 3_000
    assert different == 0


@pytest.fixture
def exposed(project: Any, evaluate: Any, post: Any) -> Experiment:
    """A layered, half-open experiment that 80 units were asked for and the assigned ones exposed."""
    experiment = ExperimentFactory(
        project=project, targets=(TargetInput(share_bp=5_000, weights_bp=(7_000, 3_000)),)
    )
    layer = create_layer(environment=experiment.environment, key="page", actor=SYSTEM)
    set_layer(experiment=experiment, layer=layer, slots=[(0, 2_500), (5_000, 10_000)], actor=SYSTEM)
    start_experiment(experiment=experiment, actor=SYSTEM)
    items = []
    for number in range(80):
        answer = evaluate(experiment.flag.key, f"unité-{number}")
        if answer["metadata"]["exposure"]:
            items.append(
                {"experiment": experiment.key, "variant": answer["variant"], "unit_id": f"unité-{number}"}
            )
    assert 15 < len(items) < 50
    assert post("/api/v1/exposures", {"exposures": items}).json()["accepted"] == len(items)
    return experiment


def test_what_the_server_assigned_has_no_differences(exposed: Experiment) -> None:
    audit = audit_assignments(exposed)
    assert audit.checked == Exposure.objects.count() > 0
    assert (audit.different, audit.differences, audit.crossovers) == (0, (), 0)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"slot": 12_345}, "wrong_slot"),
        ({"slot": None}, "wrong_slot"),
        ({"target_position": 9}, "unknown_target"),
    ],
)
def test_a_stored_row_that_was_tampered_with_is_found(
    exposed: Experiment, change: dict[str, Any], fault: str
) -> None:
    unit_id = Exposure.objects.earliest("id").unit_id
    Exposure.objects.filter(unit_id=unit_id).update(**change)
    audit = audit_assignments(exposed)
    assert [(d.unit_id, d.fault) for d in audit.differences] == [(unit_id, fault)]


def test_the_other_variant_a_closed_slot_and_a_foreign_layer_slot_are_found(
    exposed: Experiment, post: Any, evaluate: Any
) -> None:
    """Sent by an app that ignores the evaluation: the control for everyone who was not exposed."""
    silent = {f"unité-{n}" for n in range(80)} - set(Exposure.objects.values_list("unit_id", flat=True))
    reasons = {u: evaluate(exposed.flag.key, u)["metadata"]["reason_code"] for u in silent}
    items = [{"experiment": exposed.key, "variant": "control", "unit_id": u} for u in silent]
    post("/api/v1/exposures", {"exposures": items})
    first = Exposure.objects.filter(variant_index=0).exclude(unit_id__in=silent).earliest("id")
    Exposure.objects.filter(pk=first.pk).update(variant_index=1)
    faults = {d.unit_id: d.fault for d in audit_assignments(exposed, limit=1_000).differences}
    assert faults == {first.unit_id: "other_variant", **reasons}


def test_the_command_prints_what_it_found(exposed: Experiment) -> None:
    out = StringIO()
    call_command("assignments_audit", exposed.public_id, stdout=out)
    assert "differences: 0" in out.getvalue()
    out = StringIO()
    call_command("assignments_audit", exposed.key, "--json", stdout=out)
    assert json.loads(out.getvalue())["different"] == 0


def test_the_command_fails_with_code_4_on_a_difference(exposed: Experiment) -> None:
    Exposure.objects.filter(pk=Exposure.objects.earliest("id").pk).update(slot=1)
    with pytest.raises(CommandError, match="1 assignments differ") as caught:
        call_command("assignments_audit", exposed.public_id, stdout=StringIO())
    assert caught.value.returncode == 4


def test_the_command_says_when_there_is_nothing_to_check(project: Any) -> None:
    experiment = running_experiment(project=project)
    with pytest.raises(CommandError, match="no exposures") as caught:
        call_command("assignments_audit", experiment.public_id, stdout=StringIO())
    assert caught.value.returncode == 3


def test_the_command_names_an_unknown_experiment(db: None) -> None:
    with pytest.raises(CommandError, match="exp_nope"):
        call_command("assignments_audit", "exp_nope")
