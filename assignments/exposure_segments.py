"""Which segments of attributes were true at an exposure, where the stored profile still says so exactly."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assignments.document import SegmentConfig
from assignments.exposure_items import ExposureRow
from events.models import Profile
from segments.rules import Profile as Facts
from segments.rules.matching import refuse_segments


@dataclass(frozen=True, slots=True)
class KnownSegments:
    """Segment versions decided from the profile, and those of them that held."""

    decided: tuple[int, ...] = ()
    held: tuple[int, ...] = ()


def known_segments(
    environment_id: int,
    rows: Sequence[tuple[int, ExposureRow]],
    segments: Mapping[int, Sequence[SegmentConfig]],
) -> dict[int, KnownSegments]:
    """Decide the attribute segments of each numbered exposure whose profile has not changed since.

    segments: by experiment. A newcomer is so counted in its segments before their next refresh; where the
    profile changed after the exposure, or events decide, the membership on record says what was true then.
    """
    asked = [(n, row) for n, row in rows if any(s.predicate for s in segments.get(row.experiment_id, ()))]
    if not asked:
        return {}
    found = Profile.objects.filter(
        environment_id=environment_id, unit_id__in={row.unit_id for _, row in asked}
    )
    profiles = {(profile.unit_type, profile.unit_id): profile for profile in found}
    known: dict[int, KnownSegments] = {}
    for n, row in asked:
        profile = profiles.get((row.unit_type, row.unit_id))
        if profile is not None and profile.updated_at <= row.occurred_at:
            known[n] = _decide(profile, row, segments[row.experiment_id])
    return known


def _decide(profile: Profile, row: ExposureRow, segments: Sequence[SegmentConfig]) -> KnownSegments:
    facts = Facts(attributes=profile.attributes)
    truth = {
        segment.version_id: segment.predicate(facts, row.occurred_at, refuse_segments)
        for segment in segments
        if segment.predicate
    }
    return KnownSegments(tuple(truth), tuple(version for version, held in truth.items() if held))
