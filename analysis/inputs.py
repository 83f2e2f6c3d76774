"""All that an analysis looks at, as plain values: the plan, who was exposed, and the sums of every metric."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from analysis.moments import CellSums, MetricSpec
from analysis.stats.estimable import Direction

Role = Literal["primary", "secondary", "guardrail"]
StoppingRule = Literal["always_valid", "fixed_horizon"]


@dataclass(frozen=True, slots=True)
class ExperimentFacts:
    """What the report says about the experiment; ended_at only when that was before the watermark."""

    public_id: str
    key: str
    name: str
    hypothesis: str
    unit_type: str
    origin: str
    note: str
    currency: str
    started_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class VariantFacts:
    """One arm; index 0 is the control."""

    index: int
    key: str
    name: str


@dataclass(frozen=True, slots=True)
class TargetFacts:
    """One target in order; name is the segment's, or Everyone."""

    position: int
    name: str
    is_everyone: bool


@dataclass(frozen=True, slots=True)
class PhaseFacts:
    """A phase; opened: (target position, slots *newly* opened for each variant); empty when no split was planned."""

    number: int
    started_at: datetime
    opened: tuple[tuple[int, tuple[int, ...]], ...]


@dataclass(frozen=True, slots=True)
class MetricFacts:
    """A metric and its part in the plan; margin only for a guardrail."""

    spec: MetricSpec
    name: str
    role: Role
    direction: Direction
    unit_label: str
    margin: float | None


@dataclass(frozen=True, slots=True)
class PlanFacts:
    """What was decided before launch; mde is relative, 0.05 = 5 %."""

    alpha: float
    power: float
    mde: float
    stopping_rule: StoppingRule
    min_days: int
    max_days: int
    planned_n: int
    daily_units: float | None
    auto_pause: bool


@dataclass(frozen=True, slots=True)
class BreakdownFacts:
    """A segment version declared in the plan (as breakdown or target)."""

    version_id: int
    key: str
    name: str
    number: int
    sentence: str


@dataclass(frozen=True, slots=True)
class ExposureCount:
    """Units exposed in one cell on one day (UTC); overlapping: in two or more breakdowns at once;
    from_future: whose exposure claims to be later than its receipt.
    """

    variant: int
    phase: int
    target: int
    day: date
    sdk: str
    units: int
    overlapping: int
    from_future: int


@dataclass(frozen=True, slots=True)
class Arrivals:
    """How the metric events of the last week came in."""

    events: int
    late: int


@dataclass(frozen=True, slots=True)
class Inputs:
    """One analysis as a value: equal inputs give the same bytes of JSON."""

    experiment: ExperimentFacts
    variants: tuple[VariantFacts, ...]
    targets: tuple[TargetFacts, ...]
    phases: tuple[PhaseFacts, ...]
    metrics: tuple[MetricFacts, ...]
    plan: PlanFacts
    breakdowns: tuple[BreakdownFacts, ...]
    watermark: datetime
    revision: int
    code_version: str
    seed: int
    exposures: tuple[ExposureCount, ...]
    cells: tuple[CellSums, ...]
    crossover_units: int
    arrivals: Arrivals
    plan_hash: str
