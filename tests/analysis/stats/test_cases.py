"""Every case of reference/cases.json: inputs and outputs from sources outside this project, at their tolerance."""

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from analysis.stats.always_valid import (
    compare_arms_always_valid,
    sequence_critical,
    sequence_log_evidence,
    tuning_variance,
)
from analysis.stats.arms import ArmEstimate, estimate_mean
from analysis.stats.compare import Comparison, compare_arms
from analysis.stats.heterogeneity import RandomEffects, fit_random_effects
from analysis.stats.moments import moments_from_sums
from analysis.stats.multiplicity import adjust_p_values
from analysis.stats.power import (
    Baseline,
    Design,
    detectable_difference,
    detectable_lift,
    exact_units,
    power_for_difference,
    rate_baseline,
)
from analysis.stats.srm import split_log_evidence
from tests.analysis.stats import case_designs, case_estimates
from tests.paths import SHARED

FILE = SHARED / "reference" / "cases.json"
CASES: list[dict[str, Any]] = json.loads(FILE.read_text()) if FILE.exists() else []
Inputs = dict[str, Any]


def arm(inputs: Inputs) -> ArmEstimate:
    estimate = estimate_mean(moments_from_sums(inputs["n"], [inputs["sum"]], [[inputs["sum_squares"]]]))
    assert isinstance(estimate, ArmEstimate)
    return estimate


def compared(x: Inputs, **options: Any) -> Comparison:
    result = compare_arms(arm(x["control"]), arm(x["treatment"]), **options)
    assert isinstance(result, Comparison)
    return result


def welch(x: Inputs) -> Inputs:
    alternative = x.get("alternative", "two-sided")
    r = compared(x, alpha=x.get("alpha", 0.05), alternative=alternative)
    interval = [r.absolute.low, r.absolute.high]
    return {"expected": r.difference, "ci": interval, "stderr": r.se, "p": r.p_value}


def welch_sleep(x: Inputs) -> Inputs:
    swapped = {"control": x["treatment"], "treatment": x["control"]}  # R prints group 1 minus group 2
    r = compared(swapped)
    return {"t": r.statistic, "df": r.df, "p": r.p_value, "ci": [r.absolute.low, r.absolute.high]}


def noninferiority(x: Inputs) -> Inputs:
    r = compared(x, alpha=1 - x["level"], alternative="greater", reference="normal")
    return {"difference": r.difference, "lower": r.absolute.low}


def noninferiority_size(x: Inputs) -> Inputs:
    design = Design(alpha=x["alpha"], power=1 - x["beta"], alternative="greater", distribution="normal")
    return {"n_total": exact_units(Baseline(0.0, x["sd"] ** 2), design, difference=x["delta"] - x["margin"])}


def sequence_bound(x: Inputs) -> Inputs:
    r = compare_arms_always_valid(
        arm(x["control"]),
        arm(x["treatment"]),
        planned_units=x["tuning"],
        alpha=x["alpha"],
        alternative="greater",
    )
    assert isinstance(r, Comparison)
    return {"bound": r.absolute.low}


def normal_mixture(x: Inputs) -> Inputs:
    rho2 = tuning_variance(x["v_opt"], x["alpha_opt"])
    return {
        "best_rho": 1 / rho2,
        "log_mixture": sequence_log_evidence(x["s"] / math.sqrt(x["v"]), x["v"], rho2),
        "bound": sequence_critical(x["v"], rho2, x["alpha"]) * math.sqrt(x["v"]),
    }


def sequential_split(x: Inputs) -> Inputs:
    rng = np.random.RandomState(x["seed"])
    rows = rng.multinomial(1, x["theta"], size=x["size"]).cumsum(axis=0)
    p, stop = 1.0, 0
    for n, counts in enumerate(rows.tolist(), start=1):
        p = min(p, math.exp(-split_log_evidence(counts, x["theta0"], x["k"])))
        if p <= x["alpha"]:
            stop = n
            break
    return {"n_stop": stop, "p": p, "estimate": (rows[stop - 1] / stop).tolist()}


def adjusted(method: str) -> Callable[[Inputs], Inputs]:
    return lambda x: {"p_adj": list(adjust_p_values(x["p"], method))}  # type: ignore[arg-type]


def adjusted_by_three(x: Inputs) -> Inputs:
    methods = ("holm", "bh", "by")
    return {m: sorted(float(p) for p in adjust_p_values(x["p"], m))[:4] for m in methods}  # type: ignore[arg-type]


def paule_mandel(x: Inputs) -> Inputs:
    r = fit_random_effects(x["y"], x["v"])
    assert isinstance(r, RandomEffects)
    return {"mean": r.mean, "se": r.se, "tau2": r.tau2, "Q": r.q}


def power_of_t(x: Inputs) -> Inputs:
    baseline, design = Baseline(0.0, x["sd"] ** 2), Design(alpha=x["alpha"])
    return {"power": power_for_difference(baseline, design, units=2 * x["n"], difference=x["delta"])}


def power_of_normal(x: Inputs) -> Inputs:
    design = Design(alpha=x["alpha"], distribution="normal")
    return {"power": power_for_difference(Baseline(0.0, 1.0), design, units=2 * x["n"], difference=x["d"])}


def power_of_rates(x: Inputs) -> Inputs:
    alpha = x["alpha"]
    n = exact_units(rate_baseline(0.5), Design(alpha=alpha, power=0.9), difference=0.25)
    one_sided = Design(alpha=alpha, power=0.85, alternative="greater")
    n2 = exact_units(rate_baseline(0.15), one_sided, difference=0.15)
    assert isinstance(n, float)
    assert isinstance(n2, float)
    power = power_for_difference(rate_baseline(0.5), Design(alpha=alpha), units=100, difference=0.25)
    return {"power": power, "n": n / 2, "n2": n2 / 2}


def power_of_rates_unequal(x: Inputs) -> Inputs:
    ratio = x["ratio"]
    design = Design(alpha=x["alpha"], treatment_share=1 / (1 + ratio), control_share=ratio / (1 + ratio))
    units = x["n"] * (1 + ratio)
    return {"power": power_for_difference(rate_baseline(x["p2"]), design, units=units, difference=x["diff"])}


def size_of_rates(x: Inputs) -> Inputs:
    design = Design(alpha=x["alpha"], power=x["power"])
    return {"n_total": exact_units(rate_baseline(x["p"]), design, difference=x["mde"])}


def size_of_means(x: Inputs) -> Inputs:
    design = Design(alpha=x["alpha"], power=x["power"])
    return {"n_total": exact_units(Baseline(0.0, x["var"]), design, difference=x["mde"])}


def power_relative(x: Inputs) -> Inputs:
    design = Design(alpha=x["alpha"], alternative=x["alternative"])
    baseline, effect = Baseline(x["mean"], x["var"]), x["mean"] * x["rel_effect"]
    return {"power": power_for_difference(baseline, design, units=x["n_total"], difference=effect)}


def smallest_effect(x: Inputs) -> Inputs:
    baseline, design = Baseline(x["mean"], x["var"]), Design(alpha=x["alpha"], power=x["power"])
    return {
        "mde": detectable_difference(baseline, design, units=x["n_total"]),
        "rel_mde": detectable_lift(baseline, design, units=x["n_total"]),
    }


ADAPTERS: dict[str, Callable[[Inputs], Inputs]] = {
    "welch-abs-gb1": welch,
    "welch-abs-onesided-greater-gb": welch,
    "welch-R-sleep": welch_sleep,
    "tt-power": power_relative,
    "tt-mde": smallest_effect,
    "ni-z-spotify-increase": noninferiority,
    "ni-n-rpact": noninferiority_size,
    "asympcs-onesided-abs-lower-gb": sequence_bound,
    "cs-normal-mixture-2s": normal_mixture,
    "srm-sequential-savvi": sequential_split,
    "power-t-R": power_of_t,
    "power-prop-R": power_of_rates,
    "power-prop-stata-2to1": power_of_rates_unequal,
    "power-z-pwr": power_of_normal,
    "power-gpower-prop-1": size_of_rates,
    "power-gpower-mean": size_of_means,
    "mt-holm-bh1995": adjusted("holm"),
    "mt-hochberg-bh1995": adjusted("hochberg"),
    "mt-bh-bh1995": adjusted("bh"),
    "mt-multtest-sm": adjusted_by_three,
    "mt-by-tt": adjusted("by"),
    "mt-holm-sidak-tt": adjusted("holm_sidak"),
    "het-paule-mandel": paule_mandel,
    **case_designs.ADAPTERS,
    **case_estimates.ADAPTERS,
}


def assert_close(found: Any, wanted: Any, tolerance: Inputs, where: str) -> None:
    if isinstance(wanted, dict):
        assert set(found) == set(wanted), where
        for key, value in wanted.items():
            assert_close(found[key], value, tolerance, f"{where}.{key}")
    elif isinstance(wanted, list):
        assert len(found) == len(wanted), where
        for i, value in enumerate(wanted):
            assert_close(found[i], value, tolerance, f"{where}[{i}]")
    else:
        number = float(wanted)  # "inf" is written as a string
        relative, absolute = tolerance.get("rel", 0.0), tolerance.get("abs", 0.0)
        assert found == pytest.approx(number, rel=relative, abs=absolute), where


@pytest.mark.skipif(not CASES, reason=f"the shared reference cases are not here: {FILE}")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_case_matches_its_outside_source(case: dict[str, Any]) -> None:
    adapter = ADAPTERS.get(case["id"])
    if adapter is None:
        pytest.skip(f"issue 3 builds this method: {case['method']}")
    assert_close(adapter(case["inputs"]), case["expected"], case["tolerance"], case["id"])


def test_every_adapter_belongs_to_a_case() -> None:
    if CASES:
        assert set(ADAPTERS) <= {case["id"] for case in CASES}
