"""Health of one analysis: the split and where it is off, crossovers, clocks, and metrics that stay silent."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable

from analysis.comparing import planned_weights
from analysis.inputs import ExposureCount, Inputs
from analysis.result import DayCount, Health, MetricResult, SdkCount
from analysis.stats.estimable import NotEstimable
from analysis.stats.health import find_health_problems
from analysis.stats.srm import SplitCheck, SplitCount, check_split, locate_split
from analysis.stats.wording import format_count

SILENT_AFTER_UNITS = 100
"""Exposed units after which a metric without a single event is a fault and no longer bad luck."""
FUTURE_LIMIT = 0.01
LOCATED_SHOWN = 10


def judge_health(inputs: Inputs, metrics: tuple[MetricResult, ...]) -> Health:
    """Check everything that would make the numbers unusable."""
    units = sum(count.units for count in inputs.exposures)
    from_future = sum(count.from_future for count in inputs.exposures)
    split = _check_split(inputs, inputs.exposures)
    silent = _silent_metrics(metrics)
    problems = find_health_problems(
        split=split,
        variants=[variant.name for variant in inputs.variants],
        units=units,
        crossover_units=inputs.crossover_units,
        metrics_without_data=silent,
        clock_problem=_clock_problem(units, from_future),
    )
    return Health(
        units=units,
        split=split,
        located=locate_split(_slices(inputs))[:LOCATED_SHOWN] if _is_tested(split) else (),
        problems=problems,
        crossover_units=inputs.crossover_units,
        from_future=from_future,
        arrivals=inputs.arrivals,
        metrics_without_data=silent,
        days=_days(inputs),
        sdks=_sdks(inputs),
    )


def _is_tested(split: SplitCheck | NotEstimable) -> bool:
    return isinstance(split, SplitCheck)


def _check_split(inputs: Inputs, exposures: Iterable[ExposureCount]) -> SplitCheck | NotEstimable:
    if not planned_weights(inputs):
        return NotEstimable("no planned split is known, so it is not tested")
    strata = _strata(inputs, exposures)
    if not strata:
        return NotEstimable("no units have been exposed yet")
    return check_split(strata)


def _strata(inputs: Inputs, exposures: Iterable[ExposureCount]) -> list[SplitCount]:
    """Count units by stratum beside the slots that were opened there."""
    planned = planned_weights(inputs)
    observed: dict[tuple[int, int], Counter[int]] = defaultdict(Counter)
    for count in exposures:
        observed[count.phase, count.target][count.variant] += count.units
    return [
        SplitCount(tuple(units[v.index] for v in inputs.variants), tuple(float(w) for w in planned[stratum]))
        for stratum, units in sorted(observed.items())
        if stratum in planned
    ]


def _slices(inputs: Inputs) -> dict[str, dict[str, list[SplitCount]]]:
    names = {target.position: target.name for target in inputs.targets}
    dimensions: dict[str, Callable[[ExposureCount], str]] = {
        "target": lambda count: names.get(count.target, f"target {count.target + 1}"),
        "phase": lambda count: f"phase {count.phase}",
        "day": lambda count: count.day.isoformat(),
        "SDK": lambda count: count.sdk or "not told",
    }
    slices: dict[str, dict[str, list[SplitCount]]] = {}
    for dimension, level_of in dimensions.items():
        levels: dict[str, list[ExposureCount]] = defaultdict(list)
        for count in inputs.exposures:
            levels[level_of(count)].append(count)
        if len(levels) > 1:
            strata = {level: _strata(inputs, counts) for level, counts in sorted(levels.items())}
            slices[dimension] = {level: found for level, found in strata.items() if found}
    return slices


def _silent_metrics(metrics: tuple[MetricResult, ...]) -> tuple[str, ...]:
    """Names of primary metrics and guardrails for which nothing arrived though it should have."""
    return tuple(
        metric.facts.name
        for metric in metrics
        if metric.facts.role != "secondary"
        and sum(arm.units for arm in metric.arms) >= SILENT_AFTER_UNITS
        and not any(arm.active for arm in metric.arms)
    )


def _clock_problem(units: int, from_future: int) -> str:
    if units == 0 or from_future / units <= FUTURE_LIMIT:
        return ""
    return (
        f"{format_count(from_future)} of {format_count(units)} exposures claim a time later than their receipt; "
        "a sender's clock is wrong."
    )


def _days(inputs: Inputs) -> tuple[DayCount, ...]:
    days: dict[object, Counter[int]] = defaultdict(Counter)
    for count in inputs.exposures:
        days[count.day][count.variant] += count.units
    ordered = sorted({count.day for count in inputs.exposures})
    return tuple(DayCount(day, tuple(days[day][v.index] for v in inputs.variants)) for day in ordered)


def _sdks(inputs: Inputs) -> tuple[SdkCount, ...]:
    units: Counter[str] = Counter()
    for count in inputs.exposures:
        units[count.sdk or "not told"] += count.units
    return tuple(SdkCount(sdk, n) for sdk, n in sorted(units.items(), key=lambda item: (-item[1], item[0])))
