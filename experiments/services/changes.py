"""How every change is made: the row locked, the revision counted, the change published and written down."""

from typing import Any

from django.db.models import F
from django.utils import timezone

from accounts.audit import Actor, record
from accounts.models import Environment, Project
from experiments.errors import NotADraft
from experiments.models import ConfigRevision, Experiment, Status


def bump_config(environment: Environment) -> None:
    """Publish a change of what evaluation sees: the workers are notified when the transaction commits."""
    now = timezone.now()
    row, is_new = ConfigRevision.objects.get_or_create(environment=environment, defaults={"changed_at": now})
    if not is_new:
        ConfigRevision.objects.filter(pk=row.pk).update(revision=F("revision") + 1, changed_at=now)


def bump_project(project: Project) -> None:
    """Publish a change that every environment of a project sees."""
    for environment in project.environments.order_by("pk"):
        bump_config(environment)


def lock_experiment(experiment: Experiment) -> None:
    """Hold the experiment's row until the transaction ends, and read it afresh; exposures still get in."""
    experiment.refresh_from_db(from_queryset=Experiment.objects.select_for_update(no_key=True))


def lock_draft(experiment: Experiment, part: str) -> None:
    """Lock an experiment whose `part` is to change. Raises NotADraft once it was launched."""
    lock_experiment(experiment)
    if experiment.status != Status.DRAFT:
        raise NotADraft(
            f"The {part} of an experiment are fixed at launch, and this one is {experiment.status}. "
            "Make a new experiment to try something else."
        )


def note_change(
    experiment: Experiment,
    *,
    actor: Actor,
    action: str,
    before: dict[str, Any] | None,
    after: dict[str, Any] | None,
    reason: str = "",
) -> None:
    """Count a change of an experiment's configuration and write it down."""
    experiment.revision += 1
    experiment.save(update_fields=["revision"])
    record(
        project=experiment.project,
        actor=actor,
        action=action,
        target=experiment,
        before=before,
        after=after,
        reason=reason,
    )
