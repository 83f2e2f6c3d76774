"""Is there enough traffic, before launch: days to the planned effect for the whole experiment and per segment."""

import math
from dataclasses import dataclass

from analysis.inputs import MetricFacts, PlanFacts
from analysis.stats.adequacy import round_up_to_weeks
from analysis.stats.arms import ArmEstimate
from analysis.stats.estimable import NotEstimable
from analysis.stats.power import Baseline, Design, detectable_lift, units_for_lift


@dataclass(frozen=True, slots=True)
class Traffic:
    """One audience: how many of its units are active, new units a day, and what the metric is there today.

    source: in words, where baseline and traffic come from.
    """

    name: str
    sentence: str
    is_everyone: bool
    active_units: int
    daily_units: float
    baseline: Baseline | NotEstimable
    source: str


@dataclass(frozen=True, slots=True)
class AdequacyRow:
    """One audience against the plan.

    units_needed: of all arms, for the planned MDE; days: whole weeks to get them; mde_at_end: what the longest
    runtime can find; is_enough: whether the planned MDE is found within it.
    """

    traffic: Traffic
    units_needed: int | NotEstimable
    days: int | NotEstimable
    mde_at_end: float | NotEstimable
    is_enough: bool
    advice: str


@dataclass(frozen=True, slots=True)
class Shares:
    """Planned weights of control and of the smallest treatment arm among exposed units; `arms` in all."""

    control: float
    treatment: float
    arms: int


def assess_traffic(traffic: Traffic, plan: PlanFacts, shares: Shares) -> AdequacyRow:
    """Compare one audience's traffic with what the plan asks of it."""
    baseline = traffic.baseline
    if isinstance(baseline, NotEstimable):
        advice = f"Cannot be judged: {baseline.reason}. Give a baseline by hand on the set-up page."
        return AdequacyRow(traffic, baseline, baseline, baseline, False, advice)
    design = _design(plan, shares)
    needed = units_for_lift(baseline, design, lift=plan.mde)
    days = _days(needed, traffic.daily_units)
    at_end = detectable_lift(baseline, design, units=traffic.daily_units * plan.max_days)
    is_enough = not isinstance(days, NotEstimable) and days <= plan.max_days
    row = AdequacyRow(traffic, needed, days, at_end, is_enough, "")
    return AdequacyRow(traffic, needed, days, at_end, is_enough, _advise(row, plan))


def given_baseline(metric: MetricFacts, mean: float | None, sd: float | None) -> Baseline | NotEstimable:
    """Return the baseline that was typed in; a rate needs only its mean."""
    if mean is None:
        return NotEstimable("no baseline was given")
    if metric.spec.kind == "conversion":
        if not 0.0 <= mean <= 1.0:
            return NotEstimable("a given rate must lie between 0 and 1")
        return Baseline(mean, mean * (1.0 - mean), is_rate=True)
    if sd is None or sd <= 0.0:
        return NotEstimable("the given baseline has no standard deviation")
    return Baseline(mean, sd * sd)


def observed_baseline(metric: MetricFacts, estimate: ArmEstimate | NotEstimable) -> Baseline | NotEstimable:
    """Return the baseline seen in the past."""
    if isinstance(estimate, NotEstimable):
        return estimate
    if estimate.mean <= 0.0:
        return NotEstimable("the metric has no events in the past")
    return Baseline(estimate.mean, estimate.variance, is_rate=metric.spec.kind == "conversion")


def _design(plan: PlanFacts, shares: Shares) -> Design:
    return Design(
        alpha=plan.alpha,
        power=plan.power,
        control_share=shares.control,
        treatment_share=shares.treatment,
        comparisons=shares.arms - 1,
        always_valid=plan.stopping_rule == "always_valid",
    )


def _days(needed: int | NotEstimable, daily_units: float) -> int | NotEstimable:
    if isinstance(needed, NotEstimable):
        return needed
    if daily_units <= 0.0:
        return NotEstimable("no units of this audience were active lately")
    return round_up_to_weeks(math.ceil(needed / daily_units))


def _advise(row: AdequacyRow, plan: PlanFacts) -> str:
    if row.is_enough:
        return f"Finds a lift of {_percent(plan.mde)} in {row.days} days."
    if isinstance(row.days, NotEstimable):
        return f"Cannot be planned: {row.days.reason}."
    way_out = "Choose a less noisy metric" if row.traffic.is_everyone else "Widen it, merge it with others"
    needs = f"Needs {row.days:,} days for a lift of {_percent(plan.mde)}."
    if isinstance(row.mde_at_end, NotEstimable):
        return f"{needs} {way_out}, or run longer: in {plan.max_days} days it finds nothing."
    return f"{needs} {way_out}, or accept an MDE of {_percent(row.mde_at_end)} in {plan.max_days} days."


def _percent(share: float) -> str:
    return f"{100.0 * share:.2g} %"
