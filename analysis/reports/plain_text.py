"""The plain-text part of a report: every number of the HTML part, in aligned tables."""

from analysis.presentation import EffectRow, SegmentTableWords
from analysis.reports.letter import Letter
from analysis.reports.tables import align_table
from core.formatting import moment

WIDTH = 78


def render_text(letter: Letter) -> str:
    """Return the whole text part."""
    report = letter.report
    result = report.result
    sections = [
        f"{result.experiment.name}\n{'=' * min(WIDTH, len(result.experiment.name))}",
        report.verdict.sentence,
        f"Decision: {report.verdict.label}\nRule: {report.verdict.rule}\nAs of: {moment(result.watermark)}",
        _note(letter),
        _section("Metrics", _metrics(report.effects)),
        _section("Guardrails", _guardrails(report.guardrails)) if report.guardrails else "",
        *[_segments(table, letter) for table in report.segments],
        _section("Health", "\n".join(f"{row.word:<10}  {row.name}: {row.detail}" for row in report.health)),
        _section("Planned and reached", report.progress),
        _section("Next", _next(letter)),
        _section("Method", "\n".join(f"- {sentence}" for sentence in result.method)),
        _links(letter),
        _footer(letter),
    ]
    return "\n\n".join(section for section in sections if section).replace("\u00a0", " ") + "\n"


def _section(title: str, body: str) -> str:
    return f"{title}\n{'-' * len(title)}\n{body}"


def _note(letter: Letter) -> str:
    warning = "Do not decide on the numbers below." if letter.report.verdict.is_invalid else ""
    note = letter.report.result.experiment.note
    return "\n".join(line for line in (warning, f"Note: {note}" if note else "") if line)


def _metrics(rows: tuple[EffectRow, ...]) -> str:
    headers = (
        "Metric",
        "Variant",
        "A",
        "B",
        "Lift",
        "Interval",
        "Difference",
        "Interval",
        "p adj.",
        "n A",
        "n B",
    )
    cells = [
        (
            f"{row.metric} ({row.role.lower()})",
            row.variant,
            row.a,
            row.b,
            f"{row.effect.mark} {row.effect.lift}",
            row.effect.interval,
            row.effect.difference,
            row.effect.difference_interval,
            row.effect.p_text,
            row.n_a,
            row.n_b,
        )
        for row in rows
    ]
    reasons = [f"{row.metric}, {row.variant}: {row.effect.reason}." for row in rows if row.effect.reason]
    return "\n".join([align_table(headers, cells, left=2), *reasons])


def _guardrails(rows: tuple[EffectRow, ...]) -> str:
    headers = ("Guardrail", "Variant", "State", "Margin", "Lift", "Interval")
    cells = [
        (row.metric, row.variant, row.guardrail, row.margin, row.effect.lift, row.effect.interval)
        for row in rows
    ]
    return align_table(headers, cells, left=3)


def _segments(table: SegmentTableWords, letter: Letter) -> str:
    headers = ("Segment", "n A", "n B", "Lift", "Interval", "p adj.", "p differs", "Planned n", "Detectable")
    overall = table.overall
    cells = [
        ("Everyone", overall.n_a, overall.n_b, _lift(overall), overall.effect.interval, overall.effect.p_text, "–",
         "–", "–")
    ]  # fmt: skip
    for row in table.rows:
        if row.effect is None:
            cells.append((row.name, "–", "–", "not shown", "–", "–", "–", "–", "–"))
            continue
        lift = f"{row.effect.mark} {row.effect.lift}"
        cells.append(
            (row.name, row.n_a, row.n_b, lift, row.effect.interval, row.effect.p_text, row.p_differs, row.planned,
             row.detectable)
        )  # fmt: skip
    title = f"Segments: {letter.report.result.primary.facts.name}, {table.variant}"
    body = "\n".join([align_table(headers, cells), *table.tests])
    return _section(title, body)


def _lift(row: EffectRow) -> str:
    return f"{row.effect.mark} {row.effect.lift}"


def _next(letter: Letter) -> str:
    if not letter.actions:
        return "Nothing to do now."
    return "\n".join(
        f"{number}. {action.what} ({action.owner}, by {action.by})"
        for number, action in enumerate(letter.actions, start=1)
    )


def _links(letter: Letter) -> str:
    links = letter.links
    return f"Results: {links.results}\nDecide:  {links.decide}\nHealth:  {links.health}"


def _footer(letter: Letter) -> str:
    return (
        f"-- \nPlan {letter.plan_hash}, run {letter.run_id}, Strata {letter.report.result.code_version}\n"
        f"{letter.why}\nUnsubscribe: {letter.links.unsubscribe}"
    )
