"""What the verdict looks at, and the verdict itself: plain values with the words for people."""

from dataclasses import dataclass
from typing import Literal

from analysis.stats.adequacy import Adequacy
from analysis.stats.compare import Comparison
from analysis.stats.estimable import Direction, NotEstimable
from analysis.stats.guardrails import GuardrailResult
from analysis.stats.health import HealthProblem
from analysis.stats.wording import describe_effect

VerdictKind = Literal["ship", "stop", "keep_running", "inconclusive", "invalid"]


@dataclass(frozen=True, slots=True)
class PrimaryFinding:
    """The primary metric in one treatment arm.

    variant: its name; metric: a noun ("conversion"), read after the number; is_rate: the values are shares;
    p_adjusted: Holm over primary metrics x arms (the raw p-value when there is one arm).
    """

    variant: str
    metric: str
    direction: Direction
    comparison: Comparison | NotEstimable
    p_adjusted: float | NotEstimable
    is_rate: bool = False

    @property
    def outcome(self) -> Literal["better", "worse", "unclear"]:
        """Whether the arm is credibly better or worse, after correction for all arms."""
        if isinstance(self.comparison, NotEstimable) or isinstance(self.p_adjusted, NotEstimable):
            return "unclear"
        return self.comparison.outcome(self.direction, self.p_adjusted)

    @property
    def effect(self) -> str:
        """The effect in words, or why there is none."""
        if isinstance(self.comparison, NotEstimable):
            return f"{self.metric} not estimable: {self.comparison.reason}"
        return describe_effect(self.comparison, self.metric, is_rate=self.is_rate)


@dataclass(frozen=True, slots=True)
class GuardrailFinding:
    """One guardrail in one treatment arm."""

    variant: str
    metric: str
    result: GuardrailResult
    is_rate: bool = False


@dataclass(frozen=True, slots=True)
class SegmentFinding:
    """One segment in one treatment arm; is_harmed: credibly worse off after pooling."""

    key: str
    name: str
    variant: str
    is_harmed: bool


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that the verdict looks at.

    primaries: one per treatment arm (and primary metric), at least one; audience: who the experiment is for,
    in words ("everyone", "New customers"); notes: full sentences that may explain an inconclusive result.
    Raises ValueError without a primary finding.
    """

    primaries: tuple[PrimaryFinding, ...]
    adequacy: Adequacy
    health: tuple[HealthProblem, ...] = ()
    guardrails: tuple[GuardrailFinding, ...] = ()
    segments: tuple[SegmentFinding, ...] = ()
    audience: str = "everyone"
    auto_pause: bool = False
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.primaries:
            raise ValueError("a verdict needs the primary metric of at least one treatment arm")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do, which rule said so, and the sentence that pages and mails show.

    winner: name of the arm to ship; ship_segments, hold_segments: keys of the segments that get it or do not;
    days_left: only while running; next_actions: at most three, the most useful first.
    """

    kind: VerdictKind
    rule: str
    sentence: str
    winner: str | None = None
    ship_segments: tuple[str, ...] = ()
    hold_segments: tuple[str, ...] = ()
    days_left: int | NotEstimable | None = None
    next_actions: tuple[str, ...] = ()
