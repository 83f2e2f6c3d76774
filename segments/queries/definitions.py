"""Segments, their versions, and the names a rule may use in a project."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.db.models import F, Max, OuterRef, QuerySet, Subquery

from accounts.models import Environment, Project
from core.errors import DomainError, NotFound
from events.models import Attribute, Sensitivity, Subject
from segments.models import Segment, SegmentRefresh, SegmentStatus, SegmentVersion
from segments.rules import InSegment, Rule, ValueType, Vocabulary, parse, references, walk

MAX_NAMED_VERSIONS = 50


class TooManySegments(DomainError):
    """A rule that leads to more other segments than one query should join."""

    code = "too_many_segments"


def segments_of(project: Project) -> QuerySet[Segment]:
    """Return the project's segments, by name."""
    return Segment.objects.filter(project=project).select_related("owner").order_by("name", "id")


def with_current_state(segments: QuerySet[Segment], environment: Environment) -> QuerySet[Segment]:
    """Annotate segments with their latest version and how fresh its membership is in an environment.

    Adds latest_number, latest_sentence, latest_rule, size, refreshed_at, refresh_error.
    """
    latest = SegmentVersion.objects.filter(segment=OuterRef("pk")).order_by("-number")
    state = SegmentRefresh.objects.filter(
        environment=environment, version__segment=OuterRef("pk"), version__number=OuterRef("latest_number")
    )
    return segments.annotate(latest_number=Subquery(latest.values("number")[:1])).annotate(
        latest_sentence=Subquery(latest.values("sentence")[:1]),
        latest_rule=Subquery(latest.values("rule")[:1]),
        size=Subquery(state.values("size")[:1]),
        refreshed_at=Subquery(state.values("refreshed_at")[:1]),
        refresh_error=Subquery(state.values("error")[:1]),
    )


def get_segment(project: Project, public_id: str) -> Segment:
    """Return one segment of the project; raises NotFound, also for one of another project."""
    segment = segments_of(project).filter(public_id=public_id).first()
    if segment is None:
        raise NotFound(f"This project has no segment {public_id[:60]}.")
    return segment


def versions_of(segment: Segment) -> QuerySet[SegmentVersion]:
    """Return the versions of a segment, newest first."""
    return segment.versions.select_related("created_by").order_by("-number")


def latest_version(segment: Segment) -> SegmentVersion:
    """Return the newest version of a segment; there always is one."""
    version = versions_of(segment).first()
    if version is None:
        raise NotFound(f"Segment {segment.name} has no version.")
    return version


def vocabulary_of(project: Project, unit_type: str = "user") -> Vocabulary:
    """Return the names a rule about units of this type may use."""
    types: dict[str, dict[str, ValueType]] = {Subject.PROFILE.value: {}, Subject.EVENT.value: {}}
    for subject, key, kind in Attribute.objects.filter(project=project).values_list("subject", "key", "type"):
        types[subject][key] = ValueType(kind)
    segments = Segment.objects.filter(project=project, unit_type=unit_type).order_by("name")
    return Vocabulary(
        attributes=types[Subject.PROFILE.value],
        properties=types[Subject.EVENT.value],
        segments=dict(segments.values_list("public_id", "name")),
    )


def segment_names(project: Project) -> dict[str, str]:
    """Return the name of every segment of a project by public id."""
    return dict(Segment.objects.filter(project=project).values_list("public_id", "name"))


def sensitive_attributes(project: Project, rule: Rule) -> list[Attribute]:
    """Return the attributes a rule uses that are personal, special or a proxy for something special."""
    return list(
        Attribute.objects.filter(
            project=project, subject=Subject.PROFILE, key__in=references(rule).attributes
        )
        .exclude(sensitivity=Sensitivity.NONE)
        .order_by("key")
    )


@dataclass(frozen=True)
class RuleBook:
    """The rules of all segment versions that a rule names, at any depth."""

    rules: Mapping[tuple[str, int], Rule]
    stored_facts: Mapping[tuple[str, int], bool]

    def rule_of(self, node: InSegment) -> Rule:
        """Return the rule of a named version; raises KeyError when the book was opened for another rule."""
        return self.rules[_key(node)]

    def needs_stored_facts(self, node: InSegment) -> bool:
        """Whether a named version asks for more than attributes."""
        return self.stored_facts[_key(node)]

    def edges(self) -> dict[str, frozenset[str]]:
        """Return which segment names which, over all versions in the book."""
        found: dict[str, frozenset[str]] = {}
        for (public_id, _), rule in self.rules.items():
            found[public_id] = found.get(public_id, frozenset()) | references(rule).segments
        return found


def open_rule_book(project: Project, rule: Rule) -> RuleBook:
    """Read every segment version that the rule names, one query a level of nesting.

    Raises NotFound for a version that the project does not have, TooManySegments beyond 50.
    """
    rules: dict[tuple[str, int], Rule] = {}
    stored_facts: dict[tuple[str, int], bool] = {}
    wanted = _named(rule)
    while wanted:
        found = _read_versions(project, wanted)
        for key in wanted:
            if key not in found:
                raise NotFound(f"This project has no version {key[1]} of segment {key[0]}.")
            rules[key] = parse(found[key].rule)
            stored_facts[key] = found[key].needs_stored_facts
        if len(rules) > MAX_NAMED_VERSIONS:
            raise TooManySegments(
                f"The rule leads to more than {MAX_NAMED_VERSIONS} other segments; simplify it."
            )
        wanted = {key for read in wanted for key in _named(rules[read])} - rules.keys()
    return RuleBook(rules=rules, stored_facts=stored_facts)


def _read_versions(
    project: Project, wanted: Iterable[tuple[str, int]]
) -> dict[tuple[str, int], SegmentVersion]:
    rows = SegmentVersion.objects.filter(
        segment__project=project,
        segment__public_id__in=[public_id for public_id, _ in wanted],
        number__in=[number for _, number in wanted],
    ).annotate(segment_public_id=F("segment__public_id"))
    return {(row.segment_public_id, row.number): row for row in rows}


def _named(rule: Rule) -> set[tuple[str, int]]:
    return {_key(node) for node in walk(rule) if isinstance(node, InSegment)}


def _key(node: InSegment) -> tuple[str, int]:
    if node.version is None:
        raise ValueError(f"the version of segment {node.segment} is not pinned")
    return node.segment, node.version


def segments_naming(segment: Segment) -> list[Segment]:
    """Return the active segments whose latest rule names this one."""
    latest = SegmentVersion.objects.filter(segment=OuterRef("pk")).order_by("-number").values("rule")[:1]
    others = segments_of(segment.project).filter(status=SegmentStatus.ACTIVE).annotate(rule=Subquery(latest))
    return [other for other in others if segment.public_id in references(parse(other.rule)).segments]


def newer_versions_of_named(project: Project, rule: Rule) -> list[tuple[Segment, int, int]]:
    """Return the segments that a rule names in a version that is not their latest: (segment, named, latest)."""
    named = dict(_named(rule))
    if not named:
        return []
    rows = segments_of(project).filter(public_id__in=named).annotate(newest=Max("versions__number"))
    return [(row, named[row.public_id], row.newest) for row in rows if row.newest > named[row.public_id]]
