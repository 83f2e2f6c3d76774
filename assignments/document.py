"""The compiled configuration of one environment: immutable values that evaluation reads."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from core.strict_json import JsonValue
from experiments.allocation import Allocation
from segments.rules import Predicate


@dataclass(frozen=True, slots=True)
class VariantConfig:
    key: str
    value: JsonValue


@dataclass(frozen=True, slots=True)
class SegmentConfig:
    """A pinned segment version.

    rule: JSON of a rule that attributes alone decide; None when stored membership does.
    predicate and attributes: the same rule made ready, and what it reads (see `live_segment`).
    """

    version_id: int
    rule: JsonValue = None
    attributes: frozenset[str] = frozenset()
    predicate: Predicate | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class TargetConfig:
    """`segment` None means everyone."""

    position: int
    segment: SegmentConfig | None
    allocation: Allocation


@dataclass(frozen=True, slots=True)
class SlotRanges:
    """The part of a salted hash range that counts: half-open `(start, end)` ranges of 0..10,000."""

    salt: str
    ranges: tuple[tuple[int, int], ...]

    def contains(self, slot: int) -> bool:
        return any(start <= slot < end for start, end in self.ranges)


@dataclass(frozen=True, slots=True)
class ExperimentConfig:
    """A running or paused experiment. The first variant is the control."""

    id: int
    public_id: str
    key: str
    salt: str
    unit_type: str
    hash_version: int
    paused: bool
    frozen: bool
    phase: int
    variants: tuple[VariantConfig, ...]
    targets: tuple[TargetConfig, ...]
    layer: SlotRanges | None = None
    holdout: SlotRanges | None = None
    consent_required: bool = False
    breakdowns: tuple[int, ...] = ()

    def variant_index(self, key: str) -> int | None:
        """Return the index of a variant, None when there is none of that key."""
        return next((i for i, variant in enumerate(self.variants) if variant.key == key), None)

    @property
    def segment_versions(self) -> tuple[int, ...]:
        """Return the segment versions whose truth an exposure freezes: breakdowns and targets."""
        targeted = (t.segment.version_id for t in self.targets if t.segment)
        return tuple(sorted({*self.breakdowns, *targeted}))


@dataclass(frozen=True, slots=True)
class OverrideConfig:
    """What one QA unit gets, whatever its eligibility; never analysed."""

    experiment: str
    variant: VariantConfig


@dataclass(frozen=True, slots=True)
class RolloutConfig:
    """A decided winner for a segment (None: everyone), served where no experiment takes the unit."""

    segment: SegmentConfig | None
    variant: VariantConfig


@dataclass(frozen=True, slots=True)
class FlagConfig:
    key: str
    type: str
    enabled: bool
    default: JsonValue
    auto_exposure: bool = False
    experiment: ExperimentConfig | None = None
    overrides: Mapping[str, OverrideConfig] = field(default_factory=dict)
    rollouts: tuple[RolloutConfig, ...] = ()

    @property
    def unit_type(self) -> str:
        """Return what kind of unit this flag asks about."""
        return self.experiment.unit_type if self.experiment else "user"


@dataclass(frozen=True, slots=True)
class KeyConfig:
    """An API key that this environment accepts; `allowed_origins` empty means any."""

    public_id: str
    kind: str
    allowed_origins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything an evaluation needs of one environment, at one revision of its configuration."""

    environment_id: int
    project_id: int
    environment: str
    revision: int
    flags: Mapping[str, FlagConfig]
    keys: Mapping[str, KeyConfig] = field(default_factory=dict)

    def experiment(self, name: str) -> ExperimentConfig | None:
        """Return a live experiment by its public id or key."""
        live = (f.experiment for f in self.flags.values() if f.experiment)
        return next((e for e in live if name in (e.public_id, e.key)), None)
