"""Before launch: how long the whole experiment and each of its segments need, and what they can find."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.stats.adequacy import days_to_expose, round_up_to_weeks
from analysis.stats.estimable import NotEstimable
from analysis.stats.power import Baseline, Design, detectable_lift, power_for_difference, units_for_lift


@dataclass(frozen=True, slots=True)
class Forecast:
    """What one segment (or the whole) can show.

    units_needed: in all arms together, for the planned lift; days_needed: whole weeks at the expected inflow;
    units_at_end: exposed by the last planned day; detectable_lift: smallest lift found by then;
    power: chance of finding the planned lift by then.
    """

    units_needed: int | NotEstimable
    days_needed: int | NotEstimable
    units_at_end: int
    detectable_lift: float | NotEstimable
    power: float | NotEstimable
    is_adequate: bool


def forecast_experiment(
    baseline: Baseline | NotEstimable,
    design: Design,
    *,
    lift: float,
    units_per_day: float,
    available_days: int,
    minimum_days: int = 7,
) -> Forecast:
    """Say whether the planned lift can be found in the time available.

    lift: relative, 0.05 = 5 %; units_per_day: units of this segment newly exposed a day, all arms;
    available_days: the longest the test may run; minimum_days: the shortest.
    Raises ValueError for a lift of 0, or a negative inflow or number of days.
    """
    if lift == 0.0 or units_per_day < 0.0 or available_days < 0 or minimum_days < 0:
        raise ValueError("the lift cannot be 0, inflow and days cannot be negative")
    at_end = math.floor(units_per_day * available_days)
    if isinstance(baseline, NotEstimable):
        return Forecast(baseline, baseline, at_end, baseline, baseline, False)
    needed = units_for_lift(baseline, design, lift=lift)
    days = plan_runtime(needed, units_per_day, minimum_days=minimum_days)
    power: float | NotEstimable = NotEstimable(
        "the baseline is not positive, so a relative lift is undefined"
    )
    if baseline.mean > 0.0:
        power = power_for_difference(baseline, design, units=at_end, difference=lift * baseline.mean)
    return Forecast(
        units_needed=needed,
        days_needed=days,
        units_at_end=at_end,
        detectable_lift=detectable_lift(baseline, design, units=at_end),
        power=power,
        is_adequate=not isinstance(needed, NotEstimable) and at_end >= needed,
    )


def plan_runtime(
    units: int | NotEstimable, units_per_day: float, *, minimum_days: int = 7
) -> int | NotEstimable:
    """Days to run, in whole weeks, to expose `units` at a constant inflow."""
    if isinstance(units, NotEstimable):
        return units
    days = days_to_expose(units, units_per_day)
    if isinstance(days, NotEstimable):
        return days
    return round_up_to_weeks(max(days, minimum_days))


def power_curve(
    baseline: Baseline, design: Design, *, units: float, lifts: Sequence[float]
) -> tuple[float, ...]:
    """Power for several relative lifts at one size, for the chart. Raises ValueError for a mean <= 0."""
    if baseline.mean <= 0.0:
        raise ValueError("a relative lift needs a positive baseline mean")
    return tuple(
        power_for_difference(baseline, design, units=units, difference=lift * baseline.mean) for lift in lifts
    )
