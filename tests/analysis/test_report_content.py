"""What the report mail holds, read as a mail program reads it."""

import re
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from accounts.audit import SYSTEM
from analysis.models import ReportKind, Run
from analysis.services import add_recipient, create_run, order_reports
from analysis.tasks import send_due_reports
from tests.analysis.mail_server import MailSink, mail_server
from tests.analysis.world import NOW, make_experiment, make_run, populate
from tests.factories import SegmentFactory

pytestmark = pytest.mark.django_db


def _mail(sink: MailSink) -> EmailMessage:
    (message,) = sink.messages
    return message


def _html(message: EmailMessage) -> str:
    part = message.get_body(("html",))
    assert part is not None
    return str(part.get_content())


def _text(message: EmailMessage) -> str:
    part = message.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


@pytest.fixture(scope="module")
def sent(django_db_setup: None, django_db_blocker: Any) -> Iterator[tuple[Run, EmailMessage]]:
    """One run and its mail, as a mail server took it: made once for the tests that only read it."""
    with django_db_blocker.unblock(), transaction.atomic(), mail_server() as sink:
        run = make_run()
        add_recipient(experiment=run.experiment, email="pm@example.com", actor=SYSTEM)
        order_reports(run=run, kind=ReportKind.FINAL, now=timezone.now())
        assert send_due_reports() == 1
        yield run, _mail(sink)
        transaction.set_rollback(True)


@pytest.fixture
def mail(sent: tuple[Run, EmailMessage]) -> EmailMessage:
    return sent[1]


def test_it_is_text_and_html_with_the_picture_they_refer_to(mail: EmailMessage) -> None:
    shape = [part.get_content_type() for part in mail.walk()]
    assert shape == [
        "multipart/related",
        "multipart/alternative",
        "text/plain",
        "text/html",
        "image/png",
    ]
    picture = [*mail.walk()][-1]
    content_id = str(picture["Content-ID"]).strip("<> ")
    assert f'src="cid:{content_id}"' in _html(mail)
    assert picture.get_content().startswith(b"\x89PNG\r\n\x1a\n")


def test_the_subject_holds_tag_name_and_effect(mail: EmailMessage) -> None:
    # 120 and 180 of 600; Fieller with scipy's t quantile: 0.2305 to 0.8487.
    assert str(mail["Subject"]).strip() == "[Ship] Checkout CTA: +50 % conversion (95 % CI 23 to 85)"


def test_the_alternative_text_of_the_picture_holds_its_numbers(mail: EmailMessage) -> None:
    alt = re.search(r'alt="([^"]+)"', _html(mail))
    assert alt is not None
    assert re.search(r"Everyone ▲ \+\d+ % \(\d+ to \d+\)", alt.group(1))


def test_nothing_is_fetched_from_anywhere_and_nothing_runs(mail: EmailMessage) -> None:
    html = _html(mail)
    assert not re.search(r'(src|background)="https?:', html)
    assert "<script" not in html
    assert "<link" not in html
    assert "url(" not in html
    assert "@import" not in html


def test_the_html_part_is_short_enough_not_to_be_clipped(mail: EmailMessage) -> None:
    assert len(_html(mail).encode()) < 90_000


def test_every_number_of_the_html_tables_is_in_the_text(mail: EmailMessage) -> None:
    cells = re.findall(r"<td[^>]*>(.*?)</td>", _html(mail), flags=re.DOTALL)
    words = (
        " ".join(re.sub(r"<[^>]+>", " ", cell) for cell in cells).replace("\xa0", " ").replace("&nbsp;", " ")
    )
    numbers = set(re.findall(r"[+−]?\d[\d,.]*\d %|\d+\.\d+", words))
    text = _text(mail)
    assert numbers
    assert {number for number in numbers if number not in text} == set()


def test_unsubscribing_is_one_click_by_header_and_by_link(mail: EmailMessage) -> None:
    link = str(mail["List-Unsubscribe"]).strip().strip("<>")
    assert str(mail["List-Unsubscribe-Post"]) == "List-Unsubscribe=One-Click"
    assert link.startswith("http://127.0.0.1:8000/unsubscribe/")
    assert "/unsubscribe/" in _text(mail)
    assert "/unsubscribe/" in _html(mail)


def test_it_says_why_it_came_and_from_which_run(sent: tuple[Run, EmailMessage]) -> None:
    run, mail = sent
    assert "pm@example.com is a recipient" in _text(mail)
    assert run.public_id in _text(mail)
    assert run.public_id in _html(mail)


def test_actions_have_an_owner_and_a_day(mail: EmailMessage) -> None:
    assert re.search(r"1\. .+ \(.+, by \d+ \w{3} \d{4}\)", _text(mail))


def test_unusable_numbers_replace_the_verdict(mail_sink: MailSink) -> None:
    experiment = make_experiment(name="Broken")
    populate(experiment, (0.2,), n=900)
    run = create_run(experiment=experiment, watermark=NOW)
    add_recipient(experiment=experiment, email="pm@example.com", actor=SYSTEM)
    order_reports(run=run, kind=ReportKind.FINAL, now=timezone.now())
    send_due_reports()
    message = _mail(mail_sink)
    assert str(message["Subject"]).strip() == "[Invalid] Broken: do not use these numbers"
    assert "Do not use these numbers" in _html(message)
    assert "Do not decide" in _text(message)


def test_names_cannot_add_headers_or_markup(mail_sink: MailSink) -> None:
    run = make_run(name="CTA\r\nBcc: thief@example.com <script>alert(1)</script>")
    add_recipient(experiment=run.experiment, email="pm@example.com", actor=SYSTEM)
    order_reports(run=run, kind=ReportKind.FINAL, now=timezone.now())
    send_due_reports()
    message = _mail(mail_sink)
    assert message["Bcc"] is None
    assert mail_sink.envelopes[0].rcpt_tos == ["pm@example.com"]
    assert "<script" not in _html(message)


def test_many_segments_do_not_make_the_mail_too_long(mail_sink: MailSink) -> None:
    experiment = make_experiment(name="Many")
    names = [f"Segment with quite a long name number {n}" for n in range(150)]
    segments = [SegmentFactory(project=experiment.project, name=name) for name in names]
    versions = [segment.latest_version for segment in segments]
    experiment.breakdowns.model.objects.bulk_create(
        experiment.breakdowns.model(experiment=experiment, segment_version=version) for version in versions
    )
    populate(experiment, (0.2, 0.3), segments=[version.pk for version in versions])
    run = create_run(experiment=experiment, watermark=NOW)
    add_recipient(experiment=experiment, email="pm@example.com", actor=SYSTEM)
    order_reports(run=run, kind=ReportKind.FINAL, now=timezone.now())
    send_due_reports()
    message = _mail(mail_sink)
    assert len(_html(message).encode()) < 90_000
    assert names[-1] in _text(message)
