"""The refusals of this app, each with a stable code."""

from core.errors import Conflict, DomainError, InvalidInput


class InvalidFlagValue(DomainError):
    """A value that the type of its flag does not allow."""

    code = "invalid_flag_value"


class KeyTaken(Conflict):
    """Another object of this project has the key already."""

    code = "key_taken"


class NotADraft(Conflict):
    """Units have met this configuration; it can no longer change."""

    code = "not_a_draft"


class TransitionRefused(Conflict):
    """The experiment is in a state from which this step does not lead on."""

    code = "transition_refused"


class LaunchBlocked(InvalidInput):
    """The launch check found blockers."""

    code = "launch_blocked"


class RampRefused(Conflict):
    """The wanted allocation would move units, or would open nothing."""

    code = "ramp_refused"


class MetricInUse(Conflict):
    """A running experiment is read by this metric."""

    code = "metric_in_use"


class HoldoutInUse(Conflict):
    """Changing the holdout now would move units of running experiments."""

    code = "holdout_in_use"


class RevisionMismatch(DomainError):
    """Somebody else changed the object since it was read."""

    code = "revision_mismatch"
    status = 412
