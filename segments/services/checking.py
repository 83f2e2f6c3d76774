"""Checking a rule on one unit: on facts typed in, or, for the privacy officer, on what is stored."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from accounts.audit import Actor, record
from accounts.models import Environment
from core.errors import DomainError, NotFound
from segments.models import SegmentVersion
from segments.queries.definitions import RuleBook, open_rule_book, segment_names
from segments.queries.facts import stored_profile
from segments.queries.membership import is_member
from segments.rules import Profile, Rule, Step, parse, references, trace

MAX_REASON = 500


class ReasonMissing(DomainError):
    """Looking at one person's data needs a reason, which is kept."""

    code = "reason_missing"


@dataclass(frozen=True, slots=True)
class UnitCheck:
    """The answer of a rule for one unit: every node's, and what the stored membership says (None: not asked)."""

    steps: list[Step]
    is_member: bool | None = None

    @property
    def holds(self) -> bool:
        return self.steps[0].holds


def check_facts(*, version: SegmentVersion, profile: Profile, now: datetime) -> UnitCheck:
    """Evaluate a version on facts that were typed in; nothing stored is read."""
    rule, book = _opened(version)
    return UnitCheck(_steps(version, rule, book, profile, now))


@transaction.atomic
def check_stored_unit(
    *,
    version: SegmentVersion,
    environment: Environment,
    unit_id: str,
    actor: Actor,
    reason: str,
    now: datetime,
) -> UnitCheck:
    """Evaluate a version on what is stored of one unit; who looked and why goes to the audit trail.

    Raises ReasonMissing, NotFound for a unit without a profile.
    """
    if not reason.strip() or len(reason) > MAX_REASON:
        raise ReasonMissing(
            f"Say in 1 to {MAX_REASON} characters why you look at this unit; it is kept in the audit trail.",
            pointer="/reason",
        )
    rule, book = _opened(version)
    names = {name for each in (rule, *book.rules.values()) for name in references(each).events}
    record(
        project=version.segment.project,
        actor=actor,
        action="segment.unit_checked",
        target=version.segment,
        after={"version": version.number, "environment": environment.slug, "unit_id": unit_id},
        reason=reason.strip(),
    )
    profile = stored_profile(environment, version.segment.unit_type, unit_id, names)
    if profile is None:
        raise NotFound(f"No {version.segment.unit_type} with this id has a profile in {environment.name}.")
    steps = _steps(version, rule, book, profile, now)
    return UnitCheck(steps, is_member(version, environment, unit_id))


def _opened(version: SegmentVersion) -> tuple[Rule, RuleBook]:
    rule = parse(version.rule)
    return rule, open_rule_book(version.segment.project, rule)


def _steps(
    version: SegmentVersion, rule: Rule, book: RuleBook, profile: Profile, now: datetime
) -> list[Step]:
    names: Mapping[str, Any] = segment_names(version.segment.project)
    return trace(rule, profile, now, book.rule_of, names)
