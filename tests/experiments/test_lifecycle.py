import pytest

from experiments.errors import TransitionRefused
from experiments.lifecycle import TRANSITIONS, Step, next_status, steps_from
from experiments.models import Status

# Written out by hand: what the product promises, not what the table says.
ALLOWED = {
    ("draft", "start"): "running",
    ("draft", "archive"): "archived",
    ("running", "pause"): "paused",
    ("running", "complete"): "completed",
    ("paused", "resume"): "running",
    ("paused", "complete"): "completed",
    ("completed", "archive"): "archived",
}
EVERY_PAIR = [(status, step) for status in Status.values for step in Step]


@pytest.mark.parametrize(("status", "step"), EVERY_PAIR)
def test_every_pair_of_status_and_step_leads_on_or_is_refused(status, step):
    expected = ALLOWED.get((status, step.value))
    if expected:
        assert next_status(status, step) == expected
    else:
        with pytest.raises(TransitionRefused, match=f"{status} cannot {step}"):
            next_status(status, step)


def test_the_table_knows_only_statuses_of_the_model():
    named = {status for status, _ in TRANSITIONS} | set(TRANSITIONS.values())
    assert named == set(Status.values)


def test_a_refusal_names_what_is_possible_instead():
    with pytest.raises(TransitionRefused, match="It can: pause or complete"):
        next_status("running", Step.START)
    with pytest.raises(TransitionRefused, match="make a new experiment"):
        next_status("archived", Step.RESUME)


def test_steps_of_a_status_come_in_order():
    assert steps_from("running") == (Step.PAUSE, Step.COMPLETE)
    assert steps_from("archived") == ()
