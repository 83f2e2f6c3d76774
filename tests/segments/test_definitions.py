"""Making and changing segments."""

from typing import Any

import pytest
from django.db import DatabaseError, transaction

from accounts.audit import SYSTEM
from accounts.models import AuditEntry, Project
from core.errors import DomainError
from events.models import AttributeType, Subject
from segments.models import Segment, SegmentRefresh, SegmentStatus, SegmentVersion
from segments.rules import RuleError
from segments.services import (
    SegmentCycle,
    SegmentKeyTaken,
    create_segment,
    retire_segment,
    save_version,
    update_segment,
)
from tests.factories import AttributeFactory, ProjectFactory, UserFactory, actor_of

pytestmark = pytest.mark.django_db

GERMAN = {"attribute": "country", "op": "eq", "value": "DE"}
BUYERS = {"event": "purchase", "aggregate": "count", "op": "gte", "value": 3, "window_days": 30}


@pytest.fixture
def project() -> Project:
    project = ProjectFactory()
    AttributeFactory(project=project, key="country")
    AttributeFactory(project=project, key="age", type=AttributeType.NUMBER)
    AttributeFactory(project=project, key="amount", type=AttributeType.NUMBER, subject=Subject.EVENT)
    return project


def make(project: Project, key: str, rule: Any, **fields: Any) -> Segment:
    return create_segment(project=project, actor=SYSTEM, key=key, name=key.title(), rule=rule, **fields)


def test_a_new_segment_has_version_one_and_is_due_in_every_environment(project: Project) -> None:
    user = UserFactory()
    segment = create_segment(
        project=project,
        actor=actor_of(user),
        key="germans",
        name="Germans",
        rule=GERMAN,
        rationale="Launch there.",
    )
    version = segment.versions.get()
    assert (version.number, version.sentence) == (1, "Units where country is “DE”.")
    assert version.rule == {"language": 1, **GERMAN}
    assert not version.needs_stored_facts
    assert segment.owner == user
    assert SegmentRefresh.objects.filter(version=version, refreshed_at=None).count() == 2
    assert AuditEntry.objects.get(action="segment.created").target_id == segment.public_id


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"key": "Germans!"}, "bad_key"),
        ({"key": ""}, "bad_key"),
        ({"name": " "}, "bad_name"),
        ({"name": "x" * 121}, "bad_name"),
        ({"name": "a\x00b"}, "bad_name"),
        ({"rationale": "x" * 5_001}, "bad_rationale"),
        ({"refresh_minutes": 0}, "bad_refresh_minutes"),
        ({"unit_type": "User"}, "bad_unit_type"),
    ],
)
def test_a_bad_field_is_named_and_nothing_is_saved(
    project: Project, fields: dict[str, Any], code: str
) -> None:
    wanted = {"key": "germans", "name": "Germans", "rule": GERMAN, **fields}
    with pytest.raises(DomainError) as refused:
        create_segment(project=project, actor=SYSTEM, **wanted)
    assert refused.value.code == code
    assert refused.value.pointer == f"/{next(iter(fields))}"
    assert not Segment.objects.exists()


def test_a_malformed_rule_saves_nothing(project: Project) -> None:
    with pytest.raises(RuleError) as refused:
        make(project, "x", {"all": [GERMAN, {"attribute": "contry", "op": "eq", "value": "DE"}]})
    assert refused.value.problems[0].pointer == "/all/1/attribute"
    assert "country" in refused.value.message
    assert not Segment.objects.exists()
    assert not AuditEntry.objects.exists()


def test_a_key_is_unique_in_its_project_only(project: Project) -> None:
    make(project, "germans", GERMAN)
    with pytest.raises(SegmentKeyTaken):
        make(project, "germans", BUYERS)
    other = ProjectFactory()
    AttributeFactory(project=other, key="country")
    make(other, "germans", GERMAN)


def test_an_edit_makes_the_next_version_and_keeps_the_old_one(project: Project) -> None:
    segment = make(project, "germans", GERMAN)
    version = save_version(segment=segment, rule=BUYERS, actor=SYSTEM)
    assert version.number == 2
    assert version.needs_stored_facts
    assert segment.versions.get(number=1).rule == {"language": 1, **GERMAN}


def test_saving_the_same_rule_again_makes_no_version(project: Project) -> None:
    segment = make(project, "germans", GERMAN)
    assert save_version(segment=segment, rule={**GERMAN, "language": 1}, actor=SYSTEM).number == 1
    assert AuditEntry.objects.count() == 1


def test_the_database_refuses_to_change_a_version(project: Project) -> None:
    version = make(project, "germans", GERMAN).versions.get()
    with pytest.raises(DatabaseError), transaction.atomic():
        SegmentVersion.objects.filter(pk=version.pk).update(sentence="Everyone.")


def test_a_named_segment_is_pinned_to_its_latest_version(project: Project) -> None:
    inner = make(project, "germans", GERMAN)
    save_version(segment=inner, rule=BUYERS, actor=SYSTEM)
    outer = make(project, "outer", {"not": {"segment": inner.public_id}})
    version = outer.versions.get()
    assert version.rule == {"language": 1, "not": {"segment": inner.public_id, "version": 2}}
    assert version.sentence == "Units where the unit is not in segment “Germans” (version 2)."
    assert version.needs_stored_facts


def test_a_rule_over_segments_of_attributes_needs_no_stored_facts(project: Project) -> None:
    inner = make(project, "germans", GERMAN)
    assert not make(project, "outer", {"segment": inner.public_id}).versions.get().needs_stored_facts


def test_a_version_that_does_not_exist_is_refused(project: Project) -> None:
    inner = make(project, "germans", GERMAN)
    with pytest.raises(RuleError, match="has no version 7"):
        make(project, "outer", {"segment": inner.public_id, "version": 7})


def test_segments_of_another_project_or_unit_type_cannot_be_named(project: Project) -> None:
    other = ProjectFactory()
    AttributeFactory(project=other, key="country")
    for inner in (make(other, "foreign", GERMAN), make(project, "devices", GERMAN, unit_type="device")):
        with pytest.raises(RuleError) as refused:
            make(project, "outer", {"segment": inner.public_id})
        assert refused.value.problems[0].code == "unknown_segment"


def test_a_segment_that_would_contain_itself_is_refused_with_the_path(project: Project) -> None:
    first = make(project, "first", GERMAN)
    second = make(project, "second", {"segment": first.public_id})
    third = make(project, "third", {"all": [GERMAN, {"segment": second.public_id}]})
    with pytest.raises(SegmentCycle, match="First → Third → Second → First"):
        save_version(segment=first, rule={"segment": third.public_id}, actor=SYSTEM)
    with pytest.raises(SegmentCycle, match="First → First"):
        save_version(segment=first, rule={"not": {"segment": first.public_id}}, actor=SYSTEM)
    assert first.versions.count() == 1


def test_two_segments_may_name_the_same_third(project: Project) -> None:
    base = make(project, "base", GERMAN)
    left = make(project, "left", {"segment": base.public_id})
    right = make(project, "right", {"segment": base.public_id})
    make(project, "top", {"all": [{"segment": left.public_id}, {"segment": right.public_id}]})


def test_details_change_without_a_new_version(project: Project) -> None:
    segment = make(project, "germans", GERMAN)
    update_segment(
        segment=segment, actor=SYSTEM, name="People in Germany", rationale="Why", refresh_minutes=5
    )
    segment.refresh_from_db()
    assert (segment.name, segment.refresh_minutes, segment.versions.count()) == ("People in Germany", 5, 1)
    assert AuditEntry.objects.get(action="segment.updated").before["name"] == "Germans"


def test_a_retired_segment_takes_no_edit(project: Project) -> None:
    segment = make(project, "germans", GERMAN)
    retire_segment(segment=segment, actor=SYSTEM)
    segment.refresh_from_db()
    assert segment.status == SegmentStatus.RETIRED
    with pytest.raises(DomainError) as refused:
        save_version(segment=segment, rule=BUYERS, actor=SYSTEM)
    assert refused.value.code == "segment_retired"
