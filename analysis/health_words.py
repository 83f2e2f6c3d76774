"""The health checks in words: one line each, always the same lines, so that a missing one is noticed."""

from dataclasses import dataclass
from typing import Literal

from analysis.result import Health, Result
from analysis.stats.estimable import NotEstimable
from analysis.stats.health import CROSSOVER_LIMIT
from analysis.stats.srm import ALERT_P, LocatedSplit
from analysis.stats.wording import format_count, format_p, join_words
from core.formatting import percent

CheckState = Literal["ok", "warning", "danger", "unclear"]
STATE_WORDS: dict[CheckState, str] = {
    "ok": "OK",
    "warning": "Look",
    "danger": "Problem",
    "unclear": "Not tested",
}
LATE_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One check: what, how it stands (a class and a word), and the numbers behind it."""

    name: str
    state: CheckState
    word: str
    detail: str


@dataclass(frozen=True, slots=True)
class LocatedRow:
    """Where an imbalance sits: observed against expected units in one slice."""

    dimension: str
    level: str
    observed: str
    expected: str
    p_text: str
    is_alert: bool


def describe_health(result: Result) -> tuple[CheckRow, ...]:
    """Return the checks in the order of their gravity."""
    health = result.health
    return (
        _split(result),
        _crossover(health),
        _silent_metrics(health),
        _clock(health),
        _late(result),
    )


def describe_located(result: Result) -> tuple[LocatedRow, ...]:
    """Return the slices with the strongest evidence of imbalance."""
    return tuple(_located(found) for found in result.health.located)


def _row(name: str, state: CheckState, detail: str) -> CheckRow:
    return CheckRow(name, state, STATE_WORDS[state], detail)


def _split(result: Result) -> CheckRow:
    name, split = "Split between variants", result.health.split
    if isinstance(split, NotEstimable):
        return _row(name, "unclear", f"{split.reason[:1].upper()}{split.reason[1:]}.")
    pairs = zip(result.variants, split.observed, split.expected, strict=True)
    counts = join_words([f"{v.name} {format_count(o)} (expected {format_count(e)})" for v, o, e in pairs])
    verdict = f"alarm below p = {ALERT_P:g}"
    return _row(
        name, "danger" if split.is_alert else "ok", f"{counts}; {format_p(split.p_value)}, {verdict}."
    )


def _crossover(health: Health) -> CheckRow:
    share = health.crossover_units / health.units if health.units else 0.0
    state: CheckState = "danger" if share > CROSSOVER_LIMIT else "warning" if share > 0 else "ok"
    met = f"{format_count(health.crossover_units)} of {format_count(health.units)} units met more than one variant"
    return _row(
        "One variant per unit", state, f"{met} (at most {percent(CROSSOVER_LIMIT)} can be tolerated)."
    )


def _silent_metrics(health: Health) -> CheckRow:
    name = "Data for every metric"
    if health.metrics_without_data:
        return _row(
            name, "danger", f"Nothing has arrived for {join_words(list(health.metrics_without_data))}."
        )
    return _row(
        name, "ok", "The primary metric and all guardrails have data, or it is too early to expect any."
    )


def _clock(health: Health) -> CheckRow:
    state: CheckState = "ok" if health.from_future == 0 else "warning"
    if any(problem.code == "clock" for problem in health.problems):
        state = "danger"
    detail = f"{format_count(health.from_future)} exposures claim a time later than their receipt."
    return _row("Clocks", state, detail)


def _late(result: Result) -> CheckRow:
    name, arrivals = "Late events", result.health.arrivals
    if result.experiment.origin == "imported":
        return _row(name, "unclear", "Imported data arrive all at once.")
    if arrivals.events == 0:
        return _row(name, "unclear", "No events of these metrics arrived in the last 7 days.")
    share = arrivals.late / arrivals.events
    detail = (
        f"{format_count(arrivals.late)} of {format_count(arrivals.events)} events of the last 7 days came more than "
        "a day late; a later run counts them."
    )
    return _row(name, "warning" if share > LATE_SHARE else "ok", detail)


def _located(found: LocatedSplit) -> LocatedRow:
    return LocatedRow(
        dimension=found.dimension,
        level=found.level,
        observed=" / ".join(format_count(o) for o in found.check.observed),
        expected=" / ".join(format_count(e) for e in found.check.expected),
        p_text=format_p(found.p_adjusted),
        is_alert=found.is_alert,
    )
