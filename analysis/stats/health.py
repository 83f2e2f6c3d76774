"""Health of an experiment's data: the reasons for which its numbers must not be used."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from analysis.stats.estimable import NotEstimable
from analysis.stats.srm import SplitCheck
from analysis.stats.wording import format_count, format_p, join_words

CROSSOVER_LIMIT = 0.01
"""Share of units seen in more than one variant above which assignment cannot be trusted."""

HealthCode = Literal["srm", "crossover", "missing_data", "clock"]


@dataclass(frozen=True, slots=True)
class HealthProblem:
    """One reason to distrust the numbers: a stable code and a full sentence for people."""

    code: HealthCode
    sentence: str


def find_health_problems(
    *,
    split: SplitCheck | NotEstimable,
    variants: Sequence[str],
    units: int,
    crossover_units: int,
    metrics_without_data: Sequence[str] = (),
    clock_problem: str = "",
) -> tuple[HealthProblem, ...]:
    """List what is wrong, the gravest first.

    variants: names in the order of split.observed; units: exposed; crossover_units: of those, seen in more
    than one variant; metrics_without_data: names of plan metrics for which nothing has arrived;
    clock_problem: a full sentence when event times cannot be right, else empty.
    """
    problems: list[HealthProblem] = []
    if isinstance(split, SplitCheck) and split.is_alert:
        problems.append(HealthProblem("srm", _describe_split(split, variants)))
    if units > 0 and crossover_units / units > CROSSOVER_LIMIT:
        share = 100.0 * crossover_units / units
        problems.append(
            HealthProblem(
                "crossover",
                f"{format_count(crossover_units)} of {format_count(units)} units ({share:.2g} %) met more "
                f"than one variant; at most {100 * CROSSOVER_LIMIT:.2g} % can be tolerated.",
            )
        )
    if metrics_without_data:
        names = join_words(list(metrics_without_data))
        problems.append(HealthProblem("missing_data", f"No data has arrived for {names}."))
    if clock_problem:
        problems.append(HealthProblem("clock", clock_problem))
    return tuple(problems)


def _describe_split(split: SplitCheck, variants: Sequence[str]) -> str:
    pairs = zip(variants, split.observed, split.expected, strict=True)
    counts = [f"{name} {format_count(o)} instead of {format_count(e)}" for name, o, e in pairs]
    return f"The split is not the planned one: {join_words(counts)} ({format_p(split.p_value)})."
