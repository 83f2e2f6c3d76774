"""Adequacy before launch: every audience of a draft against its plan."""

from dataclasses import dataclass
from datetime import datetime

from analysis.adequacy import AdequacyRow, Shares, assess_traffic
from analysis.history import audiences_of, read_traffic
from analysis.inputs import PlanFacts
from analysis.queries.inputs import metric_facts, plan_facts
from core.errors import DomainError
from experiments.models import Experiment, ExperimentMetric, MetricRole


@dataclass(frozen=True, slots=True)
class Planning:
    """The plan, the metric it is about, and one line for each audience."""

    plan: PlanFacts
    metric: str
    rows: tuple[AdequacyRow, ...]


def plan_traffic(experiment: Experiment, *, now: datetime) -> Planning:
    """Return how long each target and segment needs. Raises DomainError naming what the set-up lacks."""
    plan = plan_facts(experiment)
    use = (
        ExperimentMetric.objects.filter(experiment=experiment, role=MetricRole.PRIMARY)
        .select_related("metric")
        .first()
    )
    if use is None:
        raise DomainError(
            "There is no primary metric yet; choose one on the set-up page.", code="no_primary_metric"
        )
    metric = metric_facts(use)
    shares = _shares(experiment)
    rows = tuple(
        assess_traffic(read_traffic(experiment, audience, metric, use, plan, now), plan, shares)
        for audience in audiences_of(experiment)
    )
    return Planning(plan=plan, metric=metric.name, rows=rows)


def _shares(experiment: Experiment) -> Shares:
    """Return the planned split of the first target (equal arms where none is known)."""
    target = experiment.targets.order_by("position").first()
    arms = experiment.variants.count()
    if arms < 2:
        raise DomainError(
            "An experiment needs at least two variants; add one on the set-up page.", code="no_variants"
        )
    weights = [weight / 10_000 for weight in target.weights_bp] if target else []
    treatments = [weight for weight in weights[1:] if weight > 0.0]
    if len(weights) != arms or weights[0] <= 0.0 or not treatments:
        return Shares(1.0 / arms, 1.0 / arms, arms)
    return Shares(weights[0], min(treatments), arms)
