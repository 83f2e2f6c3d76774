"""What the past says about an audience: how many of its units are active, and what a metric is there today."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import connection
from django.db.utils import OperationalError

from analysis.adequacy import Traffic, given_baseline, observed_baseline
from analysis.inputs import MetricFacts, PlanFacts
from analysis.moments import EVERYONE, CellSums
from analysis.stats.arms import ArmEstimate
from analysis.stats.estimable import NotEstimable
from analysis.sums import SumTable, estimate_arm
from experiments.models import Experiment, ExperimentMetric, Target
from segments.compiler import Query, Scope, compile_members
from segments.models import SegmentVersion
from segments.queries.definitions import open_rule_book
from segments.queries.membership import time_limit
from segments.rules import parse

HISTORY_DAYS = 28
TIME_LIMIT_MS = 4_000

EVERYBODY = (
    "SELECT unit_id FROM events_profile WHERE environment_id = %(environment)s AND unit_type = %(unit_type)s"
)

VALUES = {
    "conversion": "LEAST(count(e.event_id), 1)::numeric",
    "count": "count(e.event_id)::numeric",
    "sum": "COALESCE(sum(e.value::numeric), 0)",
    "mean": "COALESCE(sum({value}), 0)",
}


@dataclass(frozen=True, slots=True)
class Audience:
    """Everyone (version None) or a segment version, and the share of its traffic that is let in."""

    name: str
    sentence: str
    version: SegmentVersion | None
    share: float


def audiences_of(experiment: Experiment) -> list[Audience]:
    """Return the targets in order, then the breakdowns that are no target, each once."""
    targets = list(experiment.targets.select_related("segment_version__segment"))
    found = [_target_audience(target) for target in targets]
    share = max((audience.share for audience in found), default=1.0)
    known = {audience.version.pk for audience in found if audience.version is not None}
    for breakdown in experiment.breakdowns.select_related("segment_version__segment"):
        version = breakdown.segment_version
        if version.pk not in known:
            known.add(version.pk)
            found.append(Audience(version.segment.name, version.sentence, version, share))
    return found


def read_traffic(
    experiment: Experiment,
    audience: Audience,
    metric: MetricFacts,
    use: ExperimentMetric,
    plan: PlanFacts,
    now: datetime,
) -> Traffic:
    """Read one audience's traffic and baseline: numbers given in the plan come first, then history."""
    sums = _history(experiment, audience, metric, now, _window_days(metric, plan))
    if sums is None:
        reason = NotEstimable(f"its history could not be read within {TIME_LIMIT_MS // 1000} seconds")
        return Traffic(audience.name, audience.sentence, audience.version is None, 0, 0.0, reason, "")
    daily = sums.n / HISTORY_DAYS * audience.share
    source = f"active units of the last {HISTORY_DAYS} days"
    if plan.daily_units is not None and audience.version is None:
        daily, source = plan.daily_units, "new units a day as given in the plan"
    given = given_baseline(metric, use.baseline_mean, use.baseline_sd)
    observed = observed_baseline(metric, _estimate(metric, sums))
    if isinstance(given, NotEstimable) or (
        audience.version is not None and not isinstance(observed, NotEstimable)
    ):
        return Traffic(
            audience.name,
            audience.sentence,
            audience.version is None,
            sums.n,
            daily,
            observed,
            f"{source}, baseline from them",
        )
    return Traffic(
        audience.name,
        audience.sentence,
        audience.version is None,
        sums.n,
        daily,
        given,
        f"{source}, baseline as given",
    )


def _target_audience(target: Target) -> Audience:
    version = target.segment_version
    sentence = version.sentence if version else "All units."
    return Audience(str(target), sentence, version, target.share_bp / 10_000)


def _window_days(metric: MetricFacts, plan: PlanFacts) -> int:
    return min(HISTORY_DAYS, metric.spec.window_days or plan.max_days)


def _estimate(metric: MetricFacts, sums: CellSums) -> ArmEstimate | NotEstimable:
    return estimate_arm(metric, SumTable(metric, [sums]).sums(0))


def _history(
    experiment: Experiment, audience: Audience, metric: MetricFacts, now: datetime, window_days: int
) -> CellSums | None:
    """Sum the metric over the audience's active units, as if all had been exposed `window_days` ago."""
    members = _members(experiment, audience, now)
    parameters = {
        **members.params,
        "environment": experiment.environment_id,
        "unit_type": experiment.unit_type,
        "event": metric.spec.event_name,
        "active_since": now - timedelta(days=HISTORY_DAYS),
        "counted_since": now - timedelta(days=window_days),
        "now": now,
    }
    try:
        with time_limit(TIME_LIMIT_MS), connection.cursor() as cursor:
            cursor.execute(_sql(members.ctes, metric), parameters)
            n, active, *sums = cursor.fetchone()
    except OperationalError:
        return None
    exact = [Decimal(value or 0) for value in sums]
    return CellSums(metric.spec.key, 0, 1, 0, EVERYONE, n, 0, active or 0, *exact)


def _members(experiment: Experiment, audience: Audience, now: datetime) -> Query:
    if audience.version is None:
        return Query(ctes=f"members AS ({EVERYBODY})", params={})
    rule = parse(audience.version.rule)
    book = open_rule_book(experiment.project, rule)
    scope = Scope(experiment.environment_id, experiment.unit_type)
    return compile_members(rule, scope, now, book.rule_of)


def _sql(ctes: str, metric: MetricFacts) -> str:
    """Build the statement; only constants of this module and a number go into its text."""
    cap = None if metric.spec.cap is None else f"{float(metric.spec.cap)!r}::numeric"
    value = "e.value::numeric" if cap is None else f"LEAST(e.value::numeric, {cap})"
    x = VALUES[metric.spec.kind].format(value=value)
    if cap is not None and metric.spec.kind in ("count", "sum"):
        x = f"LEAST({x}, {cap})"
    return f"""
        WITH {ctes},
        units AS (
          SELECT p.unit_id FROM events_profile p JOIN members m ON m.unit_id = p.unit_id
          WHERE p.environment_id = %(environment)s AND p.unit_type = %(unit_type)s
            AND p.last_seen_at > %(active_since)s
        ),
        per_unit AS (
          SELECT u.unit_id, {x} AS x, count(e.value)::numeric AS d, count(e.event_id) AS events
          FROM units u
          LEFT JOIN events_event e ON e.environment_id = %(environment)s AND e.unit_type = %(unit_type)s
            AND e.unit_id = u.unit_id AND e.name = %(event)s
            AND e.occurred_at > %(counted_since)s AND e.occurred_at <= %(now)s
          GROUP BY u.unit_id
        )
        SELECT count(*), sum((events > 0)::int), sum(x), sum(x * x), sum(d), sum(d * d), sum(x * d) FROM per_unit
    """  # noqa: S608
