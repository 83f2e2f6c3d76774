"""What callers hand to the services, as values."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.strict_json import JsonValue
from experiments.models import Flag, Metric, StoppingRule
from segments.models import Segment


@dataclass(frozen=True, slots=True)
class VariantInput:
    """One arm; the first of a list is the control. `name` "" takes the key."""

    key: str
    value: JsonValue
    name: str = ""


@dataclass(frozen=True, slots=True)
class TargetInput:
    """Who takes part: `segment` None is everyone; `weights_bp` None splits evenly."""

    segment: Segment | None = None
    share_bp: int = 10_000
    weights_bp: Sequence[int] | None = None


@dataclass(frozen=True, slots=True)
class MetricInput:
    """A metric's part in an experiment; a guardrail needs a `margin` (0.02 = 2 % worse is tolerated)."""

    metric: Metric
    role: str
    margin: float | None = None
    baseline_mean: float | None = None
    baseline_sd: float | None = None


@dataclass(frozen=True, slots=True)
class PlanInput:
    """What is decided before launch; `mde` is relative, 0.05 = 5 %."""

    mde: float
    planned_n: int
    alpha: float = 0.05
    power: float = 0.8
    stopping_rule: str = StoppingRule.ALWAYS_VALID
    min_days: int = 7
    max_days: int = 28
    daily_units: float | None = None
    auto_pause: bool = False


@dataclass(frozen=True, slots=True)
class NewFlag:
    """A flag to be made together with an experiment; its default is the control's value."""

    key: str
    type: str
    name: str = ""


FlagChoice = Flag | NewFlag
