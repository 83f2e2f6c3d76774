"""Making a run: read, analyse, store. Runs are never changed afterwards."""

import time
from datetime import datetime

from django.db import transaction

from analysis.codec import encode, hash_of
from analysis.models import Run
from analysis.pipeline import analyse
from analysis.queries import load_inputs
from analysis.result import Result
from experiments.models import Experiment


def compute_result(*, experiment: Experiment, watermark: datetime, seed: int = 0) -> Result:
    """Analyse what had been received by `watermark`, without storing anything. Raises NotAnalysable."""
    return analyse(load_inputs(experiment, watermark, seed=seed))


@transaction.atomic
def create_run(*, experiment: Experiment, watermark: datetime, seed: int = 0) -> Run:
    """Analyse and store one run.

    Two runs with the same revision, watermark, code version and seed have the same `result_hash`.
    Raises NotAnalysable when the experiment has not started, or lacks a plan or a primary metric.
    """
    started = time.monotonic()
    result = compute_result(experiment=experiment, watermark=watermark, seed=seed)
    return store_run(
        experiment=experiment, result=result, duration_ms=round(1000 * (time.monotonic() - started))
    )


def store_run(*, experiment: Experiment, result: Result, duration_ms: int) -> Run:
    """Store a computed result as a run."""
    return Run.objects.create(
        experiment=experiment,
        revision=result.revision,
        watermark=result.watermark,
        code_version=result.code_version,
        seed=result.seed,
        result=encode(result),
        result_hash=hash_of(result),
        verdict=result.verdict.kind,
        sentence=result.verdict.sentence,
        duration_ms=duration_ms,
    )
