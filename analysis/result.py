"""One analysis as a tree of plain values: what is stored, hashed, shown on pages, mailed and exported."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from analysis.inputs import (
    Arrivals,
    BreakdownFacts,
    ExperimentFacts,
    MetricFacts,
    PlanFacts,
    TargetFacts,
    VariantFacts,
)
from analysis.stats.adequacy import Adequacy
from analysis.stats.arms import ArmEstimate
from analysis.stats.compare import Comparison
from analysis.stats.estimable import NotEstimable
from analysis.stats.findings import Verdict
from analysis.stats.guardrails import GuardrailState
from analysis.stats.health import HealthProblem
from analysis.stats.heterogeneity import Interaction, RandomEffects, SignChange
from analysis.stats.segments import SegmentEffect
from analysis.stats.srm import LocatedSplit, SplitCheck

SCHEMA = 1
Outcome = Literal["better", "worse", "unclear"]


@dataclass(frozen=True, slots=True)
class ArmResult:
    """One arm's own number, as observed (comparisons may standardise it over phases).

    units: whose window is over; immature: left out because it is not; active: with at least one counted event.
    """

    variant: int
    units: int
    immature: int
    active: int
    estimate: ArmEstimate | NotEstimable


@dataclass(frozen=True, slots=True)
class GuardrailFacts:
    """State of a guardrail in one arm; see stats.guardrails."""

    state: GuardrailState
    margin_lift: float
    p_non_inferior: float | NotEstimable
    p_breach: float | NotEstimable
    reason: str


@dataclass(frozen=True, slots=True)
class EffectResult:
    """One treatment arm against control; guardrail only where the metric is one."""

    variant: int
    comparison: Comparison | NotEstimable
    p_adjusted: float | NotEstimable
    outcome: Outcome
    guardrail: GuardrailFacts | None


@dataclass(frozen=True, slots=True)
class MetricResult:
    """A metric in all arms; effects in the order of the treatment arms."""

    facts: MetricFacts
    arms: tuple[ArmResult, ...]
    effects: tuple[EffectResult, ...]


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """One segment, as it was at first exposure; a suppressed row holds no numbers at all."""

    segment: BreakdownFacts
    suppressed: bool
    units: tuple[int, int] | NotEstimable
    effect: SegmentEffect | NotEstimable
    is_harmed: bool
    planned_n_reached: bool
    detectable_lift: float | NotEstimable


@dataclass(frozen=True, slots=True)
class SegmentTable:
    """The primary metric of one treatment arm by segment, with the tests that tell whether it differs at all."""

    variant: int
    disjoint: bool
    rows: tuple[SegmentRow, ...]
    interaction: Interaction | NotEstimable
    sign_change: SignChange | NotEstimable
    between: RandomEffects | NotEstimable


@dataclass(frozen=True, slots=True)
class DayCount:
    """Newly exposed units of one day (UTC), in the order of the variants."""

    day: date
    units: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SdkCount:
    """Exposed units by the SDK that reported them."""

    sdk: str
    units: int


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the data can be trusted; problems come gravest first, empty when nothing is wrong."""

    units: int
    split: SplitCheck | NotEstimable
    located: tuple[LocatedSplit, ...]
    problems: tuple[HealthProblem, ...]
    crossover_units: int
    from_future: int
    arrivals: Arrivals
    metrics_without_data: tuple[str, ...]
    days: tuple[DayCount, ...]
    sdks: tuple[SdkCount, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """Everything one run found; `is_final`: the planned end, or the end itself, has come."""

    schema: int
    experiment: ExperimentFacts
    variants: tuple[VariantFacts, ...]
    targets: tuple[TargetFacts, ...]
    plan: PlanFacts
    plan_hash: str
    revision: int
    watermark: datetime
    code_version: str
    seed: int
    is_final: bool
    days_run: int
    units_per_day: float
    verdict: Verdict
    health: Health
    adequacy: Adequacy
    metrics: tuple[MetricResult, ...]
    segments: tuple[SegmentTable, ...]
    method: tuple[str, ...]

    @property
    def primary(self) -> MetricResult:
        """The metric the verdict is about."""
        return next(metric for metric in self.metrics if metric.facts.role == "primary")

    @property
    def guardrails(self) -> tuple[MetricResult, ...]:
        """The metrics with a margin."""
        return tuple(metric for metric in self.metrics if metric.facts.role == "guardrail")

    def variant(self, index: int) -> VariantFacts:
        """Return the variant with this index."""
        return next(variant for variant in self.variants if variant.index == index)
