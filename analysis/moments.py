"""The one query of a metric family: exposures and events in, exact sums per cell out.

One Ibis expression per family, so that another engine can run the same expression. A cell is
(variant x phase x target x breakdown); a breakdown is a segment version the unit was in *at first exposure*,
or EVERYONE. Sums are decimals: exact, independent of the order of rows, hence the same bytes on every run.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

import ibis
import ibis.expr.types as ir

from analysis.exposed import Scope, exposed_units

Kind = Literal["conversion", "count", "sum", "mean"]
Family = Literal["totals", "ratios"]

EVERYONE = 0
"""The breakdown of the rows that hold all units (segment version ids start at 1)."""

EXACT = "decimal"
CELL = ("variant_index", "phase_number", "target_position", "breakdown")

EVENTS = ibis.table(
    {
        "environment_id": "int64",
        "unit_type": "string",
        "unit_id": "string",
        "name": "string",
        "occurred_at": "timestamp('UTC')",
        "received_at": "timestamp('UTC')",
        "value": "float64",
    },
    name="events_event",
)


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """How events become a number per unit; see experiments.Metric."""

    key: str
    kind: Kind
    event_name: str
    window_days: int | None = None
    cap: float | None = None

    @property
    def family(self) -> Family:
        """Return the query this metric belongs to."""
        return "ratios" if self.kind == "mean" else "totals"


@dataclass(frozen=True, slots=True)
class CellSums:
    """Exact sums of one metric in one cell; d stays 0 outside the ratio family.

    n: units whose window is over; immature: units left out because it is not; active: units of n with at least
    one counted event; x: the value per unit (numerator of a ratio), d: the denominator.
    """

    metric: str
    variant: int
    phase: int
    target: int
    breakdown: int
    n: int
    immature: int
    active: int
    x: Decimal
    xx: Decimal
    d: Decimal = Decimal(0)
    dd: Decimal = Decimal(0)
    xd: Decimal = Decimal(0)


def moments_expression(scope: Scope, metrics: Sequence[MetricSpec]) -> ir.Table:
    """Return one row per cell with the columns that `cells_from_row` reads.

    Units with an override are QA and left out; units that later met another variant stay in their first one.
    Raises ValueError for no metric, or metrics of two families.
    """
    if len({metric.family for metric in metrics}) != 1:
        raise ValueError("one expression holds the metrics of exactly one family")
    units = _unit_values(scope, metrics)
    columns: dict[str, Any] = {}
    for index, metric in enumerate(metrics):
        columns |= _cell_columns(units, index, metric)
    # Units with the same segments are added up first: sums are exact, so a cell is the sum of a few of these groups
    # instead of being summed over every unit once for each of its segments.
    groups = units.group_by(*CELL[:-1], "segments").aggregate(**columns)
    cells = _with_breakdowns(groups, scope.breakdowns)
    return cells.group_by(*CELL).aggregate(**{name: cells[name].sum() for name in columns}).order_by(*CELL)


def to_sql(expression: ir.Table, dialect: str = "postgres") -> str:
    """Return the SQL text of an expression for one engine."""
    return str(ibis.to_sql(expression, dialect=dialect))


def cells_from_row(row: dict[str, Any], metrics: Sequence[MetricSpec]) -> list[CellSums]:
    """Read one result row of `moments_expression`: one CellSums per metric."""
    return [_cell_from_row(row, index, metric) for index, metric in enumerate(metrics)]


def _unit_values(scope: Scope, metrics: Sequence[MetricSpec]) -> ir.Table:
    """Return one row per exposed unit; a unit without events has zeros, one with an open window has nulls."""
    exposed, events = exposed_units(scope), _events(scope, metrics)
    joined = exposed.left_join(
        events,
        [exposed.unit_id == events.unit_id, events.occurred_at >= exposed.occurred_at],
        rname="event_{name}",
    )
    columns: dict[str, Any] = {}
    for index, metric in enumerate(metrics):
        columns |= _unit_columns(joined, scope, index, metric)
    keys = ("id", "variant_index", "phase_number", "target_position", "segments", "occurred_at")
    return _without_open_windows(joined.group_by(*keys).aggregate(**columns), scope, metrics)


def _events(scope: Scope, metrics: Sequence[MetricSpec]) -> ir.Table:
    conditions = [
        EVENTS.environment_id == scope.environment_id,
        EVENTS.unit_type == scope.unit_type,
        EVENTS.name.isin(sorted({metric.event_name for metric in metrics})),
        EVENTS.received_at <= ibis.literal(scope.watermark),
    ]
    if scope.first_exposure_at is not None:
        conditions.append(EVENTS.occurred_at >= ibis.literal(scope.first_exposure_at))
    return EVENTS.filter(*conditions)


def _unit_columns(joined: ir.Table, scope: Scope, index: int, metric: MetricSpec) -> dict[str, Any]:
    counted = (joined.name == metric.event_name) & _in_time(joined, scope, metric)
    if metric.kind in ("sum", "mean"):
        counted &= joined.value.notnull()
    events = joined.name.count(where=counted)
    value: Any = joined.value.cast(EXACT)
    if metric.kind == "mean" and metric.cap is not None:
        value = ibis.least(value, _exact(metric.cap))
    if metric.kind == "conversion":
        x = ibis.least(events, 1)
    elif metric.kind == "count":
        x = events
    else:
        x = value.sum(where=counted).fill_null(_exact(0))
    x = x.cast(EXACT)
    if metric.kind in ("count", "sum") and metric.cap is not None:
        x = ibis.least(x, _exact(metric.cap))
    return {f"x{index}": x, f"e{index}": events}


def _without_open_windows(units: ir.Table, scope: Scope, metrics: Sequence[MetricSpec]) -> ir.Table:
    """Blank the values of units whose window is not over: they would count as too small."""
    columns: dict[str, Any] = {}
    for index, metric in enumerate(metrics):
        if metric.window_days is None:
            continue
        end = units.occurred_at + ibis.interval(days=metric.window_days)
        mature = end <= ibis.literal(scope.watermark)
        columns |= {name: mature.ifelse(units[name], None) for name in (f"x{index}", f"e{index}")}
    return units.mutate(**columns)


def _in_time(joined: ir.Table, scope: Scope, metric: MetricSpec) -> Any:
    if metric.window_days is not None:
        return joined.event_occurred_at < joined.occurred_at + ibis.interval(days=metric.window_days)
    if scope.ended_at is not None:
        return joined.event_occurred_at < ibis.literal(scope.ended_at)
    return ibis.literal(True)


def _with_breakdowns(groups: ir.Table, breakdowns: tuple[int, ...]) -> ir.Table:
    """Repeat each group for every declared breakdown its units were in, besides its row under EVERYONE."""
    everyone = groups.mutate(breakdown=ibis.literal(EVERYONE, "int64")).drop("segments")
    if not breakdowns:
        return everyone
    unnested = groups.mutate(breakdown=groups.segments.unnest()).drop("segments")
    inside = unnested.filter(unnested.breakdown.isin(sorted(breakdowns)))
    return everyone.union(inside.select(everyone.columns), distinct=False)


def _cell_columns(units: ir.Table, index: int, metric: MetricSpec) -> dict[str, Any]:
    x, events = units[f"x{index}"], units[f"e{index}"]
    columns = {
        f"n{index}": x.count(),
        f"immature{index}": x.isnull().sum(),
        f"active{index}": (events > 0).sum(),
        f"x{index}": x.sum(),
        f"xx{index}": (x * x).sum(),
    }
    if metric.family == "ratios":
        d = events.cast(EXACT)
        columns |= {f"d{index}": d.sum(), f"dd{index}": (d * d).sum(), f"xd{index}": (x * d).sum()}
    return columns


def _cell_from_row(row: dict[str, Any], index: int, metric: MetricSpec) -> CellSums:
    def exact(name: str) -> Decimal:
        return Decimal(row.get(f"{name}{index}") or 0)

    return CellSums(
        metric=metric.key,
        variant=row["variant_index"],
        phase=row["phase_number"],
        target=row["target_position"],
        breakdown=row["breakdown"],
        n=int(row[f"n{index}"]),
        immature=int(row[f"immature{index}"] or 0),
        active=int(row[f"active{index}"] or 0),
        **{name: exact(name) for name in ("x", "xx", "d", "dd", "xd")},
    )


def _exact(value: float) -> Any:
    return ibis.literal(value).cast(EXACT)
