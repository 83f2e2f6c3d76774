"""Which units an analysis counts, and the stratum in which each was randomised."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import ibis
import ibis.expr.types as ir

EXPOSURES = ibis.table(
    {
        "id": "int64",
        "experiment_id": "int64",
        "unit_id": "string",
        "variant_index": "int16",
        "target_position": "int16",
        "phase_number": "int16",
        "slot": "int32",
        "segments": "array<int64>",
        "sdk": "string",
        "occurred_at": "timestamp('UTC')",
        "received_at": "timestamp('UTC')",
    },
    name="assignments_exposure",
)
CLOCK_TOLERANCE_MINUTES = 10
OVERRIDES = ibis.table({"experiment_id": "int64", "unit_id": "string"}, name="experiments_override")


@dataclass(frozen=True, slots=True)
class Opening:
    """Slots below `end_slot` of a target were open from this phase on (allocations open a growing prefix)."""

    target: int
    phase: int
    end_slot: int


@dataclass(frozen=True, slots=True)
class Scope:
    """Which rows count: one experiment, and what had been received by the watermark.

    ended_at bounds metrics without a window; breakdowns: segment version ids declared in the plan;
    openings: by target, phases ascending; empty when there was one phase only; first_exposure_at only narrows
    the scan of events, which cannot count before it.
    """

    experiment_id: int
    environment_id: int
    unit_type: str
    watermark: datetime
    ended_at: datetime | None = None
    breakdowns: tuple[int, ...] = ()
    openings: tuple[Opening, ...] = ()
    first_exposure_at: datetime | None = None


def exposed_units(scope: Scope) -> ir.Table:
    """Return the exposures that count; `phase_number` is the phase that *opened the unit's slot*.

    The label of a slot never changes, so units of one opening are randomised with one set of weights whenever
    they turn up. The phase of the exposure itself would mix newcomers with units that had met a closed slot
    before, whose variants are distributed otherwise. Units with an override are QA and left out.
    """
    exposures = EXPOSURES.filter(
        EXPOSURES.experiment_id == scope.experiment_id, EXPOSURES.received_at <= ibis.literal(scope.watermark)
    )
    overridden = OVERRIDES.filter(OVERRIDES.experiment_id == scope.experiment_id)
    units = exposures.anti_join(overridden, "unit_id")
    if not scope.openings:
        return units
    return units.mutate(phase_number=_opening_phase(units, scope.openings))


def exposure_counts_expression(scope: Scope) -> ir.Table:
    """Return units per variant, phase, target, day (UTC) and SDK: for the split test, its locator and the plot.

    overlapping: units in two or more of the declared breakdowns; from_future: exposures that claim to be more
    than CLOCK_TOLERANCE_MINUTES later than their receipt.
    """
    units = exposed_units(scope)
    tolerance = ibis.interval(minutes=CLOCK_TOLERANCE_MINUTES)
    keyed = units.mutate(
        day=units.occurred_at.date(),
        overlaps=_breakdowns_of(units, scope.breakdowns) > 1,
        future=units.occurred_at > units.received_at + tolerance,
    )
    keys = ("variant_index", "phase_number", "target_position", "day", "sdk")
    counts = keyed.group_by(*keys).aggregate(
        units=keyed.count(), overlapping=keyed.overlaps.sum(), from_future=keyed.future.sum()
    )
    return counts.order_by(*keys)


def _breakdowns_of(units: ir.Table, breakdowns: tuple[int, ...]) -> Any:
    """How many of the declared breakdowns a unit was in."""
    count: Any = ibis.literal(0)
    for version_id in breakdowns:
        count = count + units.segments.contains(version_id).cast("int32")
    return count


def _opening_phase(units: ir.Table, openings: tuple[Opening, ...]) -> Any:
    branches = [
        ((units.target_position == o.target) & (units.slot < o.end_slot), ibis.literal(o.phase, "int16"))
        for o in openings
    ]
    return ibis.cases(*branches, else_=units.phase_number)
