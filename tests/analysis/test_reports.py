"""The report mail: what is in it, and that it goes out exactly once."""

import socket
from datetime import timedelta
from email.message import EmailMessage

import pytest
from django.conf import LazySettings
from django.core import signing
from django.test import Client
from django.utils import timezone

from accounts.audit import SYSTEM
from accounts.models import AuditEntry
from analysis.models import DeliveryState, ReportDelivery, ReportKind, ReportRecipient, Run
from analysis.reports.sending import deliver
from analysis.reports.tokens import InvalidToken, make_token, read_token
from analysis.services import (
    add_recipient,
    claim_delivery,
    create_run,
    order_reports,
    order_test_report,
    plan_due_reports,
    remove_recipient,
    set_schedule,
)
from analysis.services.deliveries import GIVE_UP_HOURS, order_final_reports
from analysis.tasks import send_due_reports, send_report
from core.errors import DomainError
from tests.analysis.mail_server import MailSink
from tests.analysis.world import NOW, STARTED, make_experiment, make_run, populate
from tests.factories import UserFactory, actor_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def run() -> Run:
    run = make_run()
    add_recipient(experiment=run.experiment, email="pm@example.com", actor=SYSTEM)
    return run


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


class TestSending:
    """Once when it works, again when it does not, never twice."""

    def _order(self, run: Run, kind: str = ReportKind.FINAL) -> ReportDelivery:
        order_reports(run=run, kind=kind, now=timezone.now())
        return ReportDelivery.objects.get()

    def test_ordering_twice_sends_once(self, run: Run, mail_sink: MailSink) -> None:
        for _ in range(2):
            order_reports(run=run, kind=ReportKind.FINAL, now=timezone.now())
            send_due_reports()
        assert len(mail_sink.messages) == 1
        assert ReportDelivery.objects.get().state == DeliveryState.SENT

    def test_what_was_sent_is_kept_as_it_was_sent(self, run: Run, mail_sink: MailSink) -> None:
        delivery = self._order(run)
        assert send_report(delivery.public_id)
        delivery.refresh_from_db()
        assert bytes(delivery.message).replace(b"\r\n", b"\n").strip() == (
            bytes(mail_sink.envelopes[0].content).replace(b"\r\n", b"\n").strip()
        )

    def test_a_temporary_refusal_is_tried_again_with_the_same_message_id(
        self, run: Run, mail_sink: MailSink
    ) -> None:
        mail_sink.answers = ["451 Try later"]
        delivery = self._order(run)
        send_due_reports()
        delivery.refresh_from_db()
        assert (delivery.state, delivery.attempts) == (DeliveryState.DUE, 1)
        assert "451" in delivery.error
        assert delivery.due_at > timezone.now()
        again = claim_delivery(now=delivery.due_at)
        assert deliver(again, now=delivery.due_at)
        assert str(_mail(mail_sink)["Message-ID"]) == f"<{delivery.public_id}@127.0.0.1>"

    def test_a_final_refusal_is_final(self, run: Run, mail_sink: MailSink) -> None:
        mail_sink.answers = ["550 No such person"]
        delivery = self._order(run)
        send_due_reports()
        delivery.refresh_from_db()
        assert delivery.state == DeliveryState.FAILED
        assert "550" in delivery.error

    def test_an_absent_server_is_tried_for_a_day(self, run: Run, settings: LazySettings) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
            settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", unused.getsockname()[1]
            delivery = self._order(run)
            now, end = delivery.due_at, delivery.due_at + timedelta(hours=GIVE_UP_HOURS)
            waits = []
            for _ in range(3):
                deliver(claim_delivery(now=now), now=now)
                delivery.refresh_from_db()
                waits.append(delivery.due_at - now)
                now = delivery.due_at
        assert waits == [timedelta(minutes=1), timedelta(minutes=2), timedelta(minutes=4)]
        assert claim_delivery(now=end) is not None
        assert claim_delivery(now=end + timedelta(hours=1)) is None
        delivery.refresh_from_db()
        assert delivery.state == DeliveryState.FAILED

    def test_a_claimed_report_is_not_sent_by_a_second_worker(self, run: Run, mail_sink: MailSink) -> None:
        self._order(run)
        assert claim_delivery(now=timezone.now()) is not None
        assert send_due_reports() == 0
        assert mail_sink.messages == []

    def test_who_unsubscribed_after_the_order_gets_nothing(self, run: Run, mail_sink: MailSink) -> None:
        delivery = self._order(run)
        ReportRecipient.objects.update(unsubscribed_at=timezone.now())
        assert send_due_reports() == 0
        delivery.refresh_from_db()
        assert delivery.state == DeliveryState.SKIPPED

    def test_a_test_mail_goes_to_the_asker_only_and_subscribes_nobody(
        self, run: Run, mail_sink: MailSink
    ) -> None:
        user = UserFactory(email="me@example.com")
        order_test_report(run=run, email=user.email, actor=actor_of(user), now=timezone.now())
        send_due_reports()
        assert str(_mail(mail_sink)["Subject"]).strip().startswith("[Test] [")
        assert mail_sink.envelopes[0].rcpt_tos == ["me@example.com"]
        order_reports(run=run, kind=ReportKind.FINAL, now=timezone.now())
        send_due_reports()
        assert mail_sink.envelopes[1].rcpt_tos == ["pm@example.com"]


class TestWhenReportsAreOrdered:
    """Decisions at once, progress on schedule."""

    def test_a_decision_is_reported_once_until_it_changes(self, run: Run) -> None:
        assert order_final_reports(run=run, now=NOW) == 1
        same = create_run(experiment=run.experiment, watermark=NOW)
        assert order_final_reports(run=same, now=NOW) == 0

    def test_progress_is_no_decision(self) -> None:
        experiment = make_experiment(plan={"planned_n": 50_000, "max_days": 60})
        populate(experiment, (0.2, 0.2))
        add_recipient(experiment=experiment, email="pm@example.com", actor=SYSTEM)
        run = create_run(experiment=experiment, watermark=STARTED + timedelta(days=3))
        assert run.verdict == "keep_running"
        assert order_final_reports(run=run, now=NOW) == 0

    def test_a_due_progress_report_waits_for_a_fresh_run_and_is_then_ordered_once(self, run: Run) -> None:
        schedule = set_schedule(
            experiment=run.experiment, frequency="daily", weekday=0, hour=9, actor=SYSTEM, now=STARTED
        )
        later = NOW + timedelta(hours=2)
        assert schedule.next_due_at < later
        assert plan_due_reports(now=later) == 0
        assert run.experiment.jobs.count() == 1
        create_run(experiment=run.experiment, watermark=later)
        assert plan_due_reports(now=later) == 1
        assert plan_due_reports(now=later) == 0
        assert ReportDelivery.objects.filter(kind=ReportKind.PROGRESS).count() == 1

    def test_an_impossible_schedule_is_refused(self, run: Run) -> None:
        with pytest.raises(DomainError, match="hour is 0 to 23"):
            set_schedule(
                experiment=run.experiment, frequency="daily", weekday=0, hour=24, actor=SYSTEM, now=NOW
            )


class TestRecipients:
    """Anyone may get reports, and stop them."""

    def test_an_address_that_is_none_is_refused(self, run: Run) -> None:
        with pytest.raises(DomainError, match="not an e-mail address"):
            add_recipient(experiment=run.experiment, email="pm@example.com\nBcc: x@y.z", actor=SYSTEM)

    def test_adding_twice_keeps_one(self, run: Run) -> None:
        add_recipient(experiment=run.experiment, email="PM@example.com", actor=SYSTEM)
        assert ReportRecipient.objects.count() == 1

    def test_removing_and_adding_again_works(self, run: Run) -> None:
        recipient = ReportRecipient.objects.get()
        remove_recipient(experiment=run.experiment, public_id=recipient.public_id, actor=SYSTEM, now=NOW)
        assert order_reports(run=run, kind=ReportKind.FINAL, now=NOW) == 0
        add_recipient(experiment=run.experiment, email="pm@example.com", actor=SYSTEM)
        assert order_reports(run=run, kind=ReportKind.FINAL, now=NOW) == 1

    def test_the_link_asks_first_and_unsubscribes_without_a_login(self, run: Run, client: Client) -> None:
        recipient = ReportRecipient.objects.get()
        url = f"/unsubscribe/{make_token(recipient)}/"
        assert "Stop sending" in client.get(url).content.decode()
        recipient.refresh_from_db()
        assert recipient.unsubscribed_at is None
        assert "gets no more reports" in client.post(url).content.decode()
        recipient.refresh_from_db()
        assert recipient.unsubscribed_at is not None
        assert AuditEntry.objects.filter(action="report.unsubscribed").count() == 1

    def test_a_mail_program_unsubscribes_by_one_post_without_cookies(self, run: Run) -> None:
        strict = Client(enforce_csrf_checks=True)
        url = f"/unsubscribe/{make_token(ReportRecipient.objects.get())}/"
        answer = strict.post(url, {"List-Unsubscribe": "One-Click"})
        assert answer.status_code == 200
        assert ReportRecipient.objects.get().unsubscribed_at is not None

    def test_a_token_for_something_else_is_refused(self, run: Run, client: Client) -> None:
        forged = signing.dumps(ReportRecipient.objects.get().public_id, salt="another purpose")
        with pytest.raises(InvalidToken):
            read_token(forged)
        assert client.post(f"/unsubscribe/{forged}/").status_code == 404
