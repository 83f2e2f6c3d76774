"""Compiling an environment: what is in, what is left out, and at what cost."""

from typing import Any

from accounts.audit import SYSTEM
from accounts.keys import hash_secret, revoke_key
from accounts.models import ApiKey, Environment, KeyKind, Project
from assignments.document_json import dump_snapshot, load_snapshot
from assignments.snapshot import compile_snapshot
from experiments.models import Experiment, Target
from experiments.services import (
    TargetInput,
    complete_experiment,
    create_layer,
    pause_experiment,
    set_breakdowns,
    set_holdout,
    set_layer,
    set_override,
    start_experiment,
    update_flag,
)
from tests.factories import ExperimentFactory, FlagFactory, SegmentFactory, make_key, running_experiment


def test_a_running_experiment_is_served_with_all_it_pins(project: Project, environment: Environment) -> None:
    segment, reported = SegmentFactory(project=project), SegmentFactory(project=project)
    draft = ExperimentFactory(
        project=project, targets=(TargetInput(segment=segment, share_bp=1_000), TargetInput())
    )
    set_breakdowns(experiment=draft, segments=[reported], actor=SYSTEM)
    layer = create_layer(environment=environment, key="page", actor=SYSTEM)
    set_layer(experiment=draft, layer=layer, slots=[(0, 2_000)], actor=SYSTEM)
    set_holdout(environment=environment, share_bp=500, actor=SYSTEM)
    set_override(experiment=draft, unit_id="qa", variant_key="treatment", actor=SYSTEM)
    start_experiment(experiment=draft, actor=SYSTEM)
    flag = compile_snapshot(environment.pk).flags[draft.flag.key]
    served = flag.experiment
    assert served is not None
    assert (served.public_id, served.salt, served.phase) == (draft.public_id, draft.salt, 1)
    assert [v.value for v in served.variants] == [False, True]
    assert [t.position for t in served.targets] == [0, 1]
    first, everyone = served.targets
    assert first.segment is not None
    assert (first.segment.version_id, first.segment.attributes) == (segment.latest_version.pk, {"country"})
    assert everyone.segment is None
    assert served.layer is not None
    assert served.layer.ranges == ((0, 2_000),)
    assert served.holdout is not None
    assert served.holdout.ranges == ((0, 500),)
    assert served.segment_versions == tuple(sorted([segment.latest_version.pk, reported.latest_version.pk]))
    assert flag.overrides["qa"].variant.key == "treatment"


def test_a_behavioural_target_is_served_by_membership(project: Project, environment: Environment) -> None:
    segment = SegmentFactory(
        project=project, rule={"event": "purchase", "aggregate": "count", "op": "gte", "value": 1}
    )
    experiment = running_experiment(project=project, targets=(TargetInput(segment=segment),))
    served = compile_snapshot(environment.pk).flags[experiment.flag.key].experiment
    assert served is not None
    assert served.frozen
    assert served.targets[0].segment is not None
    assert served.targets[0].segment.rule is None


def test_only_running_and_paused_experiments_of_this_environment_are_served(
    project: Project, environment: Environment
) -> None:
    draft = ExperimentFactory(project=project)
    set_override(experiment=draft, unit_id="qa", variant_key="treatment", actor=SYSTEM)
    paused, done = running_experiment(project=project), running_experiment(project=project)
    pause_experiment(experiment=paused, reason="test", actor=SYSTEM)
    complete_experiment(experiment=done, decision="stop", reason="test", actor=SYSTEM)
    flags = compile_snapshot(environment.pk).flags
    assert flags[draft.flag.key].experiment is None
    assert list(flags[draft.flag.key].overrides) == ["qa"]
    assert flags[paused.flag.key].experiment is not None
    assert flags[paused.flag.key].experiment.paused  # type: ignore[union-attr]
    assert flags[done.flag.key].experiment is None
    staging = project.environments.get(slug="staging")
    assert compile_snapshot(staging.pk).flags[paused.flag.key].experiment is None


def test_every_published_change_has_a_higher_revision(project: Project, environment: Environment) -> None:
    experiment = running_experiment(project=project)
    before = compile_snapshot(environment.pk)
    update_flag(flag=experiment.flag, actor=SYSTEM, enabled=False)
    after = compile_snapshot(environment.pk)
    assert after.revision > before.revision
    assert after.flags[experiment.flag.key].enabled is False


def test_keys_are_known_by_digest_until_revoked(environment: Environment) -> None:
    secret = make_key(environment, kind=KeyKind.SDK_CLIENT, allowed_origins=["https://a.example"])
    key = compile_snapshot(environment.pk).keys[hash_secret(secret)]
    assert (key.kind, key.allowed_origins) == ("sdk_client", ("https://a.example",))
    assert secret not in str(dump_snapshot(compile_snapshot(environment.pk)))
    revoke_key(key=ApiKey.objects.get(), actor=SYSTEM)
    assert compile_snapshot(environment.pk).keys == {}


def test_a_broken_experiment_leaves_the_others_served(
    project: Project, environment: Environment, caplog: Any
) -> None:
    broken, sound = running_experiment(project=project), running_experiment(project=project)
    Target.objects.filter(experiment=broken).update(allocation=[[5, 0]])
    foreign = running_experiment(project=project)
    Experiment.objects.filter(pk=foreign.pk).update(hash_version=9)
    flags = compile_snapshot(environment.pk).flags
    assert flags[broken.flag.key].experiment is None
    assert flags[foreign.flag.key].experiment is None
    assert flags[sound.flag.key].experiment is not None
    assert broken.public_id in caplog.text
    assert "hash version 9" in caplog.text


def test_the_number_of_queries_does_not_grow_with_the_number_of_experiments(
    project: Project, environment: Environment, django_assert_max_num_queries: Any
) -> None:
    for _ in range(6):
        running_experiment(project=project, targets=(TargetInput(segment=SegmentFactory(project=project)),))
    with django_assert_max_num_queries(11):
        snapshot = compile_snapshot(environment.pk)
    assert sum(flag.experiment is not None for flag in snapshot.flags.values()) == 6
    assert load_snapshot(dump_snapshot(snapshot)) == snapshot


def test_an_environment_without_anything_is_empty(environment: Environment, project: Project) -> None:
    snapshot = compile_snapshot(environment.pk)
    assert (snapshot.flags, snapshot.keys, snapshot.environment) == ({}, {}, "production")
    FlagFactory(project=project, key="plain")
    assert list(compile_snapshot(environment.pk).flags) == ["plain"]
