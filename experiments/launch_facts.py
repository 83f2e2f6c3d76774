"""What the launch check looks at, as values."""

from dataclasses import dataclass

from core.strict_json import JsonValue

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class VariantFacts:
    key: str
    value: JsonValue


@dataclass(frozen=True, slots=True)
class SegmentFacts:
    """A pinned segment version; `version` below `latest` means that the segment was edited since."""

    key: str
    name: str
    unit_type: str
    is_retired: bool
    version: int
    latest: int


@dataclass(frozen=True, slots=True)
class TargetFacts:
    """`segment` None means everyone."""

    segment: SegmentFacts | None
    share_bp: int
    weights_bp: tuple[int, ...]

    @property
    def name(self) -> str:
        return self.segment.name if self.segment else "Everyone"


@dataclass(frozen=True, slots=True)
class MetricFacts:
    name: str
    role: str
    margin: float | None
    window_days: int | None


@dataclass(frozen=True, slots=True)
class PlanFacts:
    min_days: int
    max_days: int


@dataclass(frozen=True, slots=True)
class LayerFacts:
    """The slots this experiment claims, and those of the others that live in the layer."""

    name: str
    ranges: tuple[Range, ...]
    others: tuple[tuple[str, tuple[Range, ...]], ...]


@dataclass(frozen=True, slots=True)
class LaunchFacts:
    """Everything the check looks at. assigned_elsewhere: an imported experiment, never served by Strata."""

    hypothesis: str
    unit_type: str
    flag_key: str
    flag_type: str
    flag_enabled: bool
    flag_default: JsonValue
    live_on_flag: str
    variants: tuple[VariantFacts, ...]
    targets: tuple[TargetFacts, ...]
    metrics: tuple[MetricFacts, ...]
    plan: PlanFacts | None
    breakdowns: tuple[SegmentFacts, ...]
    layer: LayerFacts | None
    assigned_elsewhere: bool = False
