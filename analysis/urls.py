"""Addresses of this app: pages under /p/<project>/, the API under /api/v1/, the unsubscribe link at the root."""

from django.urls import path

from analysis import api
from analysis.views import adequacy, decide, home, mails, reports, results

app_name = "analysis"

_ONE = "experiments/<slug:experiment_key>"

urlpatterns = [
    path("unsubscribe/<str:token>/", reports.unsubscribe_page, name="unsubscribe"),
]

page_urlpatterns = [
    path("", home.home, name="home"),
    path("mail/", mails.mail_list, name="mail"),
    path("mail/<slug:delivery_id>/", mails.mail_show, name="mail-show"),
    path("mail/<slug:delivery_id>/html", mails.mail_html, name="mail-html"),
    path("mail/<slug:delivery_id>/message.eml", mails.mail_raw, name="mail-raw"),
    path(f"{_ONE}/results/", results.results, name="results"),
    path(f"{_ONE}/health/", results.health, name="health"),
    path(f"{_ONE}/adequacy/", adequacy.adequacy, name="adequacy"),
    path(f"{_ONE}/decide/", decide.decide, name="decide"),
    path(f"{_ONE}/analyse/", results.analyse, name="analyse"),
    path(f"{_ONE}/jobs/<slug:job_id>/", results.job, name="job"),
    path(f"{_ONE}/runs/<slug:run_id>/forest-<slug:theme>.svg", results.forest_picture, name="forest"),
    path(
        f"{_ONE}/runs/<slug:run_id>/exposures-<slug:theme>.svg", results.exposures_picture, name="exposures"
    ),
    path(f"{_ONE}/runs/<slug:run_id>/run.json", results.run_json, name="run-json"),
    path(f"{_ONE}/runs/<slug:run_id>/run.csv", results.run_csv, name="run-csv"),
    path(f"{_ONE}/reports/", reports.reports, name="reports"),
    path(f"{_ONE}/reports/preview", reports.preview, name="report-preview"),
    path(f"{_ONE}/reports/test/", reports.test_send, name="report-test"),
    path(f"{_ONE}/reports/recipients/", reports.recipient_add, name="recipient-add"),
    path(f"{_ONE}/reports/recipients/remove/", reports.recipient_remove, name="recipient-remove"),
    path(f"{_ONE}/reports/schedule/", reports.schedule_change, name="schedule"),
]

api_urlpatterns = [
    path("experiments/<slug:public_id>/runs", api.RunListView.as_view(), name="runs"),
    path("experiments/<slug:public_id>/analyse", api.AnalyseView.as_view(), name="analyse"),
    path("experiments/<slug:public_id>/recipients", api.RecipientListView.as_view(), name="recipients"),
    path(
        "experiments/<slug:public_id>/recipients/<slug:recipient_id>",
        api.RecipientView.as_view(),
        name="recipient",
    ),
    path("experiments/<slug:public_id>/report_schedule", api.ScheduleView.as_view(), name="report-schedule"),
    path("runs/<slug:public_id>", api.RunView.as_view(), name="run"),
    path("jobs/<slug:public_id>", api.JobView.as_view(), name="job"),
]
