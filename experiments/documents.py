"""What an experiment, a flag or a metric says, as plain documents for the audit trail."""

from typing import Any

from experiments.models import Experiment, Flag, Metric, Plan

Document = dict[str, Any]


def flag_document(flag: Flag) -> Document:
    """Return everything that can be changed of a flag, and its type."""
    fields = ("key", "name", "description", "type", "default_value", "enabled", "auto_exposure")
    return {field: getattr(flag, field) for field in fields}


def metric_document(metric: Metric) -> Document:
    """Return the definition of a metric."""
    fields = (
        "key",
        "name",
        "description",
        "kind",
        "event_name",
        "window_days",
        "cap",
        "direction",
        "unit_label",
    )
    return {field: getattr(metric, field) for field in fields}


def description_document(experiment: Experiment) -> Document:
    """Return the words of an experiment."""
    fields = ("key", "name", "hypothesis", "note", "unit_type")
    return {field: getattr(experiment, field) for field in fields}


def variants_document(experiment: Experiment) -> Document:
    """Return the arms in order."""
    rows = experiment.variants.order_by("index").values("key", "name", "value")
    return {"variants": list(rows)}


def targets_document(experiment: Experiment) -> Document:
    """Return the targets in order, each with the segment version it pins and its allocation."""
    rows = experiment.targets.select_related("segment_version__segment").order_by("position")
    return {
        "targets": [
            {
                "segment": str(row.segment_version) if row.segment_version else "everyone",
                "share_bp": row.share_bp,
                "weights_bp": row.weights_bp,
                "allocation": row.allocation,
            }
            for row in rows
        ]
    }


def metrics_document(experiment: Experiment) -> Document:
    """Return the metrics with their roles."""
    fields = ("metric__key", "role", "margin", "baseline_mean", "baseline_sd")
    rows = experiment.metrics.order_by("id").values(*fields)
    return {"metrics": [{key.removeprefix("metric__"): value for key, value in row.items()} for row in rows]}


def plan_document(experiment: Experiment) -> Document | None:
    """Return the plan, or None when there is none."""
    fields = [field.name for field in Plan._meta.fields if field.name not in ("id", "experiment")]
    return Plan.objects.filter(experiment=experiment).values(*fields).first()


def breakdowns_document(experiment: Experiment) -> Document:
    """Return the segment versions by which results are reported."""
    rows = experiment.breakdowns.select_related("segment_version__segment").order_by("id")
    return {"breakdowns": [str(row.segment_version) for row in rows]}


def layer_document(experiment: Experiment) -> Document:
    """Return the layer and the slots claimed in it."""
    return {"layer": experiment.layer.key if experiment.layer else None, "slots": experiment.layer_slots}


def status_document(experiment: Experiment) -> Document:
    """Return where an experiment is in its life, and what was decided."""
    return {
        "status": experiment.status,
        "pause_reason": experiment.pause_reason,
        "decision": experiment.decision,
        "decided_variant": experiment.decided_variant.key if experiment.decided_variant else None,
        "decision_reason": experiment.decision_reason,
    }
