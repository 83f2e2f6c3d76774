"""What one report says: subject, preheader, HTML, plain text and picture. The preview page and the mail share it."""

from dataclasses import dataclass
from datetime import timedelta

import css_inline
from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse

from analysis.charts import forest_chart, to_png
from analysis.codec import decode
from analysis.forest import Forest, build_forest
from analysis.models import ReportKind, ReportRecipient, Run
from analysis.presentation import Report, build_report
from analysis.reports.letter import Action, Letter, Links
from analysis.reports.plain_text import render_text
from analysis.reports.tokens import make_token
from analysis.result import Result
from analysis.stats.estimable import NotEstimable
from analysis.verdict_words import deciding_effect

MAX_HTML_BYTES = 90_000
"""Gmail clips longer mails, and with them the unsubscribe link."""
SUBJECT_LENGTH = 180
PICTURE = "forest@strata"
DAYS_TO_ACT = {"ship": 7, "stop": 2, "inconclusive": 7, "invalid": 1}


@dataclass(frozen=True, slots=True)
class Content:
    """A report ready to be packed into a message; png is None when there is nothing to draw."""

    subject: str
    html: str
    text: str
    png: bytes | None


def result_of(run: Run) -> Result:
    """Return the stored result of a run as values."""
    result: Result = decode(Result, run.result)
    return result


def build_content(run: Run, recipient: ReportRecipient, kind: str) -> Content:
    """Return the report of a run as this recipient gets it."""
    report = build_report(result_of(run))
    forest = build_forest(report)
    letter = _letter(run, recipient, kind, report, forest)
    png = None
    if forest is not None:
        png = to_png(forest_chart(forest.panels, forest.axis_title, "light"))
    return Content(subject=letter.subject, html=_html(letter), text=render_text(letter), png=png)


def _letter(run: Run, recipient: ReportRecipient, kind: str, report: Report, forest: Forest | None) -> Letter:
    verdict = report.verdict
    test = "[Test] " if kind == ReportKind.TEST else ""
    subject = _one_line(f"{test}[{verdict.tag}] {verdict.headline}")
    first_action = verdict.actions[0] if verdict.actions else "Nothing to do now."
    return Letter(
        report=report,
        run_id=run.public_id,
        plan_hash=report.result.plan_hash,
        subject=_shortened(subject, SUBJECT_LENGTH),
        preheader=_one_line(f"{verdict.label}. {first_action}"),
        why=_why(run, recipient, kind),
        links=_links(run, recipient),
        actions=_actions(run, report),
        forest=forest,
        picture=f"cid:{PICTURE}",
    )


def _html(letter: Letter) -> str:
    """Render the HTML part; too many segments are cut to the deciding variant's, then left to the text part."""
    tables = letter.report.segments
    effect = deciding_effect(letter.report.result)
    deciding = tuple(table for table in tables if effect is not None and table.index == effect.variant)
    html = ""
    for shown in (tables, deciding, ()):
        left_out = sum(len(table.rows) for table in tables if table not in shown)
        context = {"letter": letter, "segments": shown, "segment_rows_left_out": left_out}
        html = _inlined(render_to_string("analysis/mail.html", context))
        if len(html.encode()) < MAX_HTML_BYTES:
            break
    return html


def _inlined(html: str) -> str:
    """Copy the styles into the elements, as mail programs want them.

    Those of table cells stay in one style element: copied a thousand times they would make the mail too long.
    Cells carry plain attributes for the programs that ignore it.
    """
    inliner = css_inline.CSSInliner(load_remote_stylesheets=False, keep_style_tags=False)
    cells = render_to_string("analysis/mail_cells.css")
    return str(inliner.inline(html)).replace("</head>", f"<style>{cells}</style></head>", 1)


def _why(run: Run, recipient: ReportRecipient, kind: str) -> str:
    if kind == ReportKind.TEST:
        return f"{recipient.email} asked for this test mail; it was sent to nobody else."
    reason = "it reached a decision" if kind == ReportKind.FINAL else "progress reports are on"
    return (
        f"You get this because {recipient.email} is a recipient of the reports of “{run.experiment.name}” "
        f"and {reason}."
    )


def _links(run: Run, recipient: ReportRecipient) -> Links:
    where = [run.experiment.project.slug, run.experiment.key]

    def page(name: str) -> str:
        return f"{settings.BASE_URL}{reverse(f'analysis:{name}', args=where)}"

    token = reverse("unsubscribe", args=[make_token(recipient)])
    return Links(
        results=page("results"),
        decide=page("decide"),
        health=page("health"),
        reports=page("reports"),
        unsubscribe=f"{settings.BASE_URL}{token}",
    )


def _actions(run: Run, report: Report) -> tuple[Action, ...]:
    """Give every next step the experiment's owner and a day: when data are enough, else a few days from now."""
    left = report.result.adequacy.days_left
    kind = report.result.verdict.kind
    days = DAYS_TO_ACT.get(kind, 7 if isinstance(left, NotEstimable) else max(1, left))
    by = run.watermark + timedelta(days=days)
    owner = str(run.experiment.owner) if run.experiment.owner else "no owner yet"
    return tuple(Action(what, owner, f"{by.day} {by:%b %Y}") for what in report.verdict.actions[:3])


def _one_line(text: str) -> str:
    """A header holds no line break: names may contain anything, and must not become headers of their own."""
    return " ".join(text.split())


def _shortened(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"
