"""Drafts, set-up, overrides, flags and metrics: what services store, refuse and write down."""

import pytest
from django.db import IntegrityError, transaction

from accounts.audit import SYSTEM, broken_entry
from accounts.models import AuditEntry
from core.errors import DomainError, InvalidInput, NotFound
from experiments.errors import HoldoutInUse, InvalidFlagValue, KeyTaken, MetricInUse, NotADraft
from experiments.models import (
    ConfigRevision,
    Experiment,
    ExperimentMetric,
    Flag,
    Holdout,
    MetricRole,
    Override,
    Plan,
    Variant,
)
from experiments.services import (
    MetricInput,
    NewFlag,
    PlanInput,
    TargetInput,
    VariantInput,
    create_experiment,
    create_flag,
    create_layer,
    create_metric,
    remove_override,
    set_breakdowns,
    set_holdout,
    set_layer,
    set_metrics,
    set_override,
    set_plan,
    set_targets,
    set_variants,
    update_experiment,
    update_flag,
    update_metric,
)
from tests.factories import (
    BOOLEAN_VARIANTS,
    ExperimentFactory,
    FlagFactory,
    MetricFactory,
    ProjectFactory,
    SegmentFactory,
    add_version,
    production_of,
    running_experiment,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def production(project):
    return production_of(project)


def revision_of(environment):
    row = ConfigRevision.objects.filter(environment=environment).first()
    return row.revision if row else 0


def pointers(error):
    return [problem.pointer for problem in error.value.problems]


def last_line(project):
    return AuditEntry.objects.filter(project=project).latest("id")


# Flags


def test_a_new_flag_is_published_to_every_environment_and_written_down(project):
    flag = create_flag(project=project, key="checkout.cta", type="boolean", default_value=False, actor=SYSTEM)
    assert flag.name == "checkout.cta"
    assert ConfigRevision.objects.filter(environment__project=project).count() == 2
    line = last_line(project)
    assert (line.action, line.before, line.after["default_value"]) == ("flag.created", None, False)


@pytest.mark.parametrize(
    ("fields", "code", "pointer"),
    [
        ({"key": "with space"}, "invalid_key", "/key"),
        ({"key": "k" * 101}, "invalid_key", "/key"),
        ({"type": "colour"}, "invalid", "/type"),
        ({"default_value": "yes"}, "invalid_flag_value", "/default_value"),
    ],
)
def test_a_flag_that_cannot_be_is_refused_and_nothing_is_written(project, fields, code, pointer):
    wanted = {"key": "cta", "type": "boolean", "default_value": False, **fields}
    with pytest.raises(DomainError) as refused:
        create_flag(project=project, actor=SYSTEM, **wanted)
    assert (refused.value.code, refused.value.pointer) == (code, pointer)
    assert not Flag.objects.exists()
    assert not AuditEntry.objects.exists()


def test_a_flag_key_is_taken_once_per_project(project):
    FlagFactory(project=project, key="cta")
    with pytest.raises(KeyTaken, match="cta exists already"):
        create_flag(project=project, key="cta", type="boolean", default_value=False, actor=SYSTEM)
    assert create_flag(project=ProjectFactory(), key="cta", type="string", default_value="", actor=SYSTEM).pk


def test_a_changed_flag_is_published_with_before_and_after(project, production):
    flag = create_flag(project=project, key="cta", type="boolean", default_value=False, actor=SYSTEM)
    revision = revision_of(production)
    update_flag(flag=flag, default_value=True, enabled=False, actor=SYSTEM)
    flag.refresh_from_db()
    assert (flag.default_value, flag.enabled) == (True, False)
    assert revision_of(production) == revision + 1
    line = last_line(project)
    assert (line.before["default_value"], line.after["default_value"]) == (False, True)


def test_saving_a_flag_unchanged_publishes_nothing(project, production):
    flag = create_flag(project=project, key="cta", type="boolean", default_value=False, actor=SYSTEM)
    revision, lines = revision_of(production), AuditEntry.objects.count()
    update_flag(flag=flag, default_value=False, actor=SYSTEM)
    assert (revision_of(production), AuditEntry.objects.count()) == (revision, lines)


def test_type_and_key_of_a_flag_are_fixed_and_its_default_keeps_the_type():
    flag = FlagFactory()
    with pytest.raises(DomainError, match="make a new flag"):
        update_flag(flag=flag, type="string", actor=SYSTEM)
    with pytest.raises(InvalidFlagValue):
        update_flag(flag=flag, default_value="no", actor=SYSTEM)


# Metrics


def test_a_metric_with_several_faults_names_each(project):
    with pytest.raises(InvalidInput) as refused:
        create_metric(
            project=project,
            key="orders",
            name="",
            kind="median",
            event_name="purchase",
            window_days=0,
            cap=-1.0,
            actor=SYSTEM,
        )
    assert sorted(pointers(refused)) == ["/cap", "/kind", "/name", "/window_days"]


def test_a_metric_key_is_taken_once(project):
    MetricFactory(project=project, key="orders")
    with pytest.raises(KeyTaken):
        create_metric(project=project, key="orders", name="O", kind="count", event_name="o", actor=SYSTEM)


def test_a_metric_read_by_a_running_experiment_keeps_its_definition(project):
    metric = MetricFactory(project=project, name="Orders")
    experiment = running_experiment(project=project, metrics=[MetricInput(metric, MetricRole.PRIMARY)])
    with pytest.raises(MetricInUse, match=experiment.name) as refused:
        update_metric(metric=metric, window_days=3, actor=SYSTEM)
    assert refused.value.pointer == "/window_days"
    metric.refresh_from_db()
    assert metric.window_days is None
    update_metric(metric=metric, name="Paid orders", actor=SYSTEM)
    metric.refresh_from_db()
    assert metric.name == "Paid orders"


def test_a_metric_of_drafts_can_change(project):
    metric = MetricFactory(project=project)
    ExperimentFactory(project=project, metrics=[MetricInput(metric, MetricRole.PRIMARY)])
    update_metric(metric=metric, window_days=3, actor=SYSTEM)
    assert last_line(project).after["window_days"] == 3


# Drafts


def test_the_short_form_makes_a_draft_with_its_flag_variants_and_everyone(production):
    experiment = create_experiment(
        environment=production,
        name="Bigger button",
        hypothesis="Seen more.",
        flag=NewFlag("checkout.cta", "string"),
        variants=[VariantInput("control", "small"), VariantInput("big", "big")],
        actor=SYSTEM,
    )
    assert (experiment.key, experiment.status) == ("bigger-button", "draft")
    assert experiment.flag.default_value == "small"
    assert list(experiment.variants.values_list("index", "key")) == [(0, "control"), (1, "big")]
    target = experiment.targets.get()
    assert (target.segment_version, target.weights_bp, target.allocation) == (
        None,
        [5_000, 5_000],
        [[10_000, -1]],
    )


def test_equal_names_get_different_keys(production):
    keys = {ExperimentFactory(project=production.project, name="New").key for _ in range(3)}
    assert keys == {"new-2", "new-3", "new-4"}


def test_a_name_without_letters_still_gets_a_key(production):
    assert ExperimentFactory(project=production.project, name="购物车").key == "experiment"


def test_a_faulty_draft_writes_nothing_not_even_its_flag(production):
    with pytest.raises(InvalidInput) as refused:
        create_experiment(
            environment=production,
            name="N",
            hypothesis="",
            flag=NewFlag("cta", "boolean"),
            variants=[VariantInput("a", False), VariantInput("a", "yes"), VariantInput("with space", True)],
            actor=SYSTEM,
        )
    assert pointers(refused) == ["/variants/1/value", "/variants/1/key", "/variants/2/key"]
    assert not Flag.objects.exists()
    assert not Experiment.objects.exists()


def test_a_flag_of_another_project_is_refused(production):
    with pytest.raises(DomainError, match="another project"):
        ExperimentFactory(project=production.project, flag=FlagFactory())


def test_words_can_change_and_after_launch_only_name_and_note(draft):
    update_experiment(experiment=draft, hypothesis="Better.", actor=SYSTEM)
    running = running_experiment(project=draft.project)
    update_experiment(experiment=running, name="Renamed", note="Bug until Tuesday.", actor=SYSTEM)
    with pytest.raises(NotADraft, match="hypothesis are fixed"):
        update_experiment(experiment=running, hypothesis="Other.", actor=SYSTEM)
    assert Experiment.objects.get(pk=draft.pk).hypothesis == "Better."
    assert Experiment.objects.get(pk=running.pk).name == "Renamed"


# Variants and overrides


def test_another_number_of_variants_evens_the_targets_and_keeps_overrides_of_arms_that_stay(draft):
    set_override(experiment=draft, unit_id="qa-1", variant_key="control", actor=SYSTEM)
    set_override(experiment=draft, unit_id="qa-2", variant_key="treatment", actor=SYSTEM)
    three = [VariantInput("control", False), VariantInput("a", True), VariantInput("b", True, "B")]
    set_variants(experiment=draft, variants=three, actor=SYSTEM)
    assert draft.targets.get().weights_bp == [3_334, 3_333, 3_333]
    assert list(Override.objects.values_list("unit_id", "variant__key")) == [("qa-1", "control")]
    assert last_line(draft.project).before["variants"][1]["key"] == "treatment"


def test_an_override_is_published_and_can_be_removed(draft):
    revision = revision_of(draft.environment)
    set_override(experiment=draft, unit_id="qa", variant_key="control", actor=SYSTEM)
    set_override(experiment=draft, unit_id="qa", variant_key="treatment", actor=SYSTEM)
    assert Override.objects.get().variant.key == "treatment"
    remove_override(experiment=draft, unit_id="qa", actor=SYSTEM)
    assert revision_of(draft.environment) == revision + 3
    with pytest.raises(NotFound):
        remove_override(experiment=draft, unit_id="qa", actor=SYSTEM)


@pytest.mark.parametrize("unit_id", ["", "x" * 257, "ü" * 129, "a\x00b"])
def test_an_override_needs_a_real_unit_id(draft, unit_id):
    with pytest.raises(DomainError) as refused:
        set_override(experiment=draft, unit_id=unit_id, variant_key="control", actor=SYSTEM)
    assert refused.value.code == "invalid_unit_id"


def test_an_override_to_an_unknown_variant_names_the_known_ones(draft):
    with pytest.raises(DomainError, match="control, treatment"):
        set_override(experiment=draft, unit_id="qa", variant_key="other", actor=SYSTEM)


# The parts of the set-up


def test_targets_pin_the_newest_version_in_order(draft):
    segment = SegmentFactory(project=draft.project)
    newest = add_version(segment, {"attribute": "country", "op": "eq", "value": "FR"})
    targets = [TargetInput(segment, 2_000, [9_000, 1_000]), TargetInput()]
    set_targets(experiment=draft, targets=targets, actor=SYSTEM)
    stored = list(draft.targets.values_list("position", "segment_version", "share_bp"))
    assert stored == [(0, newest.pk, 2_000), (1, None, 10_000)]


def test_every_fault_of_the_targets_is_named_with_its_place_and_nothing_changes(draft):
    foreign = SegmentFactory()
    retired = SegmentFactory(project=draft.project, status="retired")
    targets = [
        TargetInput(foreign),
        TargetInput(retired),
        TargetInput(None, 10_001, [5_000, 4_999]),
        TargetInput(None, 1, [10_000]),
    ]
    with pytest.raises(InvalidInput) as refused:
        set_targets(experiment=draft, targets=targets, actor=SYSTEM)
    assert pointers(refused) == [
        "/targets/0/segment",
        "/targets/1/segment",
        "/targets/2/share_bp",
        "/targets/2/weights_bp",
        "/targets/3/weights_bp",
    ]
    assert "sum to 99.99 %" in refused.value.message
    assert draft.targets.count() == 1


def test_metrics_need_one_primary_margins_and_a_home_here(draft):
    own, foreign = MetricFactory(project=draft.project), MetricFactory()
    metrics = [
        MetricInput(own, MetricRole.PRIMARY),
        MetricInput(own, MetricRole.GUARDRAIL),
        MetricInput(foreign, MetricRole.PRIMARY),
        MetricInput(MetricFactory(project=draft.project), "decider", baseline_sd=0.0),
    ]
    with pytest.raises(InvalidInput) as refused:
        set_metrics(experiment=draft, metrics=metrics, actor=SYSTEM)
    assert sorted(pointers(refused)) == [
        "/metrics/1/margin",
        "/metrics/1/metric",
        "/metrics/2/metric",
        "/metrics/2/role",
        "/metrics/3/baseline_sd",
        "/metrics/3/role",
    ]
    assert draft.metrics.count() == 1


def test_a_plan_out_of_range_names_every_fault(draft):
    plan = PlanInput(mde=0, planned_n=0, alpha=0.5, power=1.0, min_days=10, max_days=5, stopping_rule="peek")
    with pytest.raises(InvalidInput) as refused:
        set_plan(experiment=draft, plan=plan, actor=SYSTEM)
    assert pointers(refused) == ["/mde", "/alpha", "/power", "/planned_n", "/max_days", "/stopping_rule"]
    assert Plan.objects.get(experiment=draft).mde == 0.1


def test_breakdowns_pin_the_newest_versions_once_each(draft):
    segment = SegmentFactory(project=draft.project)
    newest = add_version(segment, {"attribute": "country", "op": "eq", "value": "FR"})
    set_breakdowns(experiment=draft, segments=[segment, segment], actor=SYSTEM)
    assert list(draft.breakdowns.values_list("segment_version", flat=True)) == [newest.pk]
    assert last_line(draft.project).action == "experiment.breakdowns_set"


def test_every_part_is_fixed_at_launch(project):
    running = running_experiment(project=project)
    changes = [
        lambda: set_variants(experiment=running, variants=BOOLEAN_VARIANTS, actor=SYSTEM),
        lambda: set_targets(experiment=running, targets=[TargetInput()], actor=SYSTEM),
        lambda: set_metrics(experiment=running, metrics=[], actor=SYSTEM),
        lambda: set_plan(experiment=running, plan=PlanInput(mde=0.2, planned_n=10), actor=SYSTEM),
        lambda: set_breakdowns(experiment=running, segments=[], actor=SYSTEM),
        lambda: set_layer(experiment=running, layer=None, slots=[], actor=SYSTEM),
    ]
    before = Experiment.objects.get(pk=running.pk).revision
    for change in changes:
        with pytest.raises(NotADraft, match="fixed at launch"):
            change()
    assert Experiment.objects.get(pk=running.pk).revision == before


def test_every_change_counts_the_revision_and_keeps_the_audit_chain_whole(draft):
    revision = draft.revision
    set_targets(experiment=draft, targets=[TargetInput(None, 5_000)], actor=SYSTEM)
    set_plan(experiment=draft, plan=PlanInput(mde=0.2, planned_n=10), actor=SYSTEM)
    assert Experiment.objects.get(pk=draft.pk).revision == revision + 2
    assert broken_entry(draft.project) is None


# Holdout and layers


def test_a_holdout_is_set_published_and_ended(production):
    holdout = set_holdout(environment=production, share_bp=500, actor=SYSTEM)
    assert holdout.share_bp == 500
    assert revision_of(production) == 1
    assert last_line(production.project).after == {"share_bp": 500}
    set_holdout(environment=production, share_bp=0, actor=SYSTEM)
    assert not Holdout.objects.exists()


def test_a_holdout_cannot_change_while_experiments_run(project, production):
    set_holdout(environment=production, share_bp=500, actor=SYSTEM)
    running_experiment(project=project)
    with pytest.raises(HoldoutInUse, match="Complete them first"):
        set_holdout(environment=production, share_bp=600, actor=SYSTEM)
    assert set_holdout(environment=production, share_bp=500, actor=SYSTEM).share_bp == 500


def test_a_holdout_takes_a_fifth_at_most(production):
    with pytest.raises(DomainError, match="0 to 20 %"):
        set_holdout(environment=production, share_bp=2_001, actor=SYSTEM)


def test_a_draft_claims_slots_of_a_layer(draft):
    layer = create_layer(environment=draft.environment, key="checkout", actor=SYSTEM)
    set_layer(experiment=draft, layer=layer, slots=[(5_000, 6_000), (0, 1_000)], actor=SYSTEM)
    draft.refresh_from_db()
    assert draft.layer_slots == [[0, 1_000], [5_000, 6_000]]
    with pytest.raises(KeyTaken):
        create_layer(environment=draft.environment, key="checkout", actor=SYSTEM)


@pytest.mark.parametrize("slots", [[(0, 10_001)], [(5, 5)], [(6, 5)], [(0, 10), (9, 20)], [(-1, 5)]])
def test_slot_ranges_that_cannot_be_are_refused(draft, slots):
    layer = create_layer(environment=draft.environment, key="checkout", actor=SYSTEM)
    with pytest.raises(DomainError) as refused:
        set_layer(experiment=draft, layer=layer, slots=slots, actor=SYSTEM)
    assert refused.value.code == "invalid_slots"


# What the database itself holds


def test_the_database_refuses_what_services_would_never_write(draft):
    primary = draft.metrics.get()
    other = MetricFactory(project=draft.project)
    attempts = {
        "one_primary_metric": lambda: ExperimentMetric.objects.create(
            experiment=draft, metric=other, role="primary"
        ),
        "guardrail_has_margin": lambda: ExperimentMetric.objects.create(
            experiment=draft, metric=other, role="guardrail"
        ),
        "metric_once_per_experiment": lambda: ExperimentMetric.objects.create(
            experiment=draft, metric=primary.metric, role="secondary"
        ),
        "variant_key_once": lambda: Variant.objects.create(
            experiment=draft, index=7, key="control", name="x", value=0
        ),
        "experiment_started_when_live": lambda: Experiment.objects.filter(pk=draft.pk).update(
            status="running"
        ),
        "experiment_ships_a_variant": lambda: Experiment.objects.filter(pk=draft.pk).update(decision="ship"),
        "experiment_decision_known": lambda: Experiment.objects.filter(pk=draft.pk).update(decision="maybe"),
        "plan_days_in_order": lambda: Plan.objects.filter(experiment=draft).update(min_days=90),
    }
    for name, attempt in attempts.items():
        with pytest.raises(IntegrityError, match=name), transaction.atomic():
            attempt()
