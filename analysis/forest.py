"""What the forest plot shows: one line per segment and the overall line, clipped so that no outlier hides the rest."""

from dataclasses import dataclass

from analysis.effect_words import describe_comparison
from analysis.inputs import MetricFacts
from analysis.presentation import Report, SegmentTableWords
from analysis.result import Result, SegmentRow, SegmentTable
from analysis.stats.compare import Comparison, Lift
from analysis.stats.estimable import Interval, NotEstimable

OVERALL = "Everyone"
ROWS_DRAWN = 20
"""A plot of more lines cannot be read; the largest segments are drawn, the table has all."""
CLIP_AT_WIDTHS = 6.0
"""Intervals are cut at this many overall half widths from the overall effect; their numbers stay beside them."""


@dataclass(frozen=True, slots=True)
class ForestRow:
    """One interval; value, low, high are None where there is no number, and `label` says why."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    mark: str
    judgement: str
    label: str
    is_overall: bool


@dataclass(frozen=True, slots=True)
class ForestPanel:
    """The rows of one treatment arm and the range to draw."""

    title: str
    rows: tuple[ForestRow, ...]
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Forest:
    """A whole plot with the words around it; `alt` holds the numbers for those who cannot see it."""

    panels: tuple[ForestPanel, ...]
    axis_title: str
    caption: str
    alt: str


def build_forest(report: Report) -> Forest | None:
    """Return the forest by segment of the primary metric; None when no arm can be estimated at all."""
    result = report.result
    is_relative = _is_relative(result)
    panels = tuple(
        panel
        for table, words in zip(result.segments, report.segments, strict=True)
        if (panel := _panel(result, table, words, is_relative=is_relative)) is not None
    )
    if not panels:
        return None
    return Forest(panels, _axis_title(result.primary.facts, is_relative), _caption(result), _alt(panels))


def _is_relative(result: Result) -> bool:
    """Draw lifts where every arm's overall lift exists, else absolute differences for all."""
    comparisons = [e.comparison for e in result.primary.effects if isinstance(e.comparison, Comparison)]
    return bool(comparisons) and all(isinstance(c.relative, Lift) for c in comparisons)


def _panel(
    result: Result, table: SegmentTable, words: SegmentTableWords, *, is_relative: bool
) -> ForestPanel | None:
    metric = result.primary.facts
    overall = next(e.comparison for e in result.primary.effects if e.variant == table.variant)
    drawn = _drawn(overall, metric, is_relative)
    if isinstance(overall, NotEstimable) or drawn is None:
        return None
    low, high = _range(drawn, [_drawn(c, metric, is_relative) for c in _comparisons(table)])
    rows = [_row(OVERALL, overall, metric, is_relative, (low, high), is_overall=True)]
    drawn_rows = _largest(table)
    for row, text in zip(table.rows, words.rows, strict=True):
        if row.segment.version_id not in drawn_rows:
            continue
        comparison = row.effect if isinstance(row.effect, NotEstimable) else row.effect.comparison
        hidden = "not shown (small cells)" if text.suppressed else ""
        rows.append(_row(row.segment.name, comparison, metric, is_relative, (low, high), hidden=hidden))
    return ForestPanel(f"{words.variant} against {result.variant(0).name}", tuple(rows), low, high)


def _largest(table: SegmentTable) -> frozenset[int]:
    """Return the version ids of the segments to draw."""

    def size(row: SegmentRow) -> int:
        return 0 if isinstance(row.units, NotEstimable) else sum(row.units)

    rows = sorted(table.rows, key=size, reverse=True)[:ROWS_DRAWN]
    return frozenset(row.segment.version_id for row in rows)


def _comparisons(table: SegmentTable) -> list[Comparison | NotEstimable]:
    return [
        row.effect if isinstance(row.effect, NotEstimable) else row.effect.comparison for row in table.rows
    ]


def _drawn(
    comparison: Comparison | NotEstimable, metric: MetricFacts, is_relative: bool
) -> tuple[float, Interval] | None:
    if isinstance(comparison, NotEstimable):
        return None
    if is_relative:
        lift = comparison.relative
        if isinstance(lift, NotEstimable):
            return None
        return 100.0 * lift.value, Interval(100.0 * lift.interval.low, 100.0 * lift.interval.high)
    scale = 100.0 if metric.spec.kind == "conversion" else 1.0
    interval = Interval(scale * comparison.absolute.low, scale * comparison.absolute.high)
    return scale * comparison.difference, interval


def _range(
    overall: tuple[float, Interval], others: list[tuple[float, Interval] | None]
) -> tuple[float, float]:
    value, interval = overall
    reach = CLIP_AT_WIDTHS * (interval.high - interval.low) / 2.0
    bounds = [interval, *(drawn[1] for drawn in others if drawn is not None)]
    low = max(min(0.0, *(b.low for b in bounds)), min(0.0, value - reach))
    high = min(max(0.0, *(b.high for b in bounds)), max(0.0, value + reach))
    margin = 0.06 * (high - low)
    return low - margin, high + margin


def _row(
    name: str,
    comparison: Comparison | NotEstimable,
    metric: MetricFacts,
    is_relative: bool,
    domain: tuple[float, float],
    *,
    is_overall: bool = False,
    hidden: str = "",
) -> ForestRow:
    drawn = _drawn(comparison, metric, is_relative)
    if drawn is None:
        return ForestRow(name, None, None, None, "○", "unclear", hidden or "not estimable", is_overall)
    value, interval = drawn
    words = describe_comparison(comparison, metric)
    lift, bounds = (
        (words.lift, words.interval) if is_relative else (words.difference, words.difference_interval)
    )
    return ForestRow(
        name=name,
        value=_clip(value, domain),
        low=_clip(interval.low, domain),
        high=_clip(interval.high, domain),
        mark=words.mark,
        judgement=words.judgement,
        label=f"{words.mark} {lift} ({bounds.removesuffix(' %').removesuffix(' points')})",
        is_overall=is_overall,
    )


def _clip(value: float, domain: tuple[float, float]) -> float:
    return min(max(value, domain[0]), domain[1])


def _axis_title(metric: MetricFacts, is_relative: bool) -> str:
    better = "right is better" if metric.direction == "increase" else "left is better"
    if is_relative:
        return f"lift of {metric.name}, % ({better})"
    unit = "percentage points" if metric.spec.kind == "conversion" else metric.unit_label or "per unit"
    return f"difference in {metric.name}, {unit} ({better})"


def _caption(result: Result) -> str:
    level = f"{100.0 * (1.0 - result.plan.alpha):.4g} %"
    segments = max(len(table.rows) for table in result.segments)
    some = f" The {ROWS_DRAWN} largest of {segments} segments." if segments > ROWS_DRAWN else ""
    return (
        f"Effect on {result.primary.facts.name} by segment with {level} intervals; the band is the effect on "
        f"everyone. ▲ above zero, ▼ below, ● not distinguishable.{some}"
    )


def _alt(panels: tuple[ForestPanel, ...]) -> str:
    parts = [
        f"{panel.title}: " + "; ".join(f"{row.name} {row.label}" for row in panel.rows) for panel in panels
    ]
    return ". ".join(parts) + "."
