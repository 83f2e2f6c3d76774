"""Every change of flags, metrics and experiments. Each is one transaction and leaves an audit line."""

from experiments.services.changes import bump_config, bump_project
from experiments.services.drafts import create_experiment, update_experiment
from experiments.services.flags import create_flag, update_flag
from experiments.services.imported import create_imported_experiment, start_imported_experiment
from experiments.services.inputs import MetricInput, NewFlag, PlanInput, TargetInput, VariantInput
from experiments.services.lifecycle import (
    archive_experiment,
    complete_experiment,
    pause_experiment,
    record_decision,
    resume_experiment,
    start_experiment,
)
from experiments.services.metrics import create_metric, update_metric
from experiments.services.ramping import change_allocation, ramp_effect
from experiments.services.setup import set_breakdowns, set_metrics, set_plan, set_targets
from experiments.services.traffic import create_layer, set_holdout, set_layer
from experiments.services.variants import remove_override, set_override, set_variants

__all__ = [
    "MetricInput",
    "NewFlag",
    "PlanInput",
    "TargetInput",
    "VariantInput",
    "archive_experiment",
    "bump_config",
    "bump_project",
    "change_allocation",
    "complete_experiment",
    "create_experiment",
    "create_flag",
    "create_imported_experiment",
    "create_layer",
    "create_metric",
    "pause_experiment",
    "ramp_effect",
    "record_decision",
    "remove_override",
    "resume_experiment",
    "set_breakdowns",
    "set_holdout",
    "set_layer",
    "set_metrics",
    "set_override",
    "set_plan",
    "set_targets",
    "set_variants",
    "start_experiment",
    "start_imported_experiment",
    "update_experiment",
    "update_flag",
    "update_metric",
]
