"""A run as rows of a spreadsheet: raw numbers, and no cell that a spreadsheet would run as a formula."""

from collections.abc import Iterator

from analysis.result import Result, SegmentRow
from analysis.stats.compare import Comparison
from analysis.stats.estimable import NotEstimable

HEADER = (
    "metric", "role", "variant", "segment", "n_control", "n_variant", "control", "value", "difference",
    "difference_low", "difference_high", "lift", "lift_low", "lift_high", "p_value", "p_adjusted", "note",
)  # fmt: skip
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")

Cell = str | int | float
Row = tuple[Cell, ...]


def csv_rows(result: Result) -> Iterator[Row]:
    """Yield the header, every metric of every variant, then the primary metric by segment."""
    yield HEADER
    for metric in result.metrics:
        units = {arm.variant: arm.units for arm in metric.arms}
        for effect in metric.effects:
            names = (metric.facts.name, metric.facts.role, result.variant(effect.variant).name, "everyone")
            counts = (units[0], units[effect.variant])
            yield _row(names, counts, effect.comparison, effect.p_adjusted)
    primary = result.primary.facts
    for table in result.segments:
        for row in table.rows:
            names = (primary.name, primary.role, result.variant(table.variant).name, row.segment.name)
            yield _segment_row(names, row)


def quote_formula(text: str) -> str:
    """Return text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def _segment_row(names: tuple[str, ...], row: SegmentRow) -> Row:
    if isinstance(row.units, NotEstimable) or isinstance(row.effect, NotEstimable):
        reason = row.units if isinstance(row.units, NotEstimable) else row.effect
        return _row(names, ("", ""), reason, reason)  # type: ignore[arg-type]
    return _row(names, row.units, row.effect.comparison, row.effect.p_adjusted)


def _row(
    names: tuple[str, ...],
    units: tuple[Cell, Cell],
    comparison: Comparison | NotEstimable,
    p_adjusted: float | NotEstimable,
) -> Row:
    quoted = tuple(quote_formula(name) for name in names)
    if isinstance(comparison, NotEstimable):
        return (*quoted, *units, *[""] * 10, comparison.reason)
    absolute, relative = comparison.absolute, comparison.relative
    lift: tuple[Cell, ...] = ("", "", "")
    note = ""
    if isinstance(relative, NotEstimable):
        note = relative.reason
    else:
        lift = (relative.value, relative.interval.low, relative.interval.high)
    return (
        *quoted,
        *units,
        comparison.control.mean,
        comparison.treatment.mean,
        comparison.difference,
        absolute.low,
        absolute.high,
        *lift,
        comparison.p_value,
        "" if isinstance(p_adjusted, NotEstimable) else p_adjusted,
        note,
    )
