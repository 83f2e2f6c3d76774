"""Small compiled configurations for tests of pure evaluation."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from assignments.document import ExperimentConfig, FlagConfig, TargetConfig, VariantConfig
from assignments.document_json import live_segment
from assignments.evaluation import NO_FACTS, Evaluation, Facts, evaluate
from experiments.allocation import closed, open_more

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
IN_GERMANY = live_segment(7, {"attribute": "country", "op": "eq", "value": "DE"})


def target(
    position: int = 0, *, share_bp: int = 10_000, segment: Any = None, weights: Any = (5000, 5000)
) -> TargetConfig:
    return TargetConfig(position, segment, open_more(closed(), weights_bp=weights, share_bp=share_bp))


def experiment(**changes: Any) -> ExperimentConfig:
    base = ExperimentConfig(
        id=1,
        public_id="exp_checkout",
        key="checkout",
        salt="salt-a",
        unit_type="user",
        hash_version=1,
        paused=False,
        frozen=False,
        phase=1,
        variants=(VariantConfig("control", False), VariantConfig("treatment", True)),
        targets=(target(),),
    )
    return replace(base, **changes)


def flag(experiment: ExperimentConfig | None = None, **changes: Any) -> FlagConfig:
    return replace(FlagConfig("checkout", "boolean", True, False, experiment=experiment), **changes)


def ask(
    flag: FlagConfig | None,
    unit_id: str | None = "u1",
    context: dict[str, Any] | None = None,
    facts: Facts = NO_FACTS,
) -> Evaluation:
    return evaluate(flag, unit_id=unit_id, context=context or {}, facts=facts, now=NOW)
