"""Trying a rule without saving it: what it says, how many units it is true of, what to think about first."""

from dataclasses import dataclass
from datetime import datetime

from accounts.models import Environment
from segments.models import Segment
from segments.queries.definitions import sensitive_attributes
from segments.queries.facts import event_names, unseen_events
from segments.queries.membership import SizePreview, preview_size
from segments.rules.spelling import near_matches
from segments.services.definitions import prepare_rule


@dataclass(frozen=True, slots=True)
class UnseenEvent:
    """An event name of a rule of which nothing has arrived, and the known names that look like it."""

    name: str
    near: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RuleTrial:
    """A rule that may be saved, and what is worth knowing before."""

    sentence: str
    needs_stored_facts: bool
    size: SizePreview
    unseen: tuple[UnseenEvent, ...]
    sensitive: tuple[tuple[str, str], ...]


def try_rule(
    *,
    environment: Environment,
    document: object,
    unit_type: str,
    now: datetime,
    segment: Segment | None = None,
) -> RuleTrial:
    """Read a rule as saving it would, and count its units in an environment under a time limit.

    segment: the segment it would be saved for, None for a new one. Raises RuleError.
    """
    project = environment.project
    prepared = prepare_rule(project=project, document=document, unit_type=unit_type, segment=segment)
    missing = unseen_events(environment, prepared.rule)
    known = event_names(environment) if missing else []
    return RuleTrial(
        sentence=prepared.sentence,
        needs_stored_facts=prepared.needs_stored_facts,
        size=preview_size(rule=prepared.rule, environment=environment, unit_type=unit_type, now=now),
        unseen=tuple(UnseenEvent(name, tuple(near_matches(name, known))) for name in missing),
        sensitive=tuple((a.key, a.sensitivity) for a in sensitive_attributes(project, prepared.rule)),
    )
