"""Compile an environment's published flags and experiments from the database into one immutable snapshot."""

import logging
from collections.abc import Iterable, Mapping

from django.db.models import Max, Prefetch, QuerySet

from accounts.models import ApiKey, Environment
from assignments.bucketing import HASH_VERSION
from assignments.document import (
    ExperimentConfig,
    FlagConfig,
    KeyConfig,
    OverrideConfig,
    SegmentConfig,
    SlotRanges,
    Snapshot,
    TargetConfig,
    VariantConfig,
)
from assignments.document_json import live_segment
from core.errors import DomainError
from core.strict_json import JsonValue
from experiments.allocation import SLOTS, parse_allocation
from experiments.models import (
    ConfigRevision,
    Experiment,
    Flag,
    FlagType,
    Holdout,
    Origin,
    Override,
    Status,
    Target,
)
from segments.models import SegmentVersion
from segments.rules import AllOf, AnyOf, InSegment, Not, Rule, RuleError, encode_document, parse, references

log = logging.getLogger(__name__)

SERVED = (Status.RUNNING, Status.PAUSED)
# A tester may look at a variant before the launch.
OVERRIDABLE = (*SERVED, Status.DRAFT)


class UnknownHashVersion(DomainError):
    """The experiment was assigned by a draw that this code does not know."""

    code = "unknown_hash_version"


def compile_snapshot(environment_id: int) -> Snapshot:
    """Read the published configuration of one environment in a fixed number of queries.

    An experiment that cannot be compiled is logged and left out: its flag serves the default value.
    Raises Environment.DoesNotExist.
    """
    environment = Environment.objects.select_related("project").get(pk=environment_id)
    # Read first: a change while the rest is read has a higher revision and is compiled again.
    revision = ConfigRevision.objects.filter(environment=environment).aggregate(at=Max("revision"))["at"] or 0
    experiments = list(_served_experiments(environment))
    segments = segment_configs(
        [t.segment_version for e in experiments for t in e.targets.all() if t.segment_version]
    )
    holdout = _holdout(environment)
    compiled = {
        e.flag_id: config for e in experiments if (config := _safely(e, environment, holdout, segments))
    }
    overrides = _overrides(environment)
    return Snapshot(
        environment_id=environment.pk,
        project_id=environment.project_id,
        environment=environment.slug,
        revision=revision,
        flags={
            flag.key: _flag(flag, compiled.get(flag.pk), overrides.get(flag.pk, {}))
            for flag in Flag.objects.filter(project=environment.project_id).order_by("key")
        },
        keys={
            key.secret_hash: KeyConfig(key.public_id, key.kind, tuple(key.allowed_origins))
            for key in ApiKey.objects.filter(environment=environment, revoked_at=None).order_by("pk")
        },
    )


def _served_experiments(environment: Environment) -> QuerySet[Experiment]:
    return (
        Experiment.objects.filter(environment=environment, status__in=SERVED, origin=Origin.STRATA)
        .select_related("flag", "layer")
        .annotate(phase=Max("phases__number"))
        .prefetch_related(
            "variants", "breakdowns", Prefetch("targets", Target.objects.select_related("segment_version"))
        )
    )


def _safely(
    experiment: Experiment,
    environment: Environment,
    holdout: SlotRanges | None,
    segments: Mapping[int, SegmentConfig],
) -> ExperimentConfig | None:
    try:
        return _experiment(experiment, environment, holdout, segments)
    except DomainError as error:
        log.error("experiment %s is not served: %s", experiment.public_id, error.message)
        return None


def _experiment(
    experiment: Experiment,
    environment: Environment,
    holdout: SlotRanges | None,
    segments: Mapping[int, SegmentConfig],
) -> ExperimentConfig:
    if experiment.hash_version != HASH_VERSION:
        raise UnknownHashVersion(
            f"hash version {experiment.hash_version} is unknown; {HASH_VERSION} is known"
        )
    variants = list(experiment.variants.all())
    return ExperimentConfig(
        id=experiment.pk,
        public_id=experiment.public_id,
        key=experiment.key,
        salt=experiment.salt,
        unit_type=experiment.unit_type,
        hash_version=experiment.hash_version,
        paused=experiment.status == Status.PAUSED,
        frozen=experiment.frozen,
        phase=experiment.phase or 1,  # type: ignore[attr-defined]  # annotated
        variants=tuple(VariantConfig(v.key, _typed(v.value, experiment.flag.type)) for v in variants),
        targets=tuple(
            TargetConfig(
                position=target.position,
                segment=segments[target.segment_version_id] if target.segment_version_id else None,
                allocation=parse_allocation(target.allocation, variants=len(variants)),
            )
            for target in experiment.targets.all()
        ),
        layer=_layer(experiment),
        holdout=holdout,
        consent_required=environment.project.consent_required,
        breakdowns=tuple(sorted(b.segment_version_id for b in experiment.breakdowns.all())),
    )


def _flag(
    flag: Flag, experiment: ExperimentConfig | None, overrides: Mapping[str, OverrideConfig]
) -> FlagConfig:
    return FlagConfig(
        key=flag.key,
        type=flag.type,
        enabled=flag.enabled,
        default=_typed(flag.default_value, flag.type),
        auto_exposure=flag.auto_exposure,
        experiment=experiment,
        overrides=overrides,
    )


def _typed(value: JsonValue, flag_type: str) -> JsonValue:
    """Return a whole number of a float flag as a float: 1 would reach a typed client as an integer."""
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return float(value) if flag_type == FlagType.FLOAT and is_whole else value  # type: ignore[arg-type]


def _layer(experiment: Experiment) -> SlotRanges | None:
    if experiment.layer is None:
        return None
    return SlotRanges(experiment.layer.salt, tuple((start, end) for start, end in experiment.layer_slots))


def _holdout(environment: Environment) -> SlotRanges | None:
    holdout = Holdout.objects.filter(environment=environment, share_bp__gt=0).first()
    return SlotRanges(holdout.salt, ((0, min(holdout.share_bp, SLOTS)),)) if holdout else None


def _overrides(environment: Environment) -> dict[int, dict[str, OverrideConfig]]:
    """Return unit id to override by flag; where several experiments of a flag name a unit, a live one wins."""
    rows = (
        Override.objects.filter(experiment__environment=environment, experiment__status__in=OVERRIDABLE)
        .select_related("experiment__flag", "variant")
        .order_by("experiment_id")
    )
    found: dict[int, dict[str, OverrideConfig]] = {}
    for row in sorted(rows, key=lambda row: row.experiment.status not in SERVED):
        flag = row.experiment.flag
        variant = VariantConfig(row.variant.key, _typed(row.variant.value, flag.type))
        found.setdefault(flag.pk, {}).setdefault(
            row.unit_id, OverrideConfig(row.experiment.public_id, variant)
        )
    return found


def segment_configs(versions: Iterable[SegmentVersion]) -> dict[int, SegmentConfig]:
    """Make each pinned version ready: by its rule where attributes decide alone, else by stored membership."""
    wanted = {version.pk: version for version in versions}
    rules = {pk: parse(version.rule) for pk, version in wanted.items() if not version.needs_stored_facts}
    named = _named_rules(rules.values())
    return {pk: _segment(pk, rules.get(pk), named) for pk in wanted}


def _segment(version_id: int, rule: Rule | None, named: Mapping[tuple[str, int], Rule]) -> SegmentConfig:
    if rule is None:
        return SegmentConfig(version_id)
    try:
        return live_segment(version_id, encode_document(_inlined(rule, named)))
    except RuleError:
        # Too large once the segments it names are written out: its stored membership says the same.
        return SegmentConfig(version_id)


def _named_rules(rules: Iterable[Rule]) -> dict[tuple[str, int], Rule]:
    """Return the rules of all segments that these rules name, and that those name."""
    found: dict[tuple[str, int], Rule] = {}
    names = {name for rule in rules for name in references(rule).segments}
    while names:
        versions = SegmentVersion.objects.filter(segment__public_id__in=names).select_related("segment")
        fresh = {(v.segment.public_id, v.number): parse(v.rule) for v in versions}
        found.update(fresh)
        known = {name for name, _ in found}
        names = {name for rule in fresh.values() for name in references(rule).segments} - known
    return found


def _inlined(rule: Rule, named: Mapping[tuple[str, int], Rule]) -> Rule:
    """Return the rule with every segment it names replaced by that segment's own rule."""
    match rule:
        case AllOf(nodes):
            return AllOf(tuple(_inlined(node, named) for node in nodes))
        case AnyOf(nodes):
            return AnyOf(tuple(_inlined(node, named) for node in nodes))
        case Not(child):
            return Not(_inlined(child, named))
        case InSegment(segment, int() as version):
            return _inlined(named[segment, version], named)
        case _:
            return rule
