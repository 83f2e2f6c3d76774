"""The primary metric by segment: one row per declared segment, small cells suppressed before anything is computed."""

from dataclasses import dataclass, replace

from analysis.comparing import Approach, arm_pair, compare_pair
from analysis.inputs import BreakdownFacts, Inputs, MetricFacts
from analysis.result import SegmentRow, SegmentTable
from analysis.stats.compare import Comparison
from analysis.stats.estimable import NotEstimable
from analysis.stats.power import detectable_lift_now
from analysis.stats.segments import SegmentAnalysis, SegmentEffect, SegmentInput, analyse_segments
from analysis.sums import SumTable

SMALL_CELL = 10
"""k of RELIABILITY "Privacy": no number about fewer units than this in an arm."""

SMALL = NotEstimable(f"fewer than {SMALL_CELL} units in an arm, or in the rest beside it: not shown")
COMPLEMENT = NotEstimable("not shown: beside the others it would reveal a segment that is too small")


@dataclass(frozen=True, slots=True)
class _Sizes:
    segment: BreakdownFacts
    inside: tuple[int, int]
    outside: tuple[int, int]

    @property
    def is_small(self) -> bool:
        """Too few units inside, or so few outside that "everyone minus this segment" would show them."""
        return min(self.inside) < SMALL_CELL or any(0 < units < SMALL_CELL for units in self.outside)


def build_segment_table(
    inputs: Inputs, metric: MetricFacts, treatment: int, approach: Approach
) -> SegmentTable:
    """Compare one treatment arm with control in every declared segment."""
    table = SumTable(metric, inputs.cells)
    sizes = [_sizes(table, segment, treatment) for segment in inputs.breakdowns]
    disjoint = not any(count.overlapping for count in inputs.exposures)
    everyone = (table.sums(0).n, table.sums(treatment).n)
    hidden = _hidden_segments(sizes, everyone, disjoint=disjoint)
    shown = [size for size in sizes if size.segment.version_id not in hidden]
    segment_inputs = [
        SegmentInput(
            key=str(size.segment.version_id),
            inside=_compare(table, inputs, treatment, approach, size, outside=False),
            outside=_compare(table, inputs, treatment, approach, size, outside=True),
        )
        for size in shown
    ]
    analysis = analyse_segments(segment_inputs, disjoint=disjoint) if segment_inputs else _no_analysis()
    effects = {effect.key: effect for effect in analysis.effects}
    return SegmentTable(
        variant=treatment,
        disjoint=disjoint,
        rows=tuple(
            _row(inputs, metric, size, effects.get(str(size.segment.version_id)), hidden) for size in sizes
        ),
        interaction=analysis.interaction,
        sign_change=analysis.sign_change,
        between=analysis.between,
    )


def _sizes(table: SumTable, segment: BreakdownFacts, treatment: int) -> _Sizes:
    def units(outside: bool) -> tuple[int, int]:
        control, arm = (table.sums(v, breakdown=segment.version_id, outside=outside) for v in (0, treatment))
        return control.n, arm.n

    return _Sizes(segment, units(outside=False), units(outside=True))


def _hidden_segments(
    sizes: list[_Sizes], everyone: tuple[int, int], *, disjoint: bool
) -> dict[int, NotEstimable]:
    """Return the segments not to show, each with its reason.

    Small ones first. Where segments do not overlap, everyone minus all that is shown is a number about the hidden
    ones: while that is small too, the next smallest segment is hidden with them.
    """
    hidden = {size.segment.version_id: SMALL for size in sizes if size.is_small}
    by_size = sorted(sizes, key=lambda size: (sum(size.inside), size.segment.version_id))
    while disjoint and hidden:
        shown = [size for size in by_size if size.segment.version_id not in hidden]
        rest = [everyone[arm] - sum(size.inside[arm] for size in shown) for arm in (0, 1)]
        if not shown or all(units == 0 or units >= SMALL_CELL for units in rest):
            break
        hidden[shown[0].segment.version_id] = COMPLEMENT
    return hidden


def _compare(
    table: SumTable, inputs: Inputs, treatment: int, approach: Approach, size: _Sizes, *, outside: bool
) -> Comparison | NotEstimable:
    pair = arm_pair(table, treatment, inputs, approach, breakdown=size.segment.version_id, outside=outside)
    return compare_pair(table.metric, pair, treatment, approach)


def _row(
    inputs: Inputs,
    metric: MetricFacts,
    size: _Sizes,
    effect: SegmentEffect | None,
    hidden: dict[int, NotEstimable],
) -> SegmentRow:
    if effect is None:
        reason = hidden[size.segment.version_id]
        return SegmentRow(size.segment, True, reason, reason, False, False, reason)
    planned = inputs.plan.planned_n * 2.0 / len(inputs.variants)
    return SegmentRow(
        segment=size.segment,
        suppressed=False,
        units=size.inside,
        effect=replace(effect, key=size.segment.key),
        is_harmed=effect.is_harmed(metric.direction),
        planned_n_reached=sum(size.inside) >= planned,
        detectable_lift=detectable_lift_now(effect.comparison, power=inputs.plan.power),
    )


def _no_analysis() -> SegmentAnalysis:
    reason = NotEstimable("no segment is large enough to be shown")
    return SegmentAnalysis((), reason, reason, reason)
