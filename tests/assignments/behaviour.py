"""An experiment whose target needs stored facts."""

from accounts.models import Project
from experiments.models import Experiment
from experiments.services import TargetInput
from tests.factories import SegmentFactory, running_experiment

BOUGHT = {"event": "purchase", "aggregate": "count", "op": "gte", "value": 1, "window_days": 30}


def behavioural_experiment(project: Project) -> Experiment:
    """Run an experiment on the buyers of the last 30 days."""
    segment = SegmentFactory(project=project, rule=BOUGHT)
    return running_experiment(project=project, targets=(TargetInput(segment=segment),))
