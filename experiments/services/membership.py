"""Keeping the membership of pinned segment versions fresh while an experiment runs."""

from dataclasses import dataclass

from django.utils import timezone

from experiments.models import Experiment
from segments.models import SegmentRefresh, SegmentVersion


@dataclass(frozen=True, slots=True)
class PinnedVersions:
    """The segment versions an experiment pins: those of its targets, and those it is broken down by."""

    targeted: tuple[SegmentVersion, ...]
    reported: tuple[SegmentVersion, ...]


def watch_segments(experiment: Experiment) -> PinnedVersions:
    """Have the membership of every pinned version materialised in the experiment's environment, from now on."""
    targeted = tuple(SegmentVersion.objects.filter(targets__experiment=experiment).distinct())
    reported = tuple(SegmentVersion.objects.filter(breakdowns__experiment=experiment).distinct())
    now = timezone.now()
    SegmentRefresh.objects.bulk_create(
        (
            SegmentRefresh(version=version, environment=experiment.environment, due_at=now)
            for version in {*targeted, *reported}
        ),
        ignore_conflicts=True,
    )
    return PinnedVersions(targeted=targeted, reported=reported)
