"""Is there enough data to decide: planned size or precision, minimum runtime, and the fixed-horizon lock."""

import math
from dataclasses import dataclass

from analysis.stats.estimable import NotEstimable, check_finite

DAYS_PER_WEEK = 7


@dataclass(frozen=True, slots=True)
class Adequacy:
    """What has been reached of what was planned, for the whole experiment or one segment.

    units: exposed so far, all arms; planned_mde and detectable_lift: relative, 0.05 = 5 %, at the planned
    power; locked: a fixed-horizon plan whose end has not come; has_ended: completed, or its last planned day
    is over; days_left: whole days until all conditions hold.
    """

    planned_units: int
    units: int
    planned_mde: float
    detectable_lift: float | NotEstimable
    minimum_days: int
    days_run: int
    locked: bool
    has_ended: bool
    days_left: int | NotEstimable

    @property
    def size_reached(self) -> bool:
        """Whether the planned number of units has been exposed."""
        return self.units >= self.planned_units

    @property
    def precision_reached(self) -> bool:
        """Whether the planned effect is already detectable, whatever the number of units."""
        detectable = self.detectable_lift
        return not isinstance(detectable, NotEstimable) and detectable <= self.planned_mde

    @property
    def runtime_reached(self) -> bool:
        """Whether the minimum runtime is over."""
        return self.days_run >= self.minimum_days

    @property
    def is_adequate(self) -> bool:
        """Whether a verdict may be given: planned size or precision reached, or the test is over."""
        enough = self.size_reached or self.precision_reached
        return self.has_ended or (enough and self.runtime_reached and not self.locked)

    @property
    def is_short(self) -> bool:
        """Whether the test ended with less than it was planned for."""
        return self.has_ended and not (self.size_reached or self.precision_reached)


def assess_adequacy(
    *,
    planned_units: int,
    units: int,
    planned_mde: float,
    detectable_lift: float | NotEstimable,
    minimum_days: int,
    days_run: int,
    units_per_day: float,
    lock_days_left: int = 0,
    has_ended: bool = False,
) -> Adequacy:
    """Compare what was reached with the plan and estimate the days left.

    units_per_day: newly exposed units a day, as seen lately; lock_days_left: days to the planned end of a
    fixed-horizon plan, 0 for every other rule; has_ended: completed, or past the last day of the plan.
    Days left count to the planned size or to the planned precision, whichever comes first: precision improves
    with the square root of the units.
    Raises ValueError for negative counts or an MDE that is not positive.
    """
    if min(planned_units, units, minimum_days, days_run, lock_days_left) < 0:
        raise ValueError("counts and days cannot be negative")
    check_finite(units_per_day, "units_per_day")
    if not planned_mde > 0.0:
        raise ValueError(f"planned_mde must be positive, not {planned_mde!r}")
    wanted = planned_units
    if not isinstance(detectable_lift, NotEstimable):
        ratio = min(detectable_lift / planned_mde, 1e6)
        wanted = min(wanted, math.ceil(units * ratio * ratio))
    days_for_size = days_to_expose(wanted - units, units_per_day)
    waiting = max(0, minimum_days - days_run, lock_days_left)
    days_left: int | NotEstimable = 0
    if not has_ended:
        days_left = days_for_size if isinstance(days_for_size, NotEstimable) else max(days_for_size, waiting)
    return Adequacy(
        planned_units=planned_units,
        units=units,
        planned_mde=planned_mde,
        detectable_lift=detectable_lift,
        minimum_days=minimum_days,
        days_run=days_run,
        locked=lock_days_left > 0 and not has_ended,
        has_ended=has_ended,
        days_left=days_left,
    )


def days_to_expose(units: float, units_per_day: float) -> int | NotEstimable:
    """Days until `units` more have been exposed at a constant inflow; 0 when none are missing."""
    if units <= 0.0:
        return 0
    if units_per_day <= 0.0:
        return NotEstimable("no new units are arriving")
    return math.ceil(units / units_per_day - 1e-9)


def round_up_to_weeks(days: int) -> int:
    """Round a runtime up to whole weeks, so that every weekday counts equally; at least one week."""
    return max(1, math.ceil(days / DAYS_PER_WEEK)) * DAYS_PER_WEEK
