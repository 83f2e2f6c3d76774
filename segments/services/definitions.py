"""Making and changing segments. A saved version never changes; an edit makes the next one."""

import re
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from accounts.audit import Actor, record
from accounts.models import Project
from core.errors import Conflict, DomainError, Problem
from segments.models import Segment, SegmentRefresh, SegmentStatus, SegmentVersion
from segments.queries.definitions import (
    RuleBook,
    latest_version,
    open_rule_book,
    segment_names,
    vocabulary_of,
)
from segments.rules import (
    InSegment,
    Rule,
    RuleError,
    encode_document,
    find_cycle,
    map_conditions,
    needs_stored_facts,
    parse,
    references,
    sentence,
    walk,
)
from segments.rules.nodes import Condition, unwrapped
from segments.rules.values import is_clean_text

KEY = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")
RESERVED_KEYS = ("new",)  # the address of the page that makes a segment
UNIT_TYPE = re.compile(r"[a-z][a-z0-9_]{0,29}")
MAX_REFRESH_MINUTES = 7 * 24 * 60
MAX_RATIONALE = 5_000


class SegmentKeyTaken(Conflict):
    """Another segment of the project has this key."""

    code = "segment_key_taken"


class SegmentCycle(RuleError):
    """The rule leads back to the segment itself."""


@dataclass(frozen=True, slots=True)
class PreparedRule:
    """A rule that may be saved: read, its segments pinned to versions, put into words."""

    rule: Rule
    sentence: str
    needs_stored_facts: bool


def prepare_rule(
    *, project: Project, document: object, unit_type: str = "user", segment: Segment | None = None
) -> PreparedRule:
    """Read a rule document for a segment of the project; `segment` is None for one not made yet.

    A segment it names without a version is pinned to its latest one. Raises RuleError with every problem,
    SegmentCycle when the rule leads back to `segment`, TooManySegments.
    """
    rule = _pinned(project, parse(document, vocabulary_of(project, unit_type)))
    book = open_rule_book(project, rule)
    names = segment_names(project)
    if segment is not None:
        _refuse_cycle(segment, rule, book, names)
    return PreparedRule(rule, sentence(rule, names), needs_stored_facts(rule, book.needs_stored_facts))


def _pinned(project: Project, rule: Rule) -> Rule:
    wanted = references(rule).segments
    if not wanted:
        return rule
    numbers: dict[str, set[int]] = {}
    rows = SegmentVersion.objects.filter(segment__project=project, segment__public_id__in=wanted)
    for public_id, number in rows.values_list("segment__public_id", "number"):
        numbers.setdefault(public_id, set()).add(number)

    def pin(node: Condition) -> Condition:
        if not isinstance(node, InSegment):
            return node
        return InSegment(node.segment, max(numbers[node.segment]) if node.version is None else node.version)

    missing = [
        node
        for node in walk(rule)
        if isinstance(node, InSegment) and node.version and node.version not in numbers[node.segment]
    ]
    if missing:
        detail = f"Segment {missing[0].segment} has no version {missing[0].version}."
        raise RuleError([Problem(pointer="", code="unknown_version", detail=detail)])
    return map_conditions(rule, pin)


def _refuse_cycle(segment: Segment, rule: Rule, book: RuleBook, names: dict[str, str]) -> None:
    edges = {**book.edges(), segment.public_id: references(rule).segments}
    cycle = find_cycle(segment.public_id, edges)
    if cycle is None:
        return
    path = " → ".join(names.get(public_id, public_id) for public_id in cycle)
    detail = f"The segment would contain itself: {path}. Take one of these links out."
    raise SegmentCycle([Problem(pointer="", code="segment_cycle", detail=detail)])


@transaction.atomic
def create_segment(
    *,
    project: Project,
    actor: Actor,
    key: str,
    name: str,
    rule: object,
    rationale: str = "",
    unit_type: str = "user",
    refresh_minutes: int = 60,
) -> Segment:
    """Make a segment with its first version, due for its first refresh in every environment.

    Raises RuleError, SegmentKeyTaken, DomainError for a bad key, name or interval.
    """
    _check_fields(name=name, rationale=rationale, refresh_minutes=refresh_minutes)
    if len(key) > 60 or not KEY.fullmatch(key) or key in RESERVED_KEYS:
        message = f'A key is lower-case letters, digits, - and _, at most 60, and not "{RESERVED_KEYS[0]}".'
        raise DomainError(message, code="bad_key", pointer="/key")
    if not UNIT_TYPE.fullmatch(unit_type):
        message = "A unit type is a lower-case word such as user, device or account."
        raise DomainError(message, code="bad_unit_type", pointer="/unit_type")
    prepared = prepare_rule(project=project, document=rule, unit_type=unit_type)
    segment, created = Segment.objects.get_or_create(
        project=project,
        key=key,
        defaults={
            "name": name,
            "rationale": rationale,
            "unit_type": unit_type,
            "owner": actor.user,
            "refresh_minutes": refresh_minutes,
        },
    )
    if not created:
        raise SegmentKeyTaken(f'This project has a segment with the key "{key}" already.', pointer="/key")
    version = _add_version(segment, prepared, number=1, actor=actor)
    record(
        project=project,
        actor=actor,
        action="segment.created",
        target=segment,
        after={"key": key, "name": name, "rule": version.rule},
    )
    return segment


@transaction.atomic
def save_version(*, segment: Segment, rule: object, actor: Actor) -> SegmentVersion:
    """Save an edited rule as the next version; the same rule again gives the version that has it.

    Experiments stay on the version they pinned. Raises RuleError, SegmentCycle, Conflict when retired.
    """
    segment = Segment.objects.select_for_update(no_key=True).select_related("project").get(pk=segment.pk)
    _refuse_retired(segment)
    before = latest_version(segment)
    prepared = prepare_rule(
        project=segment.project, document=rule, unit_type=segment.unit_type, segment=segment
    )
    if unwrapped(parse(before.rule)) == unwrapped(prepared.rule):
        return before
    version = _add_version(segment, prepared, number=before.number + 1, actor=actor)
    record(
        project=segment.project,
        actor=actor,
        action="segment.version_saved",
        target=segment,
        before={"version": before.number, "rule": before.rule},
        after={"version": version.number, "rule": version.rule},
    )
    return version


@transaction.atomic
def update_segment(
    *, segment: Segment, actor: Actor, name: str, rationale: str, refresh_minutes: int
) -> Segment:
    """Change what is not the rule: name, rationale, refresh interval."""
    _check_fields(name=name, rationale=rationale, refresh_minutes=refresh_minutes)
    segment = Segment.objects.select_for_update(no_key=True).select_related("project").get(pk=segment.pk)
    fields = {"name": name, "rationale": rationale, "refresh_minutes": refresh_minutes}
    before = {field: getattr(segment, field) for field in fields}
    if before == fields:
        return segment
    segment.name, segment.rationale, segment.refresh_minutes = name, rationale, refresh_minutes
    segment.save(update_fields=list(fields))
    record(
        project=segment.project,
        actor=actor,
        action="segment.updated",
        target=segment,
        before=before,
        after=fields,
    )
    return segment


@transaction.atomic
def retire_segment(*, segment: Segment, actor: Actor) -> Segment:
    """Take a segment out of use for new work; what points at one of its versions keeps working."""
    segment = Segment.objects.select_for_update(no_key=True).select_related("project").get(pk=segment.pk)
    _refuse_retired(segment)
    segment.status = SegmentStatus.RETIRED
    segment.save(update_fields=["status"])
    record(
        project=segment.project,
        actor=actor,
        action="segment.retired",
        target=segment,
        before={"status": SegmentStatus.ACTIVE},
        after={"status": SegmentStatus.RETIRED},
    )
    return segment


def _add_version(segment: Segment, prepared: PreparedRule, number: int, actor: Actor) -> SegmentVersion:
    version = SegmentVersion.objects.create(
        segment=segment,
        number=number,
        rule=encode_document(prepared.rule),
        sentence=prepared.sentence,
        needs_stored_facts=prepared.needs_stored_facts,
        created_by=actor.user,
    )
    now = timezone.now()
    environments = segment.project.environments.all()
    SegmentRefresh.objects.bulk_create(
        SegmentRefresh(version=version, environment=environment, due_at=now) for environment in environments
    )
    return version


def _check_fields(*, name: str, rationale: str, refresh_minutes: int) -> None:
    if not name.strip() or len(name) > 120 or not is_clean_text(name):
        raise DomainError("A segment needs a name of 1 to 120 characters.", code="bad_name", pointer="/name")
    if len(rationale) > MAX_RATIONALE or not is_clean_text(rationale):
        message = f"The rationale is text of at most {MAX_RATIONALE:,} characters."
        raise DomainError(message, code="bad_rationale", pointer="/rationale")
    if not 1 <= refresh_minutes <= MAX_REFRESH_MINUTES:
        message = f"A refresh interval is 1 to {MAX_REFRESH_MINUTES:,} minutes (a week)."
        raise DomainError(message, code="bad_refresh_minutes", pointer="/refresh_minutes")


def _refuse_retired(segment: Segment) -> None:
    if segment.status == SegmentStatus.RETIRED:
        raise Conflict(f"Segment {segment.name} is retired.", code="segment_retired")
