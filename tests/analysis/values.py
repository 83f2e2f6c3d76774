"""Inputs of the pure pipeline, made by hand: no database."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from analysis.inputs import (
    Arrivals,
    BreakdownFacts,
    ExperimentFacts,
    ExposureCount,
    Inputs,
    MetricFacts,
    PhaseFacts,
    PlanFacts,
    TargetFacts,
    VariantFacts,
)
from analysis.moments import CellSums, MetricSpec

STARTED = datetime(2026, 3, 2, tzinfo=UTC)
STARTED_DAY = STARTED.date()
CONVERSION = MetricFacts(
    MetricSpec("conversion", "conversion", "purchase"), "Conversion", "primary", "increase", "", None
)
ERRORS = MetricFacts(MetricSpec("errors", "conversion", "error"), "Errors", "guardrail", "decrease", "", 0.2)
PLAN = PlanFacts(
    alpha=0.05,
    power=0.8,
    mde=0.1,
    stopping_rule="fixed_horizon",
    min_days=7,
    max_days=28,
    planned_n=8_000,
    daily_units=None,
    auto_pause=False,
)


def rate_cell(
    metric: MetricFacts,
    variant: int,
    n: int,
    ones: int,
    *,
    phase: int = 1,
    breakdown: int = 0,
    immature: int = 0,
) -> CellSums:
    """Sums of a 0/1 metric with `ones` of `n` units converted."""
    x = Decimal(ones)
    return CellSums(metric.spec.key, variant, phase, 0, breakdown, n, immature, ones, x, x)


def exposure_count(
    variant: int, units: int, *, phase: int = 1, day: date = STARTED_DAY, **fields: Any
) -> ExposureCount:
    """Units exposed on one day."""
    defaults: dict[str, Any] = {"sdk": "python", "overlapping": 0, "from_future": 0}
    return ExposureCount(variant, phase, 0, day, units=units, **defaults | fields)


def segment(version_id: int, name: str) -> BreakdownFacts:
    """A declared breakdown."""
    return BreakdownFacts(version_id, name.lower(), name, 1, f"Units that are {name.lower()}.")


def make_inputs(cells: list[CellSums], **changes: Any) -> Inputs:
    """Two arms, one phase, day 28 of a fixed horizon; exposures follow the cells of the first metric."""
    metrics = changes.pop("metrics", (CONVERSION,))
    key = metrics[0].spec.key
    counted = [cell for cell in cells if cell.metric == key and cell.breakdown == 0]
    plan = replace(PLAN, **changes.pop("plan", {}))
    ended_at = changes.pop("ended_at", None)
    values: dict[str, Any] = {
        "experiment": ExperimentFacts(
            "exp_1", "cta", "Checkout CTA", "Green sells.", "user", "strata", "", "EUR", STARTED, ended_at
        ),
        "variants": (VariantFacts(0, "control", "Grey"), VariantFacts(1, "treatment", "Green")),
        "targets": (TargetFacts(0, "Everyone", True),),
        "phases": (PhaseFacts(1, STARTED, ((0, (5_000, 5_000)),)),),
        "metrics": metrics,
        "plan": plan,
        "breakdowns": (),
        "watermark": STARTED + timedelta(days=28, hours=1),
        "revision": 3,
        "code_version": "0.1.0",
        "seed": 0,
        "exposures": tuple(exposure_count(c.variant, c.n + c.immature, phase=c.phase) for c in counted),
        "cells": tuple(cells),
        "crossover_units": 0,
        "arrivals": Arrivals(0, 0),
        "plan_hash": "abc",
    }
    return Inputs(**values | changes)
