"""Adapters from reference cases to designs over time, watched splits and customer value."""

import csv
import gzip
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from analysis.stats.group_sequential import (
    Boundary,
    equal_looks,
    obrien_fleming_boundary,
    pocock_boundary,
    spend_boundary,
)
from analysis.stats.group_sequential_design import characterise_plan
from analysis.stats.mixtures import best_beta_binomial_mixture, best_normal_mixture, rate_sequence
from analysis.stats.power import Baseline, Design, exact_units
from analysis.stats.purchase_value import GammaGamma
from analysis.stats.repeat_purchases import BgNbd, BgNbdFit, fit_bg_nbd
from analysis.stats.split_watch import SplitWatch, TwoArmSplit, compare_two_arm_split, watch_split
from analysis.stats.srm import SplitCount
from tests.paths import SHARED

Inputs = dict[str, Any]
CDNOW = SHARED / "data" / "cdnow_summary_1_10.csv.gz"


def obrien_fleming(x: Inputs) -> Inputs:
    return {"z": list(obrien_fleming_boundary(x["K"], x["alpha"]).critical)}


def pocock(x: Inputs) -> Inputs:
    return {"z": pocock_boundary(x["K"], x["alpha"]).critical[-1]}


def spending_obrien_fleming(x: Inputs) -> Inputs:
    return {"z": list(spend_boundary(equal_looks(x["K"]), x["alpha"]).critical)}


def spending_pocock(x: Inputs) -> Inputs:
    return {"z": list(spend_boundary(equal_looks(x["K"]), x["alpha"], spending="pocock").critical)}


def spending_kim_demets(x: Inputs) -> Inputs:
    found = spend_boundary(x["t"], x["alpha"], spending="kim_demets", power=x["rho"])
    return {"z": list(found.critical)}


def inflation_obrien_fleming(x: Inputs) -> Inputs:
    boundary = obrien_fleming_boundary(x["K"], x["alpha"])
    return {"R": characterise_plan(boundary, 1.0 - x["beta"]).inflation}


def one_sided_spending(x: Inputs) -> Boundary:
    return spend_boundary(equal_looks(x["K"]), x["alpha"], alternative="greater")


def inflation_spending(x: Inputs) -> Inputs:
    found = characterise_plan(one_sided_spending(x), 1.0 - x["beta"])
    return {"R": found.inflation, "asn1": found.expected_under_effect}


def size_with_looks(x: Inputs) -> Inputs:
    design = Design(alpha=x["alpha"], power=1.0 - x["beta"], alternative="greater")
    with_looks = Design(
        alpha=x["alpha"], power=1.0 - x["beta"], alternative="greater", looks=equal_looks(x["K"])
    )
    baseline = Baseline(0.0, x["sd"] ** 2)
    fixed = exact_units(baseline, design, difference=x["delta"])
    largest = exact_units(baseline, with_looks, difference=x["delta"])
    assert isinstance(fixed, float)
    expected = characterise_plan(one_sided_spending(x), 1.0 - x["beta"]).expected_under_effect
    return {"n_fixed": fixed, "n_max": largest, "en_h1": fixed * expected}


def normal_mixture(x: Inputs) -> Inputs:
    mixture = best_normal_mixture(x["v_opt"], x["alpha_opt"])
    return {
        "best_rho": mixture.rho,
        "log_mixture": mixture.log_evidence(x["s"], x["v"]),
        "bound": mixture.bound(x["v"], x["alpha"]),
    }


def beta_binomial(x: Inputs) -> Inputs:
    mixture = best_beta_binomial_mixture(x["v_opt"], x["alpha_opt"], x["g"], x["h"])
    return {"bound": mixture.bound(x["v"], x["alpha"])}


def bernoulli_sequence(x: Inputs) -> Inputs:
    found = rate_sequence(x["successes"], x["n"], alpha=x["alpha"], tightest_at=x["t_opt"])
    return {"ci": [found.low, found.high]}  # type: ignore[union-attr]


def watched_split(x: Inputs) -> Inputs:
    rng = np.random.RandomState(x["seed"])
    counts = rng.multinomial(1, x["theta"], size=x["size"]).cumsum(axis=0)
    found = watch_split(counts, x["theta0"], alpha=x["alpha"], strength=x["k"])
    assert isinstance(found, SplitWatch)
    assert found.alert_at is not None
    return {
        "n_stop": found.alert_at + 1,
        "p": found.p_values[found.alert_at],
        "estimate": list(found.shares),
    }


def two_arm_split(x: Inputs) -> Inputs:
    found = compare_two_arm_split(SplitCount(tuple(x["counts"]), tuple(x["weights"])))
    assert isinstance(found, TwoArmSplit)
    return {"binom": found.exact, "norm_corr": found.normal_corrected, "norm": found.normal}


def bg_nbd(x: Inputs) -> BgNbd:
    return BgNbd(x["r"], x["alpha"], x["a"], x["b"])


def purchases_ahead(x: Inputs) -> Inputs:
    return {"E": bg_nbd(x).expected_purchases(x["x"], x["t_x"], x["T"], ahead=x["t"])}


def purchase_counts(x: Inputs) -> Inputs:
    return {"p0_39": bg_nbd(x).chance_of_count(0, 39.0), "p10_2": bg_nbd(x).chance_of_count(10, 2.0)}


def spend_expected(x: Inputs) -> Inputs:
    model = GammaGamma(x["p"], x["q"], x["v"])
    return {"E": [model.expected_spend(f, m) for f, m in zip(x["frequency"], x["monetary"], strict=True)]}


def cdnow_fit(x: Inputs) -> Inputs:
    if not CDNOW.exists():
        pytest.skip(f"the shared data are not here: {CDNOW}")
    with gzip.open(CDNOW, "rt") as file:
        rows = [[float(row[name]) for name in ("frequency", "recency", "T")] for row in csv.DictReader(file)]
    found = fit_bg_nbd(*zip(*rows, strict=True))
    assert isinstance(found, BgNbdFit)
    m = found.model
    return {"params": [m.r, m.alpha, m.a, m.b], "loglik": found.log_likelihood}


ADAPTERS: dict[str, Callable[[Inputs], Inputs]] = {
    "gs-obf-k2": obrien_fleming,
    "gs-obf-k3": obrien_fleming,
    "gs-obf-k5": obrien_fleming,
    "gs-pocock-k2": pocock,
    "gs-pocock-k4": pocock,
    "gs-pocock-k5": pocock,
    "gs-ldof-k3": spending_obrien_fleming,
    "gs-ldof-k5": spending_obrien_fleming,
    "gs-ldp-k5": spending_pocock,
    "gs-kimdemets-1": spending_kim_demets,
    "gs-kimdemets-3": spending_kim_demets,
    "gs-inflation-obf5": inflation_obrien_fleming,
    "gs-inflation-ldof4-1s": inflation_spending,
    "gs-ss-means": size_with_looks,
    "cs-normal-mixture-2s": normal_mixture,
    "cs-beta-binomial-2s": beta_binomial,
    "cs-bernoulli-700": bernoulli_sequence,
    "srm-sequential-savvi": watched_split,
    "srm-binom-tt": two_arm_split,
    "ltv-bgnbd-cond": purchases_ahead,
    "ltv-bgnbd-pmf": purchase_counts,
    "ltv-gamma-gamma": spend_expected,
    "ltv-bgnbd-fit": cdnow_fit,
}
