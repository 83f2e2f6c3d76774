"""Values that were kept as long as their attribute allows."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Environment, Project
from events import tasks
from events.models import Attribute, Event, Profile
from events.retention import expire_attributes
from tests.events.api_client import App, event
from tests.factories import ProfileFactory, ProjectFactory, production_of

pytestmark = pytest.mark.django_db


def test_a_value_goes_when_its_profile_was_not_sent_for_longer_than_its_retention(
    project: Project, environment: Environment
) -> None:
    now = timezone.now()
    Attribute.objects.filter(key="age").update(retention_days=30)
    for unit_id, days in (("fresh", 29), ("stale", 31), ("old", 366)):
        seen = now - timedelta(days=days)
        ProfileFactory(
            environment=environment,
            unit_id=unit_id,
            attributes={"age": 3, "country": "DE"},
            first_seen_at=seen,
        )
    stranger = production_of(ProjectFactory())
    ProfileFactory(
        environment=stranger,
        unit_id="stranger",
        attributes={"age": 3},
        first_seen_at=now - timedelta(days=400),
    )
    assert expire_attributes(now=now) == 3
    assert {profile.unit_id: profile.attributes for profile in Profile.objects.all()} == {
        "fresh": {"age": 3, "country": "DE"},
        "stale": {"country": "DE"},
        "old": {},
        "stranger": {"age": 3},
    }
    assert Profile.objects.get(unit_id="stale").updated_at > now - timedelta(days=1)
    assert tasks.expire_attributes() == 0


def test_a_property_goes_before_its_event_when_its_retention_is_shorter(app: App, project: Project) -> None:
    Attribute.objects.filter(subject="event").update(retention_days=10)
    app.post_events(event(properties={"plan": "pro"}))
    now = timezone.now()
    assert expire_attributes(now=now + timedelta(days=9)) == 0
    assert expire_attributes(now=now + timedelta(days=11)) == 1
    assert Event.objects.get().properties == {}
