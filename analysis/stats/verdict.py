"""The verdict: one pure function, its rules in a fixed order, and one sentence that says what to do."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from analysis.stats.adequacy import Adequacy
from analysis.stats.compare import Comparison
from analysis.stats.estimable import NotEstimable, sign_of
from analysis.stats.findings import Evidence, GuardrailFinding, PrimaryFinding, SegmentFinding, Verdict
from analysis.stats.inconclusive import explain_inconclusive
from analysis.stats.wording import describe_effect, format_count, format_days, format_signed, join_words


def decide(evidence: Evidence) -> Verdict:
    """Apply the rules in their fixed order; the first that fires is the verdict.

    1 health, 2 breached guardrail, 3 not adequate yet, 4 primary credibly better or worse, 5 inconclusive.
    Source: STATISTICS "Verdict".
    """
    rules: tuple[Callable[[Evidence], Verdict | None], ...] = (
        _judge_health,
        _judge_guardrails,
        _judge_adequacy,
        _judge_primary,
    )
    for rule in rules:
        verdict = rule(evidence)
        if verdict is not None:
            return verdict if verdict.kind == "invalid" else _mention_shortfall(verdict, evidence.adequacy)
    return _mention_shortfall(explain_inconclusive(evidence), evidence.adequacy)


def _mention_shortfall(verdict: Verdict, adequacy: Adequacy) -> Verdict:
    if not adequacy.is_short:
        return verdict
    reached = f"{format_count(adequacy.units)} of {format_count(adequacy.planned_units)} planned units"
    return replace(verdict, sentence=f"{verdict.sentence} The test ended with {reached}.")


REPAIRS: dict[str, str] = {
    "srm": "Find where the imbalance sits (target, phase, day, SDK) in the health block, repair it, and "
    "start a new version of the experiment.",
    "crossover": "Find out why units change their variant: shared or changing unit ids, or an app that "
    "bypasses Strata.",
    "missing_data": "Check that the app sends the events of this metric, under the unit ids of assignment.",
    "clock": "Correct the clock of the sender; an event with an impossible time cannot be placed before or "
    "after the exposure.",
}


def _judge_health(evidence: Evidence) -> Verdict | None:
    if not evidence.health:
        return None
    worst = evidence.health[0]
    return Verdict(
        kind="invalid",
        rule=f"health.{worst.code}",
        sentence=f"Do not use these numbers: {_lower_first(worst.sentence)}",
        next_actions=tuple(REPAIRS[problem.code] for problem in evidence.health[:3]),
    )


def _judge_guardrails(evidence: Evidence) -> Verdict | None:
    breached = [finding for finding in evidence.guardrails if finding.result.state == "breached"]
    if not breached:
        return None
    worst = min(breached, key=_breach_p)
    more = f" Also breached: {_list_guardrails(breached, worst)}." if len(breached) > 1 else ""
    repair = f"Close “{worst.variant}” for new units and find out what harms {worst.metric}."
    paused = "The plan pauses the experiment now; units return to the default." if evidence.auto_pause else ""
    return Verdict(
        kind="stop",
        rule="guardrail.breached",
        sentence=f"Stop “{worst.variant}”: {_describe_breach(worst)}.{more}",
        next_actions=tuple(action for action in (paused, repair) if action),
    )


def _breach_p(finding: GuardrailFinding) -> float:
    p_value = finding.result.p_breach
    return 1.0 if isinstance(p_value, NotEstimable) else p_value


def _describe_breach(finding: GuardrailFinding) -> str:
    comparison = finding.result.comparison
    assert isinstance(comparison, Comparison)  # a breach is always estimated
    effect = describe_effect(comparison, finding.metric, is_rate=finding.is_rate)
    limit = format_signed(100.0 * finding.result.margin_lift, 1).replace(".0", "")
    return f"{effect}, but its guardrail tolerates no more than {limit} %"


def _list_guardrails(breached: Sequence[GuardrailFinding], worst: GuardrailFinding) -> str:
    return join_words([f"{f.metric} in “{f.variant}”" for f in breached if f is not worst])


def _judge_adequacy(evidence: Evidence) -> Verdict | None:
    adequacy = evidence.adequacy
    if adequacy.is_adequate:
        return None
    enough = adequacy.size_reached or adequacy.precision_reached
    if adequacy.locked:
        rule, why = "adequacy.locked", "the plan locks the verdict until its end"
    elif not enough:
        rule, why = "adequacy.size", _describe_size(adequacy)
    else:
        rule, why = (
            "adequacy.runtime",
            (
                f"enough units, but the plan asks for at least {format_days(adequacy.minimum_days)} "
                f"(day {adequacy.days_run} now)"
            ),
        )
    return Verdict(
        kind="keep_running",
        rule=rule,
        sentence=f"Keep running{_describe_days(adequacy)}: {why}.",
        days_left=adequacy.days_left,
        next_actions=_advise_while_running(evidence),
    )


def _describe_size(adequacy: Adequacy) -> str:
    return f"{format_count(adequacy.units)} of {format_count(adequacy.planned_units)} planned units so far"


def _describe_days(adequacy: Adequacy) -> str:
    days = adequacy.days_left
    if isinstance(days, NotEstimable):
        return f" ({days.reason})"
    return f", about {format_days(days)} left" if days > 0 else ""


def _advise_while_running(evidence: Evidence) -> tuple[str, ...]:
    """What can be said early: under a lock nothing, else what an always-valid interval already excludes."""
    adequacy = evidence.adequacy
    actions: list[str] = []
    if isinstance(adequacy.days_left, NotEstimable):
        actions.append("No new units arrive: check that the flag is asked for and that exposures are sent.")
    early = [f for f in evidence.primaries if f.outcome != "unclear" and _is_always_valid(f)]
    if not adequacy.locked:
        for finding in early[:2]:
            actions.append(
                f"“{finding.variant}” is already credibly {finding.outcome} ({finding.effect}); "
                "the always-valid interval allows saying so before the planned size."
            )
    return tuple(actions[:3])


def _is_always_valid(finding: PrimaryFinding) -> bool:
    return isinstance(finding.comparison, Comparison) and finding.comparison.method == "always_valid"


def _judge_primary(evidence: Evidence) -> Verdict | None:
    by_variant: dict[str, list[PrimaryFinding]] = {}
    for finding in evidence.primaries:
        by_variant.setdefault(finding.variant, []).append(finding)
    outcomes = {name: {f.outcome for f in findings} for name, findings in by_variant.items()}
    better = [name for name, seen in outcomes.items() if "better" in seen and "worse" not in seen]
    shippable = [name for name in better if _has_safe_guardrails(evidence, name)]
    if shippable:
        return _ship(evidence, max(shippable, key=lambda name: _gain(by_variant[name])), shippable)
    if all("worse" in seen for seen in outcomes.values()):
        return _stop_for_harm(evidence)
    return None


def _has_safe_guardrails(evidence: Evidence, variant: str) -> bool:
    return all(f.result.state == "ok" for f in evidence.guardrails if f.variant == variant)


def _gain(findings: Sequence[PrimaryFinding]) -> float:
    """The arm's largest gain in standard errors, the one scale that always exists."""
    known = [(f, f.comparison) for f in findings if isinstance(f.comparison, Comparison)]
    return max(sign_of(f.direction) * comparison.statistic for f, comparison in known)


def _ship(evidence: Evidence, winner: str, shippable: Sequence[str]) -> Verdict | None:
    mine = [segment for segment in evidence.segments if segment.variant == winner]
    hold = [segment for segment in mine if segment.is_harmed]
    if hold and len(hold) == len(mine):
        return None
    effects = [f.effect for f in evidence.primaries if f.variant == winner and f.outcome == "better"]
    audience = evidence.audience
    if hold:
        audience += f" except {join_words([segment.name for segment in hold])}"
    others = [name for name in shippable if name != winner]
    return Verdict(
        kind="ship",
        rule="primary.better",
        sentence=f"Ship “{winner}” to {audience}: {join_words(effects)}.",
        winner=winner,
        ship_segments=tuple(segment.key for segment in mine if not segment.is_harmed),
        hold_segments=tuple(segment.key for segment in hold),
        next_actions=_advise_rollout(winner, hold, others),
    )


def _advise_rollout(winner: str, hold: Sequence[SegmentFinding], others: Sequence[str]) -> tuple[str, ...]:
    actions = [f"Roll out “{winner}” in steps and watch the guardrails."]
    if hold:
        names = join_words([segment.name for segment in hold])
        actions.append(f"Keep control for {names}, where it is credibly worse, and find out why.")
    if others:
        names = join_words([f"“{name}”" for name in others])
        actions.append(f"Also better than control: {names}; a test against “{winner}” tells them apart.")
    return tuple(actions[:3])


def _stop_for_harm(evidence: Evidence) -> Verdict:
    worse = [f for f in evidence.primaries if f.outcome == "worse"]
    parts = [f"“{f.variant}” {f.effect}" for f in worse] if len(worse) > 1 else [worse[0].effect]
    subject = f"Stop “{worse[0].variant}”" if len(worse) == 1 else "Stop: every variant is credibly worse"
    return Verdict(
        kind="stop",
        rule="primary.worse",
        sentence=f"{subject}: {join_words(parts)}.",
        next_actions=(
            "Complete the experiment; units return to the default.",
            "Write down what was learned: which assumption of the hypothesis did not hold?",
        ),
    )


def _lower_first(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
