"""Addresses of this app: pages under /p/<project>/, the API under /api/v1/."""

from django.urls import path, register_converter
from django.urls.converters import StringConverter

from experiments.api import experiments as experiments_api
from experiments.api import flags as flags_api
from experiments.api import lifecycle as lifecycle_api
from experiments.views import experiments, flags, lifecycle, metrics, setup

app_name = "experiments"


class FlagKeyConverter(StringConverter):
    """A flag's key: letters, digits, dot, underscore, hyphen."""

    regex = r"[A-Za-z0-9._-]+"


register_converter(FlagKeyConverter, "flagkey")

page_urlpatterns = [
    path("segments-used/<slug:segment_id>/", experiments.segment_uses, name="segment-uses"),
    path("flags/", flags.flag_list, name="flags"),
    path("flags/new/", flags.flag_new, name="flag-new"),
    path("flags/<flagkey:flag_key>/edit/", flags.flag_edit, name="flag-edit"),
    path("metrics/", metrics.metric_list, name="metrics"),
    path("metrics/new/", metrics.metric_new, name="metric-new"),
    path("metrics/<slug:metric_key>/edit/", metrics.metric_edit, name="metric-edit"),
    path("experiments/", experiments.experiment_list, name="list"),
    path("experiments/new/", experiments.experiment_new, name="new"),
    path("experiments/<slug:experiment_key>/", experiments.experiment_detail, name="detail"),
    path("experiments/<slug:experiment_key>/history/", experiments.experiment_history, name="history"),
    path("experiments/<slug:experiment_key>/describe/", experiments.experiment_describe, name="describe"),
    path("experiments/<slug:experiment_key>/overrides/", experiments.experiment_overrides, name="overrides"),
    path(
        "experiments/<slug:experiment_key>/overrides/remove/",
        experiments.override_remove,
        name="override-remove",
    ),
    path("experiments/<slug:experiment_key>/variants/", setup.setup_variants, name="setup-variants"),
    path("experiments/<slug:experiment_key>/targets/", setup.setup_targets, name="setup-targets"),
    path("experiments/<slug:experiment_key>/metrics/", setup.setup_metrics, name="setup-metrics"),
    path("experiments/<slug:experiment_key>/plan/", setup.setup_plan, name="setup-plan"),
    path("experiments/<slug:experiment_key>/breakdowns/", setup.setup_breakdowns, name="setup-breakdowns"),
    path("experiments/<slug:experiment_key>/start/", lifecycle.experiment_start, name="start"),
    path("experiments/<slug:experiment_key>/pause/", lifecycle.experiment_pause, name="pause"),
    path("experiments/<slug:experiment_key>/resume/", lifecycle.experiment_resume, name="resume"),
    path("experiments/<slug:experiment_key>/complete/", lifecycle.experiment_complete, name="complete"),
    path("experiments/<slug:experiment_key>/archive/", lifecycle.experiment_archive, name="archive"),
    path(
        "experiments/<slug:experiment_key>/targets/<int:position>/ramp/",
        lifecycle.experiment_ramp,
        name="ramp",
    ),
]

_ONE = "experiments/<slug:public_id>"

api_urlpatterns = [
    path("flags", flags_api.FlagListView.as_view(), name="flags"),
    path("flags/<slug:public_id>", flags_api.FlagDetailView.as_view(), name="flag"),
    path("metrics", flags_api.MetricListView.as_view(), name="metrics"),
    path("metrics/<slug:public_id>", flags_api.MetricDetailView.as_view(), name="metric"),
    path("holdout", experiments_api.HoldoutView.as_view(), name="holdout"),
    path("layers", experiments_api.LayerListView.as_view(), name="layers"),
    path("experiments", experiments_api.ExperimentListView.as_view(), name="experiments"),
    path(_ONE, experiments_api.ExperimentDetailView.as_view(), name="experiment"),
    path(f"{_ONE}/variants", experiments_api.VariantsView.as_view(), name="variants"),
    path(f"{_ONE}/targets", experiments_api.TargetsView.as_view(), name="targets"),
    path(f"{_ONE}/metrics", experiments_api.MetricsView.as_view(), name="experiment-metrics"),
    path(f"{_ONE}/plan", experiments_api.PlanView.as_view(), name="plan"),
    path(f"{_ONE}/breakdowns", experiments_api.BreakdownsView.as_view(), name="breakdowns"),
    path(f"{_ONE}/layer", experiments_api.ExperimentLayerView.as_view(), name="layer"),
    path(f"{_ONE}/overrides", experiments_api.OverridesView.as_view(), name="overrides"),
    path(f"{_ONE}/launch-check", lifecycle_api.LaunchCheckView.as_view(), name="launch-check"),
    path(f"{_ONE}/start", lifecycle_api.StartView.as_view(), name="start"),
    path(f"{_ONE}/pause", lifecycle_api.PauseView.as_view(), name="pause"),
    path(f"{_ONE}/resume", lifecycle_api.ResumeView.as_view(), name="resume"),
    path(f"{_ONE}/complete", lifecycle_api.CompleteView.as_view(), name="complete"),
    path(f"{_ONE}/decision", lifecycle_api.DecisionView.as_view(), name="decision"),
    path(f"{_ONE}/archive", lifecycle_api.ArchiveView.as_view(), name="archive"),
    path(f"{_ONE}/ramp", lifecycle_api.RampView.as_view(), name="ramp"),
]
