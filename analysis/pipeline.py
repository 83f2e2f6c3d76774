"""Inputs in, result out: comparisons, health, adequacy, segments and the verdict. Pure: no clock, no database."""

import math
from dataclasses import replace
from datetime import timedelta

from analysis.comparing import adjust_families, choose_approach, compare_metric
from analysis.evidence import gather_evidence
from analysis.inputs import Inputs
from analysis.method_words import describe_method
from analysis.result import SCHEMA, MetricResult, Result
from analysis.segment_table import build_segment_table
from analysis.splitting import judge_health
from analysis.stats.adequacy import Adequacy, assess_adequacy, days_to_expose
from analysis.stats.estimable import NotEstimable
from analysis.stats.power import detectable_lift_now
from analysis.stats.verdict import decide

RECENT_DAYS = 7


def analyse(inputs: Inputs) -> Result:
    """Run the whole analysis."""
    days_run = _days_run(inputs)
    units = _mature_units(inputs)
    is_final = _is_final(inputs, units, days_run)
    approach = choose_approach(inputs, is_final=is_final)
    metrics = adjust_families([compare_metric(inputs, metric, approach) for metric in inputs.metrics])
    health = judge_health(inputs, metrics)
    per_day = _units_per_day(inputs, days_run)
    adequacy = _assess(inputs, metrics[0], units, days_run, per_day, is_final=is_final)
    tables = tuple(
        build_segment_table(inputs, inputs.metrics[0], variant.index, approach)
        for variant in inputs.variants[1:]
    )
    return Result(
        schema=SCHEMA,
        experiment=inputs.experiment,
        variants=inputs.variants,
        targets=inputs.targets,
        plan=inputs.plan,
        plan_hash=inputs.plan_hash,
        revision=inputs.revision,
        watermark=inputs.watermark,
        code_version=inputs.code_version,
        seed=inputs.seed,
        is_final=is_final,
        days_run=days_run,
        units_per_day=per_day,
        verdict=decide(gather_evidence(inputs, metrics, health, adequacy, tables)),
        health=health,
        adequacy=adequacy,
        metrics=metrics,
        segments=tables,
        method=describe_method(inputs, approach, metrics, tables, is_final=is_final),
    )


def _last_moment(inputs: Inputs) -> timedelta:
    facts = inputs.experiment
    return (facts.ended_at or inputs.watermark) - facts.started_at


def _days_run(inputs: Inputs) -> int:
    return max(0, _last_moment(inputs) // timedelta(days=1))


def _mature_units(inputs: Inputs) -> int:
    """Units of all arms whose primary metric is complete."""
    key = inputs.metrics[0].spec.key
    return sum(cell.n for cell in inputs.cells if cell.metric == key and cell.breakdown == 0)


def _is_final(inputs: Inputs, units: int, days_run: int) -> bool:
    """Tell whether the planned end has come: ended, longest runtime over, or planned size and runtime reached."""
    plan = inputs.plan
    if inputs.experiment.ended_at is not None or days_run >= plan.max_days:
        return True
    return units >= plan.planned_n and days_run >= plan.min_days


def _units_per_day(inputs: Inputs, days_run: int) -> float:
    """Newly exposed units a day over the last week that is complete (or the whole runtime, when shorter)."""
    today = inputs.watermark.date()
    days = min(RECENT_DAYS, max(1, days_run))
    first = today - timedelta(days=days)
    return sum(c.units for c in inputs.exposures if first <= c.day < today) / days


def _assess(
    inputs: Inputs, primary: MetricResult, units: int, days_run: int, per_day: float, *, is_final: bool
) -> Adequacy:
    plan = inputs.plan
    lifts = [detectable_lift_now(effect.comparison, power=plan.power) for effect in primary.effects]
    known = [lift for lift in lifts if not isinstance(lift, NotEstimable)]
    days_to_end = max(0, plan.max_days - days_run)
    adequacy = assess_adequacy(
        planned_units=plan.planned_n,
        units=units,
        planned_mde=plan.mde,
        detectable_lift=max(known) if len(known) == len(lifts) else next(x for x in lifts if x not in known),
        minimum_days=plan.min_days,
        days_run=days_run,
        units_per_day=per_day,
        lock_days_left=0 if is_final else _lock_days_left(inputs, units, days_run, per_day),
        has_ended=inputs.experiment.ended_at is not None or days_to_end == 0,
    )
    if isinstance(adequacy.days_left, NotEstimable):
        return adequacy
    return replace(adequacy, days_left=min(adequacy.days_left, days_to_end))


def _lock_days_left(inputs: Inputs, units: int, days_run: int, per_day: float) -> int:
    plan = inputs.plan
    if plan.stopping_rule != "fixed_horizon":
        return 0
    to_size = days_to_expose(plan.planned_n - units, per_day)
    days_to_size = math.inf if isinstance(to_size, NotEstimable) else to_size
    return int(max(1, min(plan.max_days - days_run, max(days_to_size, plan.min_days - days_run))))
