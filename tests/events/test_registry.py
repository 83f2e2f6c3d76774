"""Registering, changing and deleting attributes."""

from typing import Any

import pytest

from accounts.audit import SYSTEM
from accounts.models import AuditEntry, Project, Role
from core.errors import InvalidInput
from events.models import Attribute, Profile
from events.registry import (
    AttributeExists,
    delete_attribute,
    editable_fields,
    may_delete,
    read_registry,
    register_attribute,
    update_attribute,
)
from tests.factories import AttributeFactory, ProfileFactory, ProjectFactory, production_of

pytestmark = pytest.mark.django_db

PLAN: dict[str, Any] = {"key": "plan_name", "value_type": "string", "purpose": "price tests"}


def register(project: Project, **changes: Any) -> Attribute:
    return register_attribute(project=project, actor=SYSTEM, **{**PLAN, **changes})


def last_entry() -> AuditEntry:
    return AuditEntry.objects.order_by("-id")[0]


def test_a_registered_attribute_is_in_the_registry_and_in_the_trail(project: Project) -> None:
    register(project)
    register(project, subject="event", key="amount", value_type="number")
    registry = read_registry(project.pk)
    assert registry.profile == {"country": "string", "age": "number", "plan_name": "string"}
    assert registry.event == {"plan": "string", "amount": "number"}
    assert last_entry().action == "attribute.registered"
    assert last_entry().after is not None
    assert last_entry().after["key"] == "amount"


def test_a_key_can_be_registered_once_for_each_subject_and_project(project: Project) -> None:
    register(project)
    register(project, subject="event")
    register(ProjectFactory())
    with pytest.raises(AttributeExists):
        register(project)


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"key": "1st"}, "/key"),
        ({"key": "a b"}, "/key"),
        ({"key": "x" * 61}, "/key"),
        ({"key": ""}, "/key"),
        ({"value_type": "text"}, "/type"),
        ({"subject": "session"}, "/subject"),
        ({"sensitivity": "secret"}, "/sensitivity"),
        ({"purpose": "  "}, "/purpose"),
        ({"purpose": "x" * 201}, "/purpose"),
        ({"retention_days": 0}, "/retention_days"),
        ({"retention_days": 4_000}, "/retention_days"),
    ],
)
def test_a_faulty_registration_names_the_field_and_changes_nothing(
    project: Project, changes: dict[str, Any], pointer: str
) -> None:
    before = Attribute.objects.count()
    with pytest.raises(InvalidInput) as caught:
        register(project, **changes)
    assert [problem.pointer for problem in caught.value.problems] == [pointer]
    assert Attribute.objects.count() == before


def test_all_faults_are_named_at_once(project: Project) -> None:
    with pytest.raises(InvalidInput) as caught:
        register(project, key="1", value_type="x", purpose="")
    assert len(caught.value.problems) == 3


def test_a_change_is_kept_with_what_was_before(project: Project) -> None:
    attribute = register(project)
    update_attribute(attribute=attribute, actor=SYSTEM, purpose="pricing", retention_days=30)
    attribute.refresh_from_db()
    assert (attribute.purpose, attribute.retention_days) == ("pricing", 30)
    entry = last_entry()
    assert entry.action == "attribute.changed"
    assert (entry.before or {})["purpose"] == "price tests"
    assert (entry.after or {})["purpose"] == "pricing"


def test_a_change_to_the_same_leaves_no_line_in_the_trail(project: Project) -> None:
    attribute = register(project)
    lines = AuditEntry.objects.count()
    update_attribute(attribute=attribute, actor=SYSTEM, purpose="price tests", type="string")
    assert AuditEntry.objects.count() == lines


@pytest.mark.parametrize(
    "change", [{"key": "other"}, {"type": "number"}, {"subject": "event"}, {"project_id": 1}]
)
def test_key_type_and_subject_cannot_change(project: Project, change: dict[str, Any]) -> None:
    attribute = register(project)
    with pytest.raises(InvalidInput):
        update_attribute(attribute=attribute, actor=SYSTEM, **change)


def test_deleting_removes_the_values_of_this_project_only(project: Project) -> None:
    other = ProjectFactory()
    AttributeFactory(project=other, key="country")
    ours = ProfileFactory(environment=production_of(project), attributes={"country": "DE", "age": 3})
    theirs = ProfileFactory(environment=production_of(other), attributes={"country": "DE"})
    untouched = ProfileFactory(environment=production_of(project), attributes={"age": 4})
    attribute = Attribute.objects.get(project=project, subject="profile", key="country")
    assert delete_attribute(attribute=attribute, actor=SYSTEM) == 1
    kept = {profile.pk: profile.attributes for profile in Profile.objects.all()}
    assert kept == {ours.pk: {"age": 3}, theirs.pk: {"country": "DE"}, untouched.pk: {"age": 4}}
    assert "country" not in read_registry(project.pk).profile
    assert last_entry().action == "attribute.deleted"


def test_deleting_a_property_of_events_leaves_a_profile_attribute_of_that_name(project: Project) -> None:
    AttributeFactory(project=project, subject="event", key="age")
    profile = ProfileFactory(environment=production_of(project), attributes={"age": 3})
    delete_attribute(attribute=Attribute.objects.get(subject="event", key="age"), actor=SYSTEM)
    profile.refresh_from_db()
    assert profile.attributes == {"age": 3}


def test_sensitivity_and_retention_are_for_the_privacy_officer() -> None:
    assert editable_fields(Role.VIEWER) == editable_fields(Role.ANALYST) == ()
    assert editable_fields(Role.EXPERIMENTER) == editable_fields(Role.ADMIN) == ("description", "purpose")
    assert set(editable_fields(Role.PRIVACY_OFFICER)) == {
        "description", "purpose", "sensitivity", "retention_days",
    }  # fmt: skip


def test_only_the_privacy_officer_deletes_an_attribute_with_values(project: Project) -> None:
    attribute = Attribute.objects.get(project=project, key="country")
    assert [may_delete(role, attribute) for role in Role] == [False, False, True, True, True]
    ProfileFactory(environment=production_of(project), attributes={"country": "DE"})
    assert [may_delete(role, attribute) for role in Role] == [False, False, False, False, True]
