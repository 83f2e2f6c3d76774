"""Reads that pages, the API and the services share."""

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Count, Max, Prefetch, Q, QuerySet, Value

from accounts.models import AuditEntry, Environment, Project
from experiments.launch_facts import (
    LaunchFacts,
    LayerFacts,
    MetricFacts,
    PlanFacts,
    SegmentFacts,
    TargetFacts,
    VariantFacts,
)
from experiments.models import (
    Breakdown,
    Experiment,
    ExperimentMetric,
    Flag,
    Metric,
    MetricRole,
    Origin,
    Plan,
    Status,
    Target,
)
from segments.models import Segment, SegmentStatus, SegmentVersion

LIVE = (Status.RUNNING, Status.PAUSED)


def flags_of(project: Project) -> QuerySet[Flag]:
    """Return a project's flags by key, each with the number of experiments on it, live and in all."""
    return (
        Flag.objects.filter(project=project)
        .annotate(
            experiment_count=Count("experiments"),
            live_count=Count("experiments", filter=Q(experiments__status__in=LIVE)),
        )
        .order_by("key")
    )


def metrics_of(project: Project) -> QuerySet[Metric]:
    """Return a project's metrics by name, each with the number of experiments that use it."""
    return (
        Metric.objects.filter(project=project)
        .annotate(
            use_count=Count("uses"), live_count=Count("uses", filter=Q(uses__experiment__status__in=LIVE))
        )
        .order_by("name", "id")
    )


def experiments_of(project: Project) -> QuerySet[Experiment]:
    """Return a project's experiments, newest first, with what a list shows of each."""
    primary = ExperimentMetric.objects.filter(role=MetricRole.PRIMARY).select_related("metric")
    return (
        Experiment.objects.filter(project=project)
        .select_related("flag", "environment", "owner", "plan", "decided_variant")
        .prefetch_related("variants", Prefetch("metrics", queryset=primary, to_attr="primary_metrics"))
        .order_by("-id")
    )


def full_experiments(environment: Environment) -> QuerySet[Experiment]:
    """Return an environment's experiments with every part of their set-up, for the API."""
    return (
        Experiment.objects.filter(environment=environment)
        .select_related("flag", "environment", "layer", "plan", "decided_variant", "owner")
        .prefetch_related(
            "variants",
            Prefetch("targets", Target.objects.select_related("segment_version__segment")),
            Prefetch("metrics", ExperimentMetric.objects.select_related("metric").order_by("id")),
            Prefetch(
                "breakdowns", Breakdown.objects.select_related("segment_version__segment").order_by("id")
            ),
            "phases",
        )
    )


def history_of(experiment: Experiment) -> QuerySet[AuditEntry]:
    """Return the audit lines about an experiment, newest first."""
    return AuditEntry.objects.filter(
        project_id=experiment.project_id, target_type="experiment", target_id=experiment.public_id
    ).order_by("-id")


def live_experiments(environment: Environment) -> QuerySet[Experiment]:
    """Return what Strata assigns right now in an environment, paused ones included."""
    return Experiment.objects.filter(environment=environment, status__in=LIVE, origin=Origin.STRATA)


def launch_facts(experiment: Experiment) -> LaunchFacts:
    """Collect what the launch check looks at, in a fixed number of queries."""
    flag = experiment.flag
    targets = list(experiment.targets.order_by("position"))
    pinned = list(experiment.breakdowns.order_by("id").values_list("segment_version_id", flat=True))
    segments = _segment_facts([*(t.segment_version_id for t in targets if t.segment_version_id), *pinned])
    plan = Plan.objects.filter(experiment=experiment).first()
    rival = live_experiments(experiment.environment).filter(flag=flag).exclude(pk=experiment.pk).first()
    return LaunchFacts(
        hypothesis=experiment.hypothesis,
        unit_type=experiment.unit_type,
        flag_key=flag.key,
        flag_type=flag.type,
        flag_enabled=flag.enabled,
        flag_default=flag.default_value,
        live_on_flag=rival.name if rival else "",
        variants=tuple(VariantFacts(v.key, v.value) for v in experiment.variants.order_by("index")),
        targets=tuple(
            TargetFacts(
                segment=segments[t.segment_version_id] if t.segment_version_id else None,
                share_bp=t.share_bp,
                weights_bp=tuple(t.weights_bp),
            )
            for t in targets
        ),
        metrics=tuple(
            MetricFacts(m.metric.name, m.role, m.margin, m.metric.window_days)
            for m in experiment.metrics.select_related("metric").order_by("id")
        ),
        plan=PlanFacts(plan.min_days, plan.max_days) if plan else None,
        breakdowns=tuple(segments[pk] for pk in pinned),
        layer=_layer_facts(experiment),
        assigned_elsewhere=experiment.origin == Origin.IMPORTED,
    )


def _segment_facts(version_ids: list[int]) -> dict[int, SegmentFacts]:
    versions = (
        SegmentVersion.objects.filter(pk__in=version_ids)
        .select_related("segment")
        .annotate(latest=Max("segment__versions__number"))
    )
    return {
        version.pk: SegmentFacts(
            key=version.segment.key,
            name=version.segment.name,
            unit_type=version.segment.unit_type,
            is_retired=version.segment.status == SegmentStatus.RETIRED,
            version=version.number,
            latest=version.latest,
        )
        for version in versions
    }


def _layer_facts(experiment: Experiment) -> LayerFacts | None:
    if experiment.layer is None:
        return None
    others = experiment.layer.experiments.filter(status__in=LIVE).exclude(pk=experiment.pk)
    return LayerFacts(
        name=experiment.layer.key,
        ranges=_ranges(experiment.layer_slots),
        others=tuple((other.name, _ranges(other.layer_slots)) for other in others),
    )


def _ranges(stored: list[list[int]]) -> tuple[tuple[int, int], ...]:
    return tuple((start, end) for start, end in stored)


def experiments_using(segment: Segment) -> QuerySet[Experiment]:
    """Return the experiments that target a version of a segment or report by one, newest first.

    Adds targeted and reported: the version numbers in each part.
    """

    def numbers(path: str) -> ArrayAgg:
        return ArrayAgg(
            f"{path}__segment_version__number",
            filter=Q(**{f"{path}__segment_version__segment": segment}),
            distinct=True,
            default=Value([]),
        )

    return (
        Experiment.objects.filter(
            Q(targets__segment_version__segment=segment) | Q(breakdowns__segment_version__segment=segment)
        )
        .annotate(targeted=numbers("targets"), reported=numbers("breakdowns"))
        .order_by("-id")
    )
