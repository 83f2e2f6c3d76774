"""The life of an experiment: one table of what leads where."""

from enum import StrEnum

from experiments.errors import TransitionRefused


class Step(StrEnum):
    """What can be done to an experiment as a whole."""

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    COMPLETE = "complete"
    ARCHIVE = "archive"


TRANSITIONS: dict[tuple[str, Step], str] = {
    ("draft", Step.START): "running",
    ("running", Step.PAUSE): "paused",
    ("paused", Step.RESUME): "running",
    ("running", Step.COMPLETE): "completed",
    ("paused", Step.COMPLETE): "completed",
    ("draft", Step.ARCHIVE): "archived",
    ("completed", Step.ARCHIVE): "archived",
}


def steps_from(status: str) -> tuple[Step, ...]:
    """Return the steps that a status allows, in the order of the table."""
    return tuple(step for (source, step) in TRANSITIONS if source == status)


def next_status(status: str, step: Step) -> str:
    """Return the status that `step` leads to. Raises TransitionRefused naming what is possible instead."""
    target = TRANSITIONS.get((status, step))
    if target is not None:
        return target
    allowed = " or ".join(steps_from(status))
    way_out = f"It can: {allowed}." if allowed else "Nothing leads on from there: make a new experiment."
    raise TransitionRefused(f"An experiment that is {status} cannot {step}. {way_out}", pointer="/status")
