"""Metrics: the definitions that experiments choose from."""

import math
from collections.abc import Iterator
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from accounts.audit import Actor, record
from accounts.models import Project
from core.errors import InvalidInput, Problem
from experiments.documents import metric_document
from experiments.errors import KeyTaken, MetricInUse
from experiments.models import Direction, Metric
from experiments.queries import LIVE

_WORDS = {"name", "description", "unit_label"}
_DEFINITION = {"kind", "event_name", "window_days", "cap", "direction"}


@transaction.atomic
def create_metric(
    *,
    project: Project,
    key: str,
    name: str,
    kind: str,
    event_name: str,
    actor: Actor,
    window_days: int | None = None,
    cap: float | None = None,
    direction: str = Direction.INCREASE,
    description: str = "",
    unit_label: str = "",
) -> Metric:
    """Make a metric. Raises KeyTaken, and InvalidInput with every fault found."""
    metric = Metric(
        project=project,
        key=key,
        name=name,
        kind=kind,
        event_name=event_name,
        window_days=window_days,
        cap=cap,
        direction=direction,
        description=description,
        unit_label=unit_label,
    )
    _require_valid(metric)
    if Metric.objects.filter(project=project, key=key).exists():
        raise KeyTaken(
            f"A metric with the key {key} exists already. Use it, or choose another key.", pointer="/key"
        )
    metric.save()
    record(
        project=project, actor=actor, action="metric.created", target=metric, after=metric_document(metric)
    )
    return metric


@transaction.atomic
def update_metric(*, metric: Metric, actor: Actor, **changes: Any) -> Metric:
    """Change a metric; its key is fixed. Nothing is written when nothing changes.

    Raises MetricInUse when the definition would change while a running or paused experiment is read by it.
    """
    unknown = set(changes) - _WORDS - _DEFINITION
    if unknown:
        raise InvalidInput(
            [
                Problem(f"/{field}", "fixed", f"{field} of a metric cannot change.")
                for field in sorted(unknown)
            ]
        )
    metric.refresh_from_db(from_queryset=Metric.objects.select_for_update(no_key=True))
    before = metric_document(metric)
    for field, value in changes.items():
        setattr(metric, field, value)
    _require_valid(metric)
    after = metric_document(metric)
    changed = [field for field in after if after[field] != before[field]]
    if not changed:
        return metric
    _require_unused(metric, [field for field in changed if field in _DEFINITION])
    metric.save(update_fields=changed)
    record(
        project=metric.project,
        actor=actor,
        action="metric.changed",
        target=metric,
        before=before,
        after=after,
    )
    return metric


def _require_unused(metric: Metric, changed: list[str]) -> None:
    if not changed:
        return
    users = metric.uses.filter(experiment__status__in=LIVE).values_list("experiment__name", flat=True)
    if users:
        raise MetricInUse(
            f"“{metric.name}” is read by running experiments ({', '.join(users[:5])}), so {', '.join(changed)} cannot "
            "change now: their results would change their meaning. Make a new metric, or complete them first.",
            pointer=f"/{changed[0]}",
        )


def _require_valid(metric: Metric) -> None:
    faults = list(_range_faults(metric))
    try:
        metric.full_clean(exclude=["project", "public_id"], validate_unique=False, validate_constraints=False)
    except ValidationError as error:
        faults += [
            Problem(f"/{field}", "invalid", " ".join(messages))
            for field, messages in error.message_dict.items()
        ]
    if faults:
        raise InvalidInput(faults)


def _range_faults(metric: Metric) -> Iterator[Problem]:
    if metric.window_days is not None and metric.window_days < 1:
        yield Problem("/window_days", "invalid", "A window has at least 1 day; leave it empty for no limit.")
    if metric.cap is not None and not 0 < metric.cap < math.inf:
        yield Problem("/cap", "invalid", "A cap is a number above 0; leave it empty for none.")
