"""Starting, pausing, resuming, completing and archiving: the table in `experiments.lifecycle`, carried out."""

from datetime import datetime

from django.db import transaction
from django.utils import timezone

from accounts.audit import Actor
from core.errors import Conflict, DomainError, Problem
from experiments.allocation import closed, open_more, open_slots
from experiments.documents import status_document
from experiments.errors import LaunchBlocked
from experiments.launch import check_launch
from experiments.lifecycle import Step, next_status
from experiments.models import Decision, Experiment, Flag, Metric, Origin, Phase, Status, Variant
from experiments.queries import launch_facts
from experiments.services.changes import bump_config, lock_experiment, note_change
from experiments.services.membership import watch_segments


@transaction.atomic
def start_experiment(*, experiment: Experiment, actor: Actor, now: datetime | None = None) -> Experiment:
    """Open the planned traffic and let evaluation assign variants.

    Raises TransitionRefused unless it is a draft, LaunchBlocked with every blocker of the launch check.
    """
    lock_experiment(experiment)
    if experiment.origin == Origin.IMPORTED:
        raise Conflict(
            "This experiment was assigned elsewhere; `manage.py experiment_import` brings in its data."
        )
    status = next_status(experiment.status, Step.START)
    _hold_what_is_read(experiment)
    require_launchable(experiment)
    before = status_document(experiment)
    now = now or timezone.now()
    shares = _open_targets(experiment)
    Phase.objects.create(experiment=experiment, number=1, started_at=now, shares=shares, reason="Start")
    versions = watch_segments(experiment)
    experiment.frozen = experiment.frozen or any(v.needs_stored_facts for v in versions.targeted)
    experiment.status = status
    experiment.started_at = now
    experiment.save(update_fields=["frozen", "status", "started_at"])
    _publish(experiment, actor, "experiment.started", before, extra={"shares": shares})
    return experiment


def _hold_what_is_read(experiment: Experiment) -> None:
    """Let one experiment of a flag start at a time, and no metric change under the launch check."""
    Flag.objects.select_for_update(no_key=True).get(pk=experiment.flag_id)
    metrics = Metric.objects.select_for_update(no_key=True, of=("self",)).order_by("pk")
    list(metrics.filter(uses__experiment=experiment))


def require_launchable(experiment: Experiment) -> None:
    """Raise LaunchBlocked when the launch check finds a blocker."""
    blockers = [finding for finding in check_launch(launch_facts(experiment)) if finding.is_blocker]
    if blockers:
        raise LaunchBlocked([Problem(f"/{f.part}", f.code, f"{f.message} {f.fix}") for f in blockers])


def _open_targets(experiment: Experiment) -> dict[str, list[int]]:
    """Label the slots of every target; return the open share of each variant by target position."""
    shares: dict[str, list[int]] = {}
    for target in experiment.targets.order_by("position"):
        allocation = open_more(closed(), weights_bp=target.weights_bp, share_bp=target.share_bp)
        target.allocation = allocation.to_json()
        target.save(update_fields=["allocation"])
        shares[str(target.position)] = list(open_slots(allocation, variants=len(target.weights_bp)))
    return shares


@transaction.atomic
def pause_experiment(*, experiment: Experiment, reason: str, actor: Actor) -> Experiment:
    """Give everyone the flag's default until it is resumed; nobody moves when it is."""
    if not reason.strip():
        raise DomainError(
            "Say why it is paused; whoever resumes it needs to know.", code="required", pointer="/reason"
        )
    lock_experiment(experiment)
    before = status_document(experiment)
    experiment.status = next_status(experiment.status, Step.PAUSE)
    experiment.pause_reason = reason
    experiment.save(update_fields=["status", "pause_reason"])
    _publish(experiment, actor, "experiment.paused", before, reason=reason)
    return experiment


@transaction.atomic
def resume_experiment(*, experiment: Experiment, actor: Actor) -> Experiment:
    """Assign variants again, exactly as before the pause."""
    lock_experiment(experiment)
    before = status_document(experiment)
    experiment.status = next_status(experiment.status, Step.RESUME)
    experiment.pause_reason = ""
    experiment.save(update_fields=["status", "pause_reason"])
    _publish(experiment, actor, "experiment.resumed", before)
    return experiment


@transaction.atomic
def complete_experiment(
    *,
    experiment: Experiment,
    decision: str,
    reason: str,
    actor: Actor,
    variant_key: str = "",
    now: datetime | None = None,
) -> Experiment:
    """End the experiment with a decision (see Decision); its flag serves the default value from now on.

    `variant_key` names what is shipped; with one treatment it may be left out. Data stop counting at `now`,
    or when an imported experiment ended.
    """
    lock_experiment(experiment)
    before = status_document(experiment)
    experiment.status = next_status(experiment.status, Step.COMPLETE)
    experiment.ended_at = experiment.ended_at or now or timezone.now()
    experiment.pause_reason = ""
    _decide(experiment, decision, reason, variant_key)
    experiment.save()
    _publish(experiment, actor, "experiment.completed", before, reason=reason)
    return experiment


@transaction.atomic
def record_decision(
    *, experiment: Experiment, decision: str, reason: str, actor: Actor, variant_key: str = ""
) -> Experiment:
    """Change what was decided about a completed experiment; the audit trail keeps the decision before."""
    lock_experiment(experiment)
    if experiment.status != Status.COMPLETED:
        raise Conflict(f"This experiment is {experiment.status}; a decision is given when it is completed.")
    before = status_document(experiment)
    _decide(experiment, decision, reason, variant_key)
    experiment.save()
    _publish(experiment, actor, "experiment.decided", before, reason=reason)
    return experiment


def _decide(experiment: Experiment, decision: str, reason: str, variant_key: str) -> None:
    if decision not in Decision.values:
        raise DomainError(
            f"A decision is one of: {', '.join(Decision.values)}.",
            code="invalid_decision",
            pointer="/decision",
        )
    if not reason.strip():
        raise DomainError("Say why; the next team will want to know.", code="required", pointer="/reason")
    experiment.decision = decision
    experiment.decision_reason = reason
    experiment.decided_variant = _shipped(experiment, variant_key) if decision == Decision.SHIP else None


def _shipped(experiment: Experiment, variant_key: str) -> Variant:
    arms = {arm.key: arm for arm in experiment.variants.all()}
    if variant_key in arms:
        return arms[variant_key]
    treatments = [arm for arm in arms.values() if arm.index > 0]
    if not variant_key and len(treatments) == 1:
        return treatments[0]
    raise DomainError(
        f"Say which variant is shipped: {', '.join(arms)}.", code="unknown_variant", pointer="/variant"
    )


@transaction.atomic
def archive_experiment(*, experiment: Experiment, actor: Actor) -> Experiment:
    """Put a draft or a completed experiment away; its results stay readable."""
    lock_experiment(experiment)
    before = status_document(experiment)
    experiment.status = next_status(experiment.status, Step.ARCHIVE)
    experiment.save(update_fields=["status"])
    _publish(experiment, actor, "experiment.archived", before)
    return experiment


def _publish(
    experiment: Experiment,
    actor: Actor,
    action: str,
    before: dict[str, object],
    *,
    reason: str = "",
    extra: dict[str, object] | None = None,
) -> None:
    bump_config(experiment.environment)
    note_change(
        experiment,
        actor=actor,
        action=action,
        before=before,
        after={**status_document(experiment), **(extra or {})},
        reason=reason,
    )
