"""The pages of results, reports and the project, as a browser without JavaScript uses them."""

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.audit import SYSTEM
from accounts.models import Project, Role
from analysis.models import AnalysisJob, DeliveryState, ReportDelivery, ReportKind, ReportRecipient, Run
from analysis.services import add_recipient, create_run, order_reports
from analysis.tasks import run_job, send_due_reports
from experiments.models import Experiment, Metric, Status
from tests.analysis.mail_server import MailSink
from tests.analysis.people import store_events
from tests.analysis.world import NOW, make_experiment, make_run, populate
from tests.factories import ExperimentFactory, MembershipFactory, ProfileFactory, ProjectFactory

pytestmark = pytest.mark.django_db

EXPERIMENT_PAGES = ("results/", "health/", "adequacy/", "decide/", "reports/")


def _login(client: Client, project: Project, role: str = Role.ADMIN) -> None:
    client.force_login(MembershipFactory(project=project, role=role).user)


def _base(experiment: Experiment) -> str:
    return f"/p/{experiment.project.slug}/experiments/{experiment.key}/"


@pytest.fixture
def run() -> Run:
    return make_run()


@pytest.fixture
def base(run: Run, client: Client) -> str:
    _login(client, run.experiment.project)
    return _base(run.experiment)


class TestEveryPage:
    """What holds for all pages of an experiment."""

    @pytest.mark.parametrize("page", EXPERIMENT_PAGES)
    def test_it_shows_one_heading_and_the_experiment(self, base: str, client: Client, page: str) -> None:
        answer = client.get(base + page)
        html = answer.content.decode()
        assert answer.status_code == 200
        assert html.count("<h1") == 1
        assert "Checkout CTA" in html
        assert "style=" not in html
        assert "<script>" not in html

    @pytest.mark.parametrize("page", EXPERIMENT_PAGES)
    def test_another_projects_experiment_does_not_exist(self, run: Run, client: Client, page: str) -> None:
        stranger = ProjectFactory()
        _login(client, stranger)
        assert client.get(_base(run.experiment) + page).status_code == 404
        assert client.get(f"/p/{stranger.slug}/experiments/{run.experiment.key}/{page}").status_code == 404

    @pytest.mark.parametrize("page", EXPERIMENT_PAGES)
    def test_a_draft_says_what_is_missing(self, client: Client, page: str) -> None:
        experiment = ExperimentFactory(name="Draft")
        _login(client, experiment.project)
        assert client.get(_base(experiment) + page).status_code == 200

    def test_a_viewer_may_look_but_not_decide_or_analyse(self, run: Run, client: Client) -> None:
        _login(client, run.experiment.project, Role.VIEWER)
        base = _base(run.experiment)
        assert client.get(base + "results/").status_code == 200
        assert client.get(base + "decide/").status_code == 403
        assert client.post(base + "analyse/").status_code == 403
        assert client.post(base + "reports/recipients/", {"email": "x@example.com"}).status_code == 403


class TestResults:
    """The verdict, its numbers and their exports."""

    def test_the_verdict_sentence_comes_first(self, base: str, client: Client, run: Run) -> None:
        html = client.get(base + "results/").content.decode()
        assert html.index("Ship “treatment” to everyone") < html.index("By segment")
        assert "The primary metric is credibly better and every guardrail holds." in html

    def test_an_older_run_stays_readable_and_says_so(self, base: str, client: Client, run: Run) -> None:
        create_run(experiment=run.experiment, watermark=NOW + timedelta(hours=1))
        html = client.get(f"{base}results/?run={run.public_id}").content.decode()
        assert "This is an older run" in html

    def test_an_unknown_run_is_not_found(self, base: str, client: Client) -> None:
        assert client.get(base + "results/?run=run_nope").status_code == 404

    @pytest.mark.parametrize("picture", ["forest-light", "forest-dark-narrow", "exposures-dark"])
    def test_pictures_are_svg_that_cannot_run_anything(
        self, base: str, client: Client, run: Run, picture: str
    ) -> None:
        answer = client.get(f"{base}runs/{run.public_id}/{picture}.svg")
        assert answer["Content-Type"] == "image/svg+xml"
        assert answer.content.startswith(b"<svg")
        assert "sandbox" in answer["Content-Security-Policy"]
        assert "immutable" in answer["Cache-Control"]

    def test_a_picture_in_another_style_does_not_exist(self, base: str, client: Client, run: Run) -> None:
        assert client.get(f"{base}runs/{run.public_id}/forest-pink.svg").status_code == 404

    def test_the_json_export_is_the_stored_run(self, base: str, client: Client, run: Run) -> None:
        document = client.get(f"{base}runs/{run.public_id}/run.json").json()
        assert document["result_hash"] == run.result_hash
        assert document["result"]["verdict"]["sentence"] == run.sentence

    def test_the_csv_export_has_one_line_per_metric_and_no_formula(self, client: Client) -> None:
        run = make_run()
        Metric.objects.filter(project=run.experiment.project, key="purchase").update(name="=HYPERLINK(1)")
        again = create_run(experiment=run.experiment, watermark=NOW)
        _login(client, run.experiment.project)
        text = client.get(f"{_base(run.experiment)}runs/{again.public_id}/run.csv").content.decode()
        rows = list(csv.DictReader(io.StringIO(text)))
        assert [row["metric"] for row in rows] == ["'=HYPERLINK(1)", "Complaints"]
        assert float(rows[0]["lift"]) == pytest.approx(0.5)


class TestAnalyseNow:
    """A button, a job, its progress."""

    def test_it_leads_to_the_progress_page_and_then_to_the_results(self, base: str, client: Client) -> None:
        answer = client.post(base + "analyse/")
        job = AnalysisJob.objects.get()
        assert answer["Location"] == f"{base}jobs/{job.public_id}/"
        assert "Analysing" in client.get(answer["Location"]).content.decode()
        run_job(job.public_id)
        assert client.get(answer["Location"])["Location"] == f"{base}results/"

    def test_htmx_gets_202_and_polls_until_it_refreshes(self, base: str, client: Client) -> None:
        headers: Any = {"HX-Request": "true"}
        answer = client.post(base + "analyse/", headers=headers)
        assert answer.status_code == 202
        job = AnalysisJob.objects.get()
        poll = f"{base}jobs/{job.public_id}/"
        assert f'hx-get="{poll}"' in answer.content.decode()
        assert "HX-Refresh" not in client.get(poll, headers=headers)
        run_job(job.public_id)
        assert client.get(poll, headers=headers)["HX-Refresh"] == "true"

    def test_another_experiments_job_is_not_found(self, base: str, client: Client) -> None:
        other = make_experiment()
        job = AnalysisJob.objects.create(experiment=other, reason="requested", due_at=NOW)
        assert client.get(f"{base}jobs/{job.public_id}/").status_code == 404


class TestDecide:
    """The recommendation, and the decision with its reason."""

    def test_the_recommendation_is_preselected(self, base: str, client: Client) -> None:
        form = client.get(base + "decide/").context["form"]
        assert (form.initial["decision"], form.initial["variant"]) == ("ship", "treatment")

    def test_a_decision_without_a_reason_comes_back_with_422(
        self, base: str, client: Client, run: Run
    ) -> None:
        answer = client.post(base + "decide/", {"decision": "ship", "variant": "treatment", "reason": " "})
        assert answer.status_code == 422
        run.experiment.refresh_from_db()
        assert run.experiment.status == Status.RUNNING

    def test_a_decision_completes_the_experiment(self, base: str, client: Client, run: Run) -> None:
        answer = client.post(
            base + "decide/", {"decision": "ship", "variant": "treatment", "reason": "Clearly better."}
        )
        assert answer["Location"] == base + "results/"
        run.experiment.refresh_from_db()
        assert (run.experiment.status, run.experiment.decision) == (Status.COMPLETED, "ship")
        assert "Clearly better." in client.get(base + "results/").content.decode()


class TestHome:
    """The state of a whole project."""

    def test_an_empty_project_names_the_missing_links(self, client: Client) -> None:
        project = ProjectFactory()
        _login(client, project)
        html = client.get(f"/p/{project.slug}/").content.decode()
        assert "what is still missing" in html
        assert "Send profiles" in html

    def test_a_decision_waits_and_a_running_test_runs(self, run: Run, client: Client) -> None:
        young = make_experiment(project=run.experiment.project, name="Young", plan={"planned_n": 90_000})
        populate(young, (0.2, 0.2), n=30)
        create_run(experiment=young, watermark=NOW - timedelta(days=20))
        _login(client, run.experiment.project)
        state = client.get(f"/p/{run.experiment.project.slug}/").context["state"]
        assert [line.experiment.name for line in state.to_decide] == ["Checkout CTA"]
        assert [line.experiment.name for line in state.running] == ["Young"]

    def test_a_failed_analysis_is_shown_until_one_works(self, run: Run, client: Client) -> None:
        project = run.experiment.project
        AnalysisJob.objects.create(
            experiment=run.experiment, reason="scheduled", due_at=NOW, state="failed", error="disk full"
        )
        _login(client, project)
        assert "disk full" in client.get(f"/p/{project.slug}/").content.decode()
        create_run(experiment=run.experiment, watermark=NOW)
        assert "disk full" not in client.get(f"/p/{project.slug}/").content.decode()

    def test_the_number_of_queries_does_not_grow_with_experiments(
        self, run: Run, client: Client, django_assert_max_num_queries: Any
    ) -> None:
        project = run.experiment.project
        for name in ("Second", "Third"):
            other = make_experiment(project=project, name=name)
            populate(other, (0.2, 0.3), n=150)
            create_run(experiment=other, watermark=NOW)
        _login(client, project)
        with django_assert_max_num_queries(20):
            assert client.get(f"/p/{project.slug}/").status_code == 200


class TestAdequacy:
    """Before launch."""

    def test_history_gives_the_baseline_of_a_draft(self, client: Client) -> None:
        experiment = ExperimentFactory(name="Draft")
        environment = experiment.environment
        now = timezone.now()
        for i in range(50):
            ProfileFactory(environment=environment, unit_id=f"unit-{i}", first_seen_at=now)
        store_events(
            experiment, [(f"unit-{i}", "purchase", None, now - timedelta(days=1)) for i in range(10)]
        )
        _login(client, experiment.project)
        planning = client.get(_base(experiment) + "adequacy/").context["planning"]
        (row,) = planning.rows
        assert row.traffic.active_units == 50
        assert row.traffic.baseline.mean == pytest.approx(0.2)
        assert row.traffic.daily_units == pytest.approx(50 / 28)
        assert not row.is_enough
        assert "accept an MDE" in row.advice or "finds nothing" in row.advice

    def test_a_fragment_is_offered_to_the_set_up_page(self, client: Client) -> None:
        experiment = ExperimentFactory(name="Draft")
        _login(client, experiment.project)
        html = client.get(_base(experiment) + "adequacy/", headers={"HX-Request": "true"}).content.decode()
        assert "<html" not in html

    def test_a_draft_without_a_plan_is_told_to_write_one(self, client: Client) -> None:
        experiment = ExperimentFactory(name="Draft", plan=None)
        _login(client, experiment.project)
        assert "has no plan" in client.get(_base(experiment) + "adequacy/").content.decode()


class TestReports:
    """Recipients, schedule, test mail, archive."""

    def test_adding_an_address(self, base: str, client: Client) -> None:
        assert client.post(base + "reports/recipients/", {"email": "cto@example.com"}).status_code == 302
        assert "cto@example.com" in client.get(base + "reports/").content.decode()

    def test_a_wrong_address_comes_back_with_422(self, base: str, client: Client) -> None:
        answer = client.post(base + "reports/recipients/", {"email": "cto"})
        assert answer.status_code == 422
        assert ReportRecipient.objects.count() == 0

    def test_changing_the_schedule(self, base: str, client: Client, run: Run) -> None:
        client.post(base + "reports/schedule/", {"frequency": "daily", "weekday": "2", "hour": "7"})
        schedule = run.experiment.report_schedule
        assert (schedule.frequency, schedule.hour) == ("daily", 7)
        assert schedule.next_due_at > timezone.now()

    def test_the_preview_is_the_mail(self, base: str, client: Client, run: Run, mail_sink: MailSink) -> None:
        preview = client.get(base + "reports/preview")
        assert preview["Content-Security-Policy"].startswith("sandbox")
        client.post(base + "reports/test/")
        send_due_reports()
        delivery = ReportDelivery.objects.get()
        viewed = client.get(f"/p/{run.experiment.project.slug}/mail/{delivery.public_id}/html")
        assert _body(viewed.content) == _body(preview.content)
        assert b"data:image/png;base64," in viewed.content

    def test_a_mail_is_shown_with_its_headers_and_can_be_downloaded(
        self, base: str, client: Client, run: Run, mail_sink: MailSink
    ) -> None:
        add_recipient(experiment=run.experiment, email="pm@example.com", actor=SYSTEM)
        order_reports(run=run, kind=ReportKind.FINAL, now=timezone.now())
        send_due_reports()
        delivery = ReportDelivery.objects.get(state=DeliveryState.SENT)
        mail = f"/p/{run.experiment.project.slug}/mail/"
        assert delivery.subject in client.get(mail).content.decode()
        html = client.get(f"{mail}{delivery.public_id}/").content.decode()
        assert "List-Unsubscribe-Post" in html
        raw = client.get(f"{mail}{delivery.public_id}/message.eml")
        assert raw["Content-Type"] == "message/rfc822"
        assert raw.content == bytes(delivery.message)

    def test_another_projects_mail_does_not_exist(self, base: str, client: Client, run: Run) -> None:
        add_recipient(experiment=run.experiment, email="pm@example.com", actor=SYSTEM)
        order_reports(run=run, kind=ReportKind.FINAL, now=timezone.now())
        delivery = ReportDelivery.objects.get()
        stranger = ProjectFactory()
        _login(client, stranger)
        for page in ("", "html", "message.eml"):
            assert client.get(f"/p/{stranger.slug}/mail/{delivery.public_id}/{page}").status_code == 404


def _body(html: bytes) -> bytes:
    """The mail without what differs by recipient: why it came and the unsubscribe link."""
    return html[html.index(b"<h1") : html.index(b'class="footer"')]
