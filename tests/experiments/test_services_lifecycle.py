"""Starting, ramping, pausing, completing, importing: what changes, what stays, what is refused."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier

import psycopg
import pytest
from django.db import IntegrityError, connection, transaction

from accounts.audit import SYSTEM
from accounts.models import AuditEntry
from core.errors import Conflict, DomainError, NotFound
from experiments.allocation import parse_allocation, require_append_only
from experiments.errors import LaunchBlocked, RampRefused, TransitionRefused
from experiments.models import ConfigRevision, Experiment, Flag
from experiments.services import (
    MetricInput,
    PlanInput,
    TargetInput,
    VariantInput,
    archive_experiment,
    change_allocation,
    complete_experiment,
    create_imported_experiment,
    create_layer,
    pause_experiment,
    record_decision,
    resume_experiment,
    set_breakdowns,
    set_layer,
    set_metrics,
    set_plan,
    start_experiment,
    start_imported_experiment,
    update_flag,
)
from experiments.services.changes import lock_experiment
from segments.models import SegmentRefresh
from tests.factories import (
    ExperimentFactory,
    FlagFactory,
    MetricFactory,
    SegmentFactory,
    production_of,
    running_experiment,
)

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = datetime(2026, 3, 15, 12, tzinfo=UTC)


@pytest.fixture
def running(project):
    return running_experiment(project=project, targets=[TargetInput(None, 2_000)], now=NOON)


def stored(experiment):
    return Experiment.objects.get(pk=experiment.pk)


def last_line(project):
    return AuditEntry.objects.filter(project=project).latest("id")


def slots_of(experiment, position=0):
    target = experiment.targets.get(position=position)
    return parse_allocation(target.allocation, variants=len(target.weights_bp))


# Start


def test_a_start_opens_the_traffic_and_begins_phase_one(running):
    experiment = stored(running)
    assert (experiment.status, experiment.started_at, experiment.frozen) == ("running", NOON, False)
    phase = experiment.phases.get()
    assert (phase.number, phase.started_at, phase.shares) == (1, NOON, {"0": [1_000, 1_000]})
    line = last_line(experiment.project)
    assert (line.action, line.before["status"], line.after["status"]) == (
        "experiment.started",
        "draft",
        "running",
    )


@pytest.mark.django_db(transaction=True)
def test_a_start_reaches_who_listens_once_it_is_committed(project):
    draft = ExperimentFactory(project=project)
    with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": None}) as listener:
        listener.autocommit = True
        listener.execute("LISTEN strata_config")
        start_experiment(experiment=draft, actor=SYSTEM)
        heard = [notice.payload for notice in listener.notifies(timeout=10, stop_after=1)]
    assert heard == [str(draft.environment_id)]


def test_a_target_on_stored_facts_freezes_the_experiment_and_has_its_membership_kept(project):
    buyers = SegmentFactory(
        project=project,
        rule={"event": "purchase", "aggregate": "count", "op": "gte", "value": 1, "window_days": 30},
    )
    experiment = running_experiment(project=project, targets=[TargetInput(buyers)])
    assert stored(experiment).frozen
    assert SegmentRefresh.objects.filter(
        version=buyers.latest_version, environment=experiment.environment
    ).exists()


def test_a_target_on_attributes_does_not_freeze(project):
    segment = SegmentFactory(project=project)
    assert not running_experiment(project=project, targets=[TargetInput(segment)]).frozen


def test_a_launch_without_a_plan_is_blocked_with_what_to_do_and_nothing_is_written(project):
    draft = ExperimentFactory(project=project, plan=None, metrics=[])
    lines = AuditEntry.objects.count()
    with pytest.raises(LaunchBlocked) as blocked:
        start_experiment(experiment=draft, actor=SYSTEM)
    assert [problem.code for problem in blocked.value.problems] == ["no_primary_metric", "no_plan"]
    assert "Fill in the plan" in blocked.value.message
    assert stored(draft).status == "draft"
    assert not draft.phases.exists()
    assert AuditEntry.objects.count() == lines


def test_one_experiment_lives_on_a_flag_in_an_environment(project):
    flag = FlagFactory(project=project)
    first = running_experiment(project=project, flag=flag)
    second = ExperimentFactory(project=project, flag=flag)
    with pytest.raises(LaunchBlocked, match=first.name):
        start_experiment(experiment=second, actor=SYSTEM)
    with pytest.raises(IntegrityError, match="experiment_one_live_per_flag"), transaction.atomic():
        Experiment.objects.filter(pk=second.pk).update(status="running", started_at=NOON)
    staging = project.environments.get(slug="staging")
    assert running_experiment(project=project, flag=flag, environment=staging).is_live


def test_layer_slots_of_a_running_experiment_block_another(project):
    layer = create_layer(environment=production_of(project), key="checkout", actor=SYSTEM)
    first, second = ExperimentFactory(project=project), ExperimentFactory(project=project)
    set_layer(experiment=first, layer=layer, slots=[(0, 5_000)], actor=SYSTEM)
    set_layer(experiment=second, layer=layer, slots=[(4_000, 10_000)], actor=SYSTEM)
    start_experiment(experiment=first, actor=SYSTEM)
    with pytest.raises(LaunchBlocked, match="owns 1,000 of the claimed slots"):
        start_experiment(experiment=second, actor=SYSTEM)


def test_a_value_that_no_longer_fits_and_a_disabled_flag_block(project):
    draft = ExperimentFactory(project=project)
    update_flag(flag=draft.flag, enabled=False, actor=SYSTEM)
    draft.variants.filter(key="treatment").update(value="yes")
    with pytest.raises(LaunchBlocked) as blocked:
        start_experiment(experiment=draft, actor=SYSTEM)
    assert {problem.code for problem in blocked.value.problems} == {"flag_disabled", "variant_value_mismatch"}


@pytest.mark.django_db(transaction=True)
def test_of_two_starts_at_once_on_one_flag_one_is_refused_in_words(project):
    flag = FlagFactory(project=project)
    drafts = [ExperimentFactory(project=project, flag=flag) for _ in range(2)]
    together = Barrier(2)

    def start(draft):
        together.wait(timeout=30)
        try:
            start_experiment(experiment=draft, actor=SYSTEM)
        except LaunchBlocked as blocked:
            return blocked.problems[0].code
        finally:
            connection.close()
        return "started"

    with ThreadPoolExecutor(2) as pool:
        outcomes = sorted(pool.map(start, drafts))
    assert outcomes == ["flag_taken", "started"]
    assert Experiment.objects.filter(status="running").count() == 1


@pytest.mark.django_db(transaction=True)
def test_an_exposure_gets_in_while_the_experiment_is_being_changed(running):
    with transaction.atomic():
        lock_experiment(running)
        with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": None}) as other:
            other.execute("SET lock_timeout = '2s'")
            other.execute("SELECT 1 FROM experiments_experiment WHERE id = %s FOR KEY SHARE", [running.pk])


# Pause, resume, complete, archive


def test_a_pause_keeps_its_reason_until_resumed_and_moves_no_slot(running):
    before = slots_of(running)
    pause_experiment(experiment=running, reason="Errors doubled.", actor=SYSTEM)
    assert (stored(running).status, stored(running).pause_reason) == ("paused", "Errors doubled.")
    assert last_line(running.project).reason == "Errors doubled."
    resume_experiment(experiment=running, actor=SYSTEM)
    assert (stored(running).status, stored(running).pause_reason) == ("running", "")
    assert slots_of(running) == before


def test_a_pause_needs_a_reason(running):
    with pytest.raises(DomainError, match="Say why"):
        pause_experiment(experiment=running, reason=" ", actor=SYSTEM)
    assert stored(running).status == "running"


def test_each_step_publishes_once(running):
    def revision():
        return ConfigRevision.objects.get(environment=running.environment).revision

    start = revision()
    pause_experiment(experiment=running, reason="Why not.", actor=SYSTEM)
    resume_experiment(experiment=running, actor=SYSTEM)
    complete_experiment(experiment=running, decision="stop", reason="No effect.", actor=SYSTEM)
    archive_experiment(experiment=running, actor=SYSTEM)
    assert revision() == start + 4


def test_a_decision_to_ship_names_the_only_treatment_by_itself(running):
    complete_experiment(experiment=running, decision="ship", reason="It won.", actor=SYSTEM, now=LATER)
    experiment = stored(running)
    assert (experiment.status, experiment.ended_at) == ("completed", LATER)
    assert experiment.decided_variant.key == "treatment"
    assert last_line(running.project).after["decided_variant"] == "treatment"


def test_a_decision_to_ship_one_of_several_must_say_which(project):
    variants = [VariantInput("control", "a"), VariantInput("b", "b"), VariantInput("c", "c")]
    experiment = running_experiment(
        project=project,
        flag=FlagFactory(project=project, type="string", default_value="a"),
        variants=variants,
    )
    with pytest.raises(DomainError, match="control, b, c"):
        complete_experiment(experiment=experiment, decision="ship", reason="It won.", actor=SYSTEM)
    assert stored(experiment).status == "running"
    complete_experiment(
        experiment=experiment, decision="ship", reason="It won.", variant_key="c", actor=SYSTEM
    )
    assert stored(experiment).decided_variant.key == "c"


@pytest.mark.parametrize(("decision", "reason"), [("maybe", "Hm."), ("stop", "")])
def test_a_decision_is_a_known_one_with_a_reason(running, decision, reason):
    with pytest.raises(DomainError):
        complete_experiment(experiment=running, decision=decision, reason=reason, actor=SYSTEM)
    assert stored(running).ended_at is None


def test_a_decision_can_be_changed_after_completion_and_both_are_written_down(running):
    with pytest.raises(Conflict):
        record_decision(experiment=running, decision="stop", reason="Early.", actor=SYSTEM)
    complete_experiment(experiment=running, decision="ship", reason="It won.", actor=SYSTEM)
    record_decision(experiment=running, decision="invalid", reason="Tracking broke.", actor=SYSTEM)
    line = last_line(running.project)
    assert (line.before["decision"], line.after["decision"]) == ("ship", "invalid")
    assert stored(running).decided_variant is None


def test_a_step_out_of_turn_is_refused_and_changes_nothing(running):
    with pytest.raises(TransitionRefused):
        archive_experiment(experiment=running, actor=SYSTEM)
    with pytest.raises(TransitionRefused):
        start_experiment(experiment=running, actor=SYSTEM)
    assert stored(running).status == "running"


def test_a_stale_copy_cannot_repeat_a_step(running):
    copy = stored(running)
    pause_experiment(experiment=running, reason="Why not.", actor=SYSTEM)
    with pytest.raises(TransitionRefused):
        pause_experiment(experiment=copy, reason="Again.", actor=SYSTEM)


# Ramps


def test_a_ramp_opens_closed_slots_only_and_begins_a_phase(running):
    before = slots_of(running)
    effect = change_allocation(experiment=running, position=0, share_bp=6_000, actor=SYSTEM, now=LATER)
    assert effect.opened_slots == 4_000
    require_append_only(before, slots_of(running))
    phase = running.phases.get(number=2)
    assert (phase.started_at, phase.shares) == (LATER, {"0": [3_000, 3_000]})
    assert last_line(running.project).action == "experiment.ramped"


def test_new_weights_for_newcomers_move_nobody(running):
    before = slots_of(running)
    change_allocation(
        experiment=running, position=0, share_bp=10_000, weights_bp=[2_000, 8_000], actor=SYSTEM
    )
    require_append_only(before, slots_of(running))
    assert running.phases.get(number=2).shares == {"0": [2_000, 8_000]}


def test_at_full_traffic_a_change_is_refused_and_leaves_no_phase(project):
    experiment = running_experiment(project=project)
    with pytest.raises(RampRefused, match="make a new one"):
        change_allocation(experiment=experiment, position=0, weights_bp=[9_000, 1_000], actor=SYSTEM)
    assert experiment.phases.count() == 1


def test_drafts_and_unknown_targets_cannot_be_ramped(project, running):
    with pytest.raises(Conflict, match="Change the targets of a draft"):
        change_allocation(
            experiment=ExperimentFactory(project=project), position=0, share_bp=1_000, actor=SYSTEM
        )
    with pytest.raises(NotFound, match="no target 3"):
        change_allocation(experiment=running, position=3, share_bp=5_000, actor=SYSTEM)


# Imports


@pytest.fixture
def imported(project):
    experiment = create_imported_experiment(
        environment=production_of(project),
        name="Health insurance",
        hypothesis="Free care is used more.",
        variants=["cost-sharing", "free"],
        actor=SYSTEM,
    )
    metrics = [MetricInput(MetricFactory(project=project), "primary")]
    set_metrics(experiment=experiment, metrics=metrics, actor=SYSTEM)
    set_plan(experiment=experiment, plan=PlanInput(mde=0.1, planned_n=100), actor=SYSTEM)
    return experiment


def test_an_imported_experiment_is_analysed_and_never_served(project, imported):
    set_breakdowns(experiment=imported, segments=[SegmentFactory(project=project)], actor=SYSTEM)
    start_imported_experiment(experiment=imported, started_at=NOON, ended_at=LATER, actor=SYSTEM)
    experiment = stored(imported)
    assert (experiment.status, experiment.origin) == ("running", "imported")
    assert (experiment.started_at, experiment.ended_at) == (NOON, LATER)
    assert experiment.targets.get().allocation == [[10_000, -1]]
    assert experiment.phases.get().shares == {}
    flag = Flag.objects.get(key="imported.health-insurance")
    assert not flag.enabled
    assert SegmentRefresh.objects.count() == 1


def test_a_known_split_of_an_import_is_kept_for_the_test_of_the_split(imported):
    start_imported_experiment(
        experiment=imported, started_at=NOON, planned_weights_bp=[7_500, 2_500], actor=SYSTEM
    )
    assert imported.phases.get().shares == {"0": [7_500, 2_500]}


def test_an_import_is_not_started_or_ramped_like_others_and_ends_when_it_ended(imported):
    with pytest.raises(Conflict, match="experiment_import"):
        start_experiment(experiment=imported, actor=SYSTEM)
    start_imported_experiment(experiment=imported, started_at=NOON, ended_at=LATER, actor=SYSTEM)
    with pytest.raises(Conflict):
        change_allocation(experiment=imported, position=0, share_bp=10_000, actor=SYSTEM)
    complete_experiment(experiment=imported, decision="stop", reason="Seen.", actor=SYSTEM)
    assert stored(imported).ended_at == LATER


def test_an_import_without_a_plan_is_blocked(project):
    experiment = create_imported_experiment(
        environment=production_of(project),
        name="Bare",
        hypothesis="",
        variants=["a", "b"],
        actor=SYSTEM,
    )
    with pytest.raises(LaunchBlocked):
        start_imported_experiment(experiment=experiment, started_at=NOON, actor=SYSTEM)
