"""A result as rows of words: what the results page, the health block and the mail print. Nothing is computed here."""

from dataclasses import dataclass

from analysis.effect_words import EffectWords, describe_comparison, describe_pair, describe_value
from analysis.health_words import CheckRow, LocatedRow, describe_health, describe_located
from analysis.inputs import MetricFacts
from analysis.result import MetricResult, Result, SegmentRow, SegmentTable
from analysis.stats.compare import Comparison
from analysis.stats.estimable import NotEstimable
from analysis.stats.heterogeneity import SignChange
from analysis.stats.wording import format_count, format_days, format_p, join_words
from analysis.verdict_words import VerdictWords, describe_verdict
from core.formatting import MINUS, MISSING, count, p_value, percent

GUARDRAIL_WORDS = {"ok": "OK", "breached": "Breached", "unclear": "Unclear"}
ROLE_WORDS = {"primary": "Primary", "secondary": "Secondary", "guardrail": "Guardrail"}


@dataclass(frozen=True, slots=True)
class EffectRow:
    """One metric in one treatment arm: A is control, B the variant."""

    metric: str
    role: str
    variant: str
    a: str
    b: str
    n_a: str
    n_b: str
    effect: EffectWords
    guardrail: str
    guardrail_state: str
    margin: str


@dataclass(frozen=True, slots=True)
class SegmentRowWords:
    """One line of the segment table; without numbers when it is suppressed."""

    name: str
    sentence: str
    suppressed: str
    n_a: str
    n_b: str
    effect: EffectWords | None
    p_differs: str
    planned: str
    detectable: str
    harmed: bool


@dataclass(frozen=True, slots=True)
class SegmentTableWords:
    """The segments of one treatment arm, its overall line first, and what the joint tests say."""

    variant: str
    index: int
    overall: EffectRow
    rows: tuple[SegmentRowWords, ...]
    tests: tuple[str, ...]
    is_leading: bool


@dataclass(frozen=True, slots=True)
class Report:
    """Everything a page or a mail prints about one run."""

    result: Result
    verdict: VerdictWords
    effects: tuple[EffectRow, ...]
    guardrails: tuple[EffectRow, ...]
    segments: tuple[SegmentTableWords, ...]
    progress: str
    health: tuple[CheckRow, ...]
    located: tuple[LocatedRow, ...]


def build_report(result: Result) -> Report:
    """Put a whole result into words."""
    effects = tuple(row for metric in result.metrics for row in _effect_rows(result, metric))
    guardrails = tuple(row for row in effects if row.guardrail_state)
    return Report(
        result=result,
        verdict=describe_verdict(result),
        effects=effects,
        guardrails=guardrails,
        segments=tuple(_segment_table(result, table) for table in result.segments),
        progress=_progress(result),
        health=describe_health(result),
        located=describe_located(result),
    )


def _effect_rows(result: Result, metric: MetricResult) -> list[EffectRow]:
    return [_effect_row(result, metric, effect.variant) for effect in metric.effects]


def _effect_row(result: Result, metric: MetricResult, variant: int) -> EffectRow:
    effect = next(e for e in metric.effects if e.variant == variant)
    arms = {arm.variant: arm for arm in metric.arms}
    a, b = _values(metric, variant)
    guardrail = effect.guardrail
    return EffectRow(
        metric=metric.facts.name,
        role=ROLE_WORDS[metric.facts.role],
        variant=result.variant(variant).name,
        a=a,
        b=b,
        n_a=count(arms[0].units),
        n_b=count(arms[variant].units),
        effect=describe_comparison(effect.comparison, metric.facts, effect.p_adjusted),
        guardrail=GUARDRAIL_WORDS[guardrail.state] if guardrail else "",
        guardrail_state=guardrail.state if guardrail else "",
        margin=_margin(metric.facts),
    )


def _values(metric: MetricResult, variant: int) -> tuple[str, str]:
    """Print both arms as they were compared (standardised over strata when that was done)."""
    comparison = next(e for e in metric.effects if e.variant == variant).comparison
    if isinstance(comparison, Comparison):
        return describe_pair(comparison.control.mean, comparison.treatment.mean, metric.facts)
    arms = {arm.variant: arm.estimate for arm in metric.arms}
    shown = [
        MISSING if isinstance(estimate, NotEstimable) else describe_value(estimate.mean, metric.facts)
        for estimate in (arms[0], arms[variant])
    ]
    return shown[0], shown[1]


def _margin(metric: MetricFacts) -> str:
    if metric.margin is None:
        return ""
    worse = MINUS if metric.direction == "increase" else "+"
    return f"{worse}{percent(metric.margin)}"


def _segment_table(result: Result, table: SegmentTable) -> SegmentTableWords:
    return SegmentTableWords(
        variant=result.variant(table.variant).name,
        index=table.variant,
        overall=_effect_row(result, result.primary, table.variant),
        rows=tuple(_segment_row(result, row) for row in table.rows),
        tests=_joint_tests(result, table),
        is_leading=table.variant == _leading_variant(result),
    )


def _leading_variant(result: Result) -> int:
    """Return the arm whose segments are read first: the winner, or the one with the strongest evidence."""
    for variant in result.variants:
        if variant.name == result.verdict.winner:
            return variant.index
    tables = {table.variant for table in result.segments}
    ranked = [e for e in result.primary.effects if e.variant in tables and isinstance(e.p_adjusted, float)]
    return (
        min(ranked, key=lambda effect: (effect.p_adjusted, effect.variant)).variant if ranked else min(tables)
    )


def _segment_row(result: Result, row: SegmentRow) -> SegmentRowWords:
    name, sentence = row.segment.name, row.segment.sentence
    if row.suppressed or isinstance(row.units, NotEstimable) or isinstance(row.effect, NotEstimable):
        reason = row.units.reason if isinstance(row.units, NotEstimable) else ""
        return SegmentRowWords(
            name, sentence, reason or "not shown", MISSING, MISSING, None, MISSING, MISSING, MISSING, False
        )
    effect = row.effect
    words = describe_comparison(effect.comparison, result.primary.facts, effect.p_adjusted)
    differs = effect.differs_p_adjusted
    return SegmentRowWords(
        name=name,
        sentence=sentence,
        suppressed="",
        n_a=count(row.units[0]),
        n_b=count(row.units[1]),
        effect=words,
        p_differs=MISSING if isinstance(differs, NotEstimable) else p_value(differs),
        planned="yes" if row.planned_n_reached else "no",
        detectable=MISSING if isinstance(row.detectable_lift, NotEstimable) else percent(row.detectable_lift),
        harmed=row.is_harmed,
    )


def _joint_tests(result: Result, table: SegmentTable) -> tuple[str, ...]:
    """Say whether the effect differs between segments at all, before anybody looks at single ones."""
    shown = [row for row in table.rows if not row.suppressed]
    if not table.rows:
        return ("No segments were declared in the plan.",)
    if len(shown) < 2:
        return ("Fewer than two segments are large enough to be compared.",)
    alpha = result.plan.alpha
    sentences = [_interaction_sentence(table, alpha)]
    sentences += _differing(table, alpha)
    if isinstance(table.sign_change, SignChange) and table.sign_change.p_value < alpha:
        sentences.append(
            f"It helps some and harms others (Gail-Simon, {format_p(table.sign_change.p_value)})."
        )
    return tuple(sentences)


def _interaction_sentence(table: SegmentTable, alpha: float) -> str:
    test = table.interaction
    if isinstance(test, NotEstimable):
        return f"No joint test of all segments: {test.reason}."
    numbers = f"Cochran Q = {test.q:.3g}, df = {test.df}, {format_p(test.p_value)}"
    if test.p_value < alpha:
        return f"The effect differs between segments ({numbers})."
    return (
        f"No sign that the effect differs between segments ({numbers}); read the lines below as noise around one "
        "effect."
    )


def _differing(table: SegmentTable, alpha: float) -> list[str]:
    names = [
        row.segment.name
        for row in table.rows
        if not isinstance(row.effect, NotEstimable)
        and not isinstance(row.effect.differs_p_adjusted, NotEstimable)
        and row.effect.differs_p_adjusted <= alpha
    ]
    return [f"Reacts differently from everybody else: {join_words(names)}."] if names else []


def _progress(result: Result) -> str:
    """Say planned against reached: units, precision, days."""
    adequacy, plan = result.adequacy, result.plan
    parts = [f"{format_count(adequacy.units)} of {format_count(plan.planned_n)} planned units"]
    if not isinstance(adequacy.detectable_lift, NotEstimable):
        detectable = percent(adequacy.detectable_lift)
        parts.append(f"a lift of {detectable} can be detected (planned: {percent(plan.mde)})")
    parts.append(f"day {result.days_run} of {plan.min_days} to {plan.max_days}")
    left = adequacy.days_left
    if isinstance(left, NotEstimable):
        parts.append(left.reason)
    elif left > 0:
        parts.append(f"about {format_days(left)} left")
    return "; ".join(parts) + "."
