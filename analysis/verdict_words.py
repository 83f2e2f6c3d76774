"""The verdict in words: its tag, the rule that fired, and the one line that a mail's subject carries."""

from dataclasses import dataclass

from analysis.evidence import metric_noun
from analysis.result import EffectResult, Result
from analysis.stats.compare import Comparison
from analysis.stats.estimable import NotEstimable, sign_of
from analysis.stats.wording import describe_effect, format_count, format_days, join_words

TAGS = {
    "ship": "Ship",
    "stop": "Stop",
    "keep_running": "Progress",
    "inconclusive": "Inconclusive",
    "invalid": "Invalid",
}
BADGES = {
    "ship": "ship",
    "stop": "stop",
    "keep_running": "keep",
    "inconclusive": "inconclusive",
    "invalid": "invalid",
}
LABELS = {
    "ship": "Ship",
    "stop": "Stop",
    "keep_running": "Keep running",
    "inconclusive": "Inconclusive",
    "invalid": "Invalid: do not decide",
}
RULES = {
    "health.srm": "Health comes first: the split is not the planned one.",
    "health.crossover": "Health comes first: too many units met more than one variant.",
    "health.missing_data": "Health comes first: a metric has no data.",
    "health.clock": "Health comes first: a clock is wrong.",
    "guardrail.breached": "A guardrail is credibly worse than its margin.",
    "adequacy.locked": "The plan locks the verdict until its end.",
    "adequacy.size": "The planned size is not reached yet.",
    "adequacy.runtime": "The planned runtime is not over yet.",
    "primary.better": "The primary metric is credibly better and every guardrail holds.",
    "primary.worse": "The primary metric is credibly worse.",
    "inconclusive.no_difference": "Enough data, and no credible difference.",
    "inconclusive.guardrail": "Better, but a guardrail is not known to hold.",
    "inconclusive.mixed": "The results contradict each other.",
    "inconclusive.not_estimable": "The primary metric cannot be computed.",
}
HOLD_RULE = "inconclusive.guardrail"


@dataclass(frozen=True, slots=True)
class VerdictWords:
    """tag: for a subject line; label: for a badge, whose colour class is `badge`; rule: why, as a sentence."""

    tag: str
    label: str
    badge: str
    sentence: str
    rule: str
    headline: str
    actions: tuple[str, ...]
    is_invalid: bool


def describe_verdict(result: Result) -> VerdictWords:
    """Put the verdict into words."""
    verdict = result.verdict
    holds = verdict.rule == HOLD_RULE
    return VerdictWords(
        tag="Hold" if holds else TAGS[verdict.kind],
        label="Hold" if holds else LABELS[verdict.kind],
        badge=BADGES[verdict.kind],
        sentence=verdict.sentence,
        rule=RULES.get(verdict.rule, verdict.rule),
        headline=_headline(result),
        actions=verdict.next_actions,
        is_invalid=verdict.kind == "invalid",
    )


def audience_of(result: Result) -> str:
    """Return the targeted segments by name; empty when the experiment is for everyone."""
    if not result.targets or any(target.is_everyone for target in result.targets):
        return ""
    return join_words([target.name for target in result.targets])


def deciding_effect(result: Result) -> EffectResult | None:
    """Return the primary effect a headline is about: the winner's, else the strongest in the good direction."""
    primary = result.primary
    names = {effect.variant: result.variant(effect.variant).name for effect in primary.effects}
    for effect in primary.effects:
        if names[effect.variant] == result.verdict.winner:
            return effect
    known = [effect for effect in primary.effects if isinstance(effect.comparison, Comparison)]
    sign = sign_of(primary.facts.direction)
    return max(known, key=lambda effect: sign * _statistic(effect), default=None)


def _statistic(effect: EffectResult) -> float:
    return effect.comparison.statistic if isinstance(effect.comparison, Comparison) else 0.0


def _headline(result: Result) -> str:
    """Say the result in one line: "Checkout CTA, New users: +4.2 % conversion (95 % CI 1.1 to 7.4)"."""
    audience = audience_of(result)
    name = f"{result.experiment.name}, {audience}" if audience else result.experiment.name
    return f"{name}: {_summary(result)}"


def _summary(result: Result) -> str:
    verdict = result.verdict
    if verdict.kind == "invalid":
        return "do not use these numbers"
    if verdict.kind == "keep_running":
        return _progress_summary(result)
    if verdict.rule == "guardrail.breached":
        return f"guardrail breached by {_breaching(result)}"
    effect = deciding_effect(result)
    if effect is None or isinstance(effect.comparison, NotEstimable):
        return "the primary metric cannot be computed"
    is_rate = result.primary.facts.spec.kind == "conversion"
    return describe_effect(effect.comparison, metric_noun(result.primary.facts), is_rate=is_rate)


def _breaching(result: Result) -> str:
    names = [
        result.variant(effect.variant).name
        for metric in result.guardrails
        for effect in metric.effects
        if effect.guardrail is not None and effect.guardrail.state == "breached"
    ]
    return join_words([f"“{name}”" for name in dict.fromkeys(names)])


def _progress_summary(result: Result) -> str:
    adequacy = result.adequacy
    reached = f"{format_count(adequacy.units)} of {format_count(adequacy.planned_units)} planned units"
    left = adequacy.days_left
    return reached if isinstance(left, NotEstimable) else f"{reached}, about {format_days(left)} left"
