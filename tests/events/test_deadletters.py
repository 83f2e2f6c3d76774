"""Replaying refused items after their fault was mended."""

import json
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.models import Environment, Project
from events.deadletters import Replayed, replay_dead_letters
from events.models import DeadLetter, Event, Profile
from tests.events.api_client import App, event
from tests.factories import AttributeFactory, ProfileFactory

pytestmark = pytest.mark.django_db


def replay(environment: Environment) -> Replayed:
    return replay_dead_letters(environment=environment, now=timezone.now())


def test_a_letter_is_taken_in_once_after_its_attribute_is_registered(
    app: App, environment: Environment, project: Project
) -> None:
    app.put_profile("u1", attributes={"tier": "gold"})
    assert replay(environment) == Replayed(taken=0, refused=1)
    AttributeFactory(project=project, key="tier")
    assert replay(environment) == Replayed(taken=1, refused=0)
    assert Profile.objects.get().attributes == {"tier": "gold"}
    assert replay(environment) == Replayed(taken=0, refused=0)
    assert DeadLetter.objects.get().replayed_at is not None


def test_a_replayed_event_without_a_time_happened_when_it_first_came(
    app: App, environment: Environment
) -> None:
    app.post_events({"unit_id": "u1", "name": "$reserved"})
    letter = DeadLetter.objects.get()
    letter.payload = json.dumps({"unit_id": "u1", "name": "mended"}).encode()
    letter.received_at -= timedelta(days=2)
    letter.save()
    assert replay(environment) == Replayed(taken=1, refused=0)
    assert Event.objects.get().occurred_at == letter.received_at


def test_an_event_from_the_future_is_taken_in_when_the_future_has_come(
    app: App, environment: Environment
) -> None:
    soon = timezone.now() + timedelta(days=2)
    app.post_events(event(occurred_at=soon.isoformat()))
    assert replay(environment) == Replayed(taken=0, refused=1)
    later = soon + timedelta(minutes=1)
    assert replay_dead_letters(environment=environment, now=later) == Replayed(taken=1, refused=0)


def test_a_letter_of_an_event_that_came_meanwhile_is_done_without_a_second_event(
    app: App, environment: Environment
) -> None:
    sent = event()
    app.post_events({**sent, "value": "many"})
    app.post_events(sent)
    DeadLetter.objects.update(payload=json.dumps(sent).encode())
    assert replay(environment) == Replayed(taken=1, refused=0)
    assert Event.objects.count() == 1


def test_a_letter_whose_unit_refuses_analytics_now_loses_its_content(
    app: App, environment: Environment
) -> None:
    sent = event()
    app.post_events({**sent, "value": "many"})
    DeadLetter.objects.update(payload=json.dumps(sent).encode())
    ProfileFactory(environment=environment, unit_id="u1", consent={"analytics": False})
    assert replay(environment) == Replayed(taken=0, refused=1)
    letter = DeadLetter.objects.get()
    assert (letter.code, bytes(letter.payload)) == ("no_consent", b"")
    assert not Event.objects.exists()


def test_unreadable_letters_stay_with_their_reason(app: App, environment: Environment) -> None:
    app.send("POST", "events", b'[{"unit_id": "\xff", "name": "x"}]')
    assert replay(environment) == Replayed(taken=0, refused=1)
    assert DeadLetter.objects.get().code == "malformed_json"


def test_more_letters_than_one_batch_are_all_replayed(
    app: App, environment: Environment, project: Project
) -> None:
    items = [{"unit_id": f"u{n}", "attributes": {"tier": "x"}} for n in range(700)]
    app.send("POST", "profiles", {"profiles": items})
    AttributeFactory(project=project, key="tier")
    assert replay(environment) == Replayed(taken=700, refused=0)


def test_the_command_replays_a_project_and_says_what_it_did(
    app: App, project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    app.put_profile("u1", attributes={"tier": "gold"})
    AttributeFactory(project=project, key="tier")
    call_command("deadletter_replay", project.slug, "--json")
    assert json.loads(capsys.readouterr().out)["production"] == {"taken": 1, "refused": 0}
    with pytest.raises(SystemExit) as nothing:
        call_command("deadletter_replay", project.slug)
    assert nothing.value.code == 3
    with pytest.raises(CommandError, match="No such project"):
        call_command("deadletter_replay", "nowhere")
