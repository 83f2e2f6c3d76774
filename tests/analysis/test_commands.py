"""experiment_analyse and report_send, as typed in a shell."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.audit import SYSTEM
from analysis.models import Run
from analysis.services import add_recipient
from tests.analysis.mail_server import MailSink
from tests.analysis.world import make_run

pytestmark = pytest.mark.django_db


@pytest.fixture
def run() -> Run:
    return make_run()


def _call(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def test_an_analysis_prints_the_verdict_and_stores_a_run(run: Run) -> None:
    text = _call("experiment_analyse", run.experiment.key)
    assert text.startswith("Ship “treatment” to everyone")
    assert Run.objects.count() == 2


def test_a_dry_run_stores_nothing(run: Run) -> None:
    document = json.loads(
        _call(
            "experiment_analyse",
            run.experiment.public_id,
            "--json",
            "--dry-run",
            "--watermark",
            run.watermark.isoformat(),
        )
    )
    assert document["run"] is None
    assert document["result_hash"] == run.result_hash
    assert Run.objects.count() == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nope"], "There is no experiment nope. The latest are: checkout-cta"),
        (["checkout-cta", "--watermark", "yesterday"], "is no RFC 3339 time"),
        (["checkout-cta", "--watermark", "2026-11-24T12:00:00"], "needs a zone"),
    ],
)
def test_a_wrong_argument_is_explained(run: Run, arguments: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        _call("experiment_analyse", *arguments)


def test_a_report_is_ordered_and_sent_once(run: Run, mail_sink: MailSink) -> None:
    add_recipient(experiment=run.experiment, email="pm@example.com", actor=SYSTEM)
    assert "pm@example.com: [Ship] Checkout CTA" in _call("report_send", run.experiment.key)
    with pytest.raises(SystemExit) as nothing:
        _call("report_send", run.experiment.key)
    assert nothing.value.code == 3
    assert len(mail_sink.messages) == 1


def test_without_recipients_it_says_what_to_do(run: Run) -> None:
    with pytest.raises(CommandError, match="Add one on its Reports page"):
        _call("report_send", run.experiment.key)


def test_a_refused_mail_exits_with_1(run: Run, mail_sink: MailSink) -> None:
    mail_sink.answers = ["451 Later"]
    add_recipient(experiment=run.experiment, email="pm@example.com", actor=SYSTEM)
    with pytest.raises(SystemExit) as failed:
        _call("report_send", run.experiment.key)
    assert failed.value.code == 1
