"""Rule 5 of the verdict: why no decision can be made, and what would help."""

from analysis.stats.adequacy import Adequacy
from analysis.stats.estimable import NotEstimable, sign_of
from analysis.stats.findings import Evidence, PrimaryFinding, Verdict
from analysis.stats.wording import join_words


def explain_inconclusive(evidence: Evidence) -> Verdict:
    """Name what stands in the way of a decision, the best arm first, and the next step."""
    best = max(evidence.primaries, key=_statistic_or_lowest)
    rule, sentence, action = _reason_inconclusive(evidence, best)
    return Verdict(
        kind="inconclusive",
        rule=rule,
        sentence=sentence,
        next_actions=(action, *evidence.notes)[:3],
    )


def _statistic_or_lowest(finding: PrimaryFinding) -> float:
    if isinstance(finding.comparison, NotEstimable):
        return float("-inf")
    return sign_of(finding.direction) * finding.comparison.statistic


def _reason_inconclusive(evidence: Evidence, best: PrimaryFinding) -> tuple[str, str, str]:
    if isinstance(best.comparison, NotEstimable):
        return (
            "inconclusive.not_estimable",
            f"Inconclusive: {best.effect}.",
            "Choose a metric with more variation, or collect more data.",
        )
    if best.outcome == "better":
        return _reason_blocked(evidence, best)
    if any(f.outcome == "worse" for f in evidence.primaries):
        return (
            "inconclusive.mixed",
            f"Inconclusive: no variant is credibly better, and some are worse; best is “{best.variant}” "
            f"with {best.effect}.",
            "Close the variants that are credibly worse.",
        )
    return (
        "inconclusive.no_difference",
        f"Inconclusive: no credible difference between “{best.variant}” and control, {best.effect}.",
        _advise_precision(evidence.adequacy),
    )


def _reason_blocked(evidence: Evidence, best: PrimaryFinding) -> tuple[str, str, str]:
    """The primary is better, yet the arm cannot be shipped: say what stands in the way."""
    unclear = [f for f in evidence.guardrails if f.variant == best.variant and f.result.state == "unclear"]
    if unclear:
        names = join_words([f.metric for f in unclear])
        return (
            "inconclusive.guardrail",
            f"Inconclusive: “{best.variant}” is better ({best.effect}), but it is not yet shown that {names} "
            "stays within its margin.",
            f"Run longer until {names} is known, or decide with the owner of that guardrail.",
        )
    return (
        "inconclusive.mixed",
        f"Inconclusive: “{best.variant}” is better ({best.effect}), but another primary metric or every "
        "segment is credibly worse.",
        "Decide which of the contradicting results matters more before running again.",
    )


def _advise_precision(adequacy: Adequacy) -> str:
    detectable = adequacy.detectable_lift
    if isinstance(detectable, NotEstimable):
        return f"The smallest detectable lift is not known: {detectable.reason}."
    now, planned = 100.0 * detectable, 100.0 * adequacy.planned_mde
    return (
        f"A lift of {now:.2g} % could have been detected (planned: {planned:.2g} %); "
        "if a smaller one matters, plan a larger test or a less noisy metric."
    )
