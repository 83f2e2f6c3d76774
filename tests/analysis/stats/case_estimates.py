"""Adapters from reference/cases.json to the estimates from data: small counts, quantiles, Bayes, regressions."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import statsmodels

from analysis.stats.arms import estimate_ratio
from analysis.stats.bayes import expected_losses
from analysis.stats.bayes_rates import BetaBelief, chance_to_win, compare_rates_bayes, expected_excess
from analysis.stats.clusters import fit_clustered
from analysis.stats.compare import Comparison, Lift, compare_arms
from analysis.stats.dunnett import ManyToOne, compare_with_control
from analysis.stats.equivalence import Equivalence, check_rate_in_range
from analysis.stats.estimable import Interval, NotEstimable
from analysis.stats.factorial import FactorialEffect, fit_factorial
from analysis.stats.mantel_haenszel import MantelHaenszel, combine_strata
from analysis.stats.moments import moments_from_summary
from analysis.stats.noninferiority import units_for_rates_margin
from analysis.stats.pooled import compare_arms_pooled, log_lift
from analysis.stats.power import Design
from analysis.stats.quantiles import QuantileBounds, estimate_quantile
from analysis.stats.rate_score import RateCount
from analysis.stats.rates import RateTest, bound_difference, bound_odds_ratio, bound_ratio, check_rates
from tests.analysis.stats.makers import values_arm

Inputs = dict[str, Any]


def pair_of_counts(x: Inputs) -> tuple[RateCount, RateCount]:
    return RateCount(*x["control"]), RateCount(*x["treatment"])


def rate_tests(**names: tuple[RateTest, str]) -> Callable[[Inputs], Inputs]:
    return lambda x: {
        key: check_rates(*pair_of_counts(x), test, alternative)  # type: ignore[arg-type]
        for key, (test, alternative) in names.items()
    }


def interval_of(bound: Callable[..., Interval | NotEstimable], *method: str) -> Callable[[Inputs], Inputs]:
    def adapter(x: Inputs) -> Inputs:
        found = bound(*pair_of_counts(x), *method, alpha=x["alpha"])
        assert isinstance(found, Interval)
        return {"ci": [found.low, found.high]}

    return adapter


def ratio_of_totals(x: Inputs) -> Inputs:
    arms = []
    for name in ("control", "treatment"):
        arm, top, bottom = x[name], x["numerator"], x["denominator"]
        shared = arm["cov"][f"{top}|{bottom}"]
        table = [[arm["var"][top], shared], [shared, arm["var"][bottom]]]
        means = [arm["mean"][top], arm["mean"][bottom]]
        arms.append(estimate_ratio(moments_from_summary(arm["n"], means, table)))
    r = compare_arms_pooled(*arms, alternative=x["alternative"])
    lift = log_lift(*arms, alternative=x["alternative"], equal_variance=x["equal_var"])
    assert isinstance(r, Comparison)
    assert isinstance(lift, Lift)
    return {
        "control": r.control.mean,
        "treatment": r.treatment.mean,
        "effect": r.difference,
        "ci": [r.absolute.low, r.absolute.high],
        "rel": lift.value,
        "rel_ci": [lift.interval.low, lift.interval.high],
        "p": r.p_value,
        "statistic": r.statistic,
    }


def equivalence_of_a_rate(x: Inputs) -> Inputs:
    r = check_rate_in_range(RateCount(x["count"], x["n"]), Interval(x["low"], x["upp"]))
    assert isinstance(r, Equivalence)
    return {"z_low": r.low, "z_upp": r.high, "ci90": [r.interval.low, r.interval.high]}


def farrington_manning(x: Inputs) -> Inputs:
    design = Design(alpha=x["alpha"], power=1.0 - x["beta"], alternative="greater")
    n = units_for_rates_margin(x["p2"], x["p1"], design, value=x["delta0"], scale=x["scale"])
    return {"n": n}


def normal_risk(x: Inputs) -> Inputs:
    return {"risk": list(expected_losses(x["mu"], x["sigma"]))}


def quantile_difference(x: Inputs) -> Inputs:
    arms = []
    for key in ("c", "t"):
        bounds = QuantileBounds(x[f"n_{key}"], x["nu"], x[f"q_{key}"], x[f"lo_{key}"], x[f"up_{key}"])
        arms.append(estimate_quantile(bounds, units=x[f"n_{key}"]))
    r = compare_arms(*arms, reference="normal")
    assert isinstance(r, Comparison)
    return {"expected": r.difference, "ci": [r.absolute.low, r.absolute.high]}


def chance_of_four(x: Inputs) -> Inputs:
    a, b, c, d = x["args"] if "args" in x else (x[key] for key in ("alpha_A", "beta_A", "alpha_B", "beta_B"))
    return {"p": chance_to_win(BetaBelief(a, b), BetaBelief(c, d))}


def beta_losses(x: Inputs) -> Inputs:
    a, b = BetaBelief(*x["A"]), BetaBelief(*x["B"])
    return {
        "loss_A": expected_excess(a, b),
        "loss_B": expected_excess(b, a),
        "prob_A": chance_to_win(b, a),
        "prob_B": chance_to_win(a, b),
    }


def uniform_prior(x: Inputs) -> Inputs:
    r = compare_rates_bayes(*pair_of_counts(x))
    return {
        "p": r.chance_to_win,
        "gain_2": r.loss_of_control,
        "loss_2": -r.loss_of_treatment,
        "difference": r.difference,
    }


def dunnett(x: Inputs) -> Inputs:
    found = compare_with_control(
        values_arm(x["control"]), [values_arm(x["a"]), values_arm(x["b"])], variance="pooled"
    )
    a, b = (r for r in found if isinstance(r, ManyToOne))
    return {
        "t": [a.statistic, b.statistic],
        "p": [a.p_adjusted, b.p_adjusted],
        "ci_a": [a.interval.low, a.interval.high],
        "ci_b": [b.interval.low, b.interval.high],
    }


def admissions(x: Inputs) -> Inputs:
    """Tables by row: R's UCBAdmissions, one department per row; which margin is the arm does not change the test."""
    r = combine_strata([(RateCount(a, a + b), RateCount(c, c + d)) for a, b, c, d in x["tables"]])
    assert isinstance(r, MantelHaenszel)
    return {"chi2": r.chi2, "p": r.p_value}


# R datasets::npk (Venables & Ripley 2002): block, N, P, K, yield of peas in pounds per plot.
NPK = """1 0 1 1 49.5; 1 1 1 0 62.8; 1 0 0 0 46.8; 1 1 0 1 57.0; 2 1 0 0 59.8; 2 1 1 1 58.5; 2 0 0 1 55.5;
2 0 1 0 56.0; 3 0 1 0 62.8; 3 1 1 1 55.8; 3 1 0 0 69.5; 3 0 0 1 55.0; 4 1 0 0 62.0; 4 1 1 1 48.8; 4 0 0 1 45.5;
4 0 1 0 44.2; 5 1 1 0 52.0; 5 0 0 0 51.5; 5 1 0 1 49.8; 5 0 1 1 48.8; 6 1 0 1 57.2; 6 1 1 0 59.0; 6 0 1 1 53.2;
6 0 0 0 56.0"""


def npk_rows() -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return np.array([[float(v) for v in row.split()] for row in NPK.replace("\n", " ").split(";")])


def peas(_: Inputs) -> Inputs:
    table = npk_rows()
    found = fit_factorial(
        table[:, 4], table[:, 1:4].astype(int), blocks=table[:, 0].astype(int), covariance="pooled"
    )
    effects = [effect for effect in found.values() if isinstance(effect, FactorialEffect)]
    return {"F": [effect.f for effect in effects], "p": [effect.p_value for effect in effects]}


def petersen(_: Inputs) -> Inputs:
    table = np.loadtxt(Path(statsmodels.__file__).parent / "stats" / "tests" / "test_data.txt")
    firm, year, x, y = table.T
    design = np.column_stack([np.ones(len(x)), x])
    groupings: Inputs = {
        "white": (None, None),
        "firm": (firm, None),
        "year": (year, None),
        "both": (firm, year),
    }
    errors = {}
    for name, (first, second) in groupings.items():
        found = fit_clustered(y, design, first, second=second, covariance="cr1")
        assert not isinstance(found, NotEstimable)
        errors[name] = [effect.se for effect in found]
    return errors


ADAPTERS: dict[str, Callable[[Inputs], Inputs]] = {
    "tt-ratio-delta": ratio_of_totals,
    "prop-fisher-tt": rate_tests(p=("fisher", "two-sided"), p_less=("fisher", "less")),
    "prop-pearson-tt": rate_tests(p=("pearson_yates", "two-sided")),
    "prop-g-tt": rate_tests(p=("g_yates", "two-sided"), p_nocorr=("g", "two-sided")),
    "prop-boschloo-tt": rate_tests(p=("boschloo", "two-sided")),
    "prop2-ci-wald-diff": interval_of(bound_difference, "wald"),
    "prop2-ci-agresti-caffo-diff": interval_of(bound_difference, "agresti_caffo"),
    "prop2-ci-score-diff": interval_of(bound_difference, "score"),
    "prop2-ci-log-ratio": interval_of(bound_ratio, "log"),
    "prop2-ci-log-adjusted-ratio": interval_of(bound_ratio, "log_adjusted"),
    "prop2-ci-logit-odds-ratio": interval_of(bound_odds_ratio),
    "tost-prop-SAS": equivalence_of_a_rate,
    "ni-n-farrington-manning-1": farrington_manning,
    "bayes-risk-gb": normal_risk,
    "quantile-p90-abs-gb": quantile_difference,
    "betabinom-ctb-10-50-60-250": chance_of_four,
    "betabinom-ctb-1000-900-1200-1000": chance_of_four,
    "betabinom-ctb-ft-1-2-3-4": chance_of_four,
    "betabinom-ctb-ft-55-50-30-30": chance_of_four,
    "betabinom-loss-cprior": beta_losses,
    "betabinom-spotify": uniform_prior,
    "mt-dunnett-1955": dunnett,
    "simpson-ucb-nocorr": admissions,
    "factorial-npk": peas,
    "cluster-petersen": petersen,
}
