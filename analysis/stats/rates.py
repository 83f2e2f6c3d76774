"""Tests and intervals of two rates by their published names, for small counts and for cross-checks."""

import math
from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats
from statsmodels.stats.proportion import confint_proportions_2indep

from analysis.stats.compare import tail_probability
from analysis.stats.estimable import Alternative, Interval, NotEstimable, check_share
from analysis.stats.rate_score import RateCount, score_interval, score_statistic

RateTest = Literal["fisher", "boschloo", "pearson", "pearson_yates", "g", "g_yates", "score"]
DifferenceMethod = Literal["wald", "agresti_caffo", "newcombe", "score"]
RatioMethod = Literal["log", "log_adjusted", "score"]

ALTERNATIVES: tuple[Alternative, ...] = ("two-sided", "greater", "less")


def check_rates(
    control: RateCount, treatment: RateCount, test: RateTest, alternative: Alternative = "two-sided"
) -> float | NotEstimable:
    """p-value of "both rates are equal".

    fisher: conditional exact; boschloo: unconditional exact, more powerful (p from below, by maximising over
    the common rate); pearson, g: chi-squared and likelihood ratio, with Yates' correction on request; score:
    Miettinen-Nurminen, which its interval inverts.  alternative: of treatment minus control.
    Raises ValueError for an unknown test or alternative.
    Source: Fisher 1935; Boschloo 1970; Pearson 1900; Yates 1934; Woolf 1957; Miettinen & Nurminen 1985.
    """
    if alternative not in ALTERNATIVES:
        raise ValueError(f"alternative must be one of {', '.join(ALTERNATIVES)}, not {alternative!r}")
    if test not in _TESTS:
        raise ValueError(f"unknown test {test!r}; choose one of {', '.join(_TESTS)}")
    total = control.conversions + treatment.conversions
    if total == 0 or total == control.n + treatment.n:
        return NotEstimable("the values do not vary in either arm")
    return _TESTS[test](control, treatment, alternative)


def _table(control: RateCount, treatment: RateCount) -> NDArray[np.int64]:
    """Treatment first: scipy's "greater" then means that treatment converts more."""
    return np.array([[arm.conversions, arm.n - arm.conversions] for arm in (treatment, control)])


def _fisher(control: RateCount, treatment: RateCount, alternative: Alternative) -> float:
    return float(stats.fisher_exact(_table(control, treatment), alternative=alternative).pvalue)


def _boschloo(control: RateCount, treatment: RateCount, alternative: Alternative) -> float:
    columns = _table(control, treatment).T  # scipy compares the columns
    return min(1.0, float(stats.boschloo_exact(columns, alternative=alternative).pvalue))


def _chi_squared(corrected: bool, likelihood: bool) -> Callable[[RateCount, RateCount, Alternative], float]:
    def test(control: RateCount, treatment: RateCount, alternative: Alternative) -> float:
        result = stats.chi2_contingency(
            _table(control, treatment),
            correction=corrected,
            lambda_="log-likelihood" if likelihood else "pearson",
        )
        chi2 = max(0.0, float(result.statistic))
        root = math.copysign(math.sqrt(chi2), treatment.rate - control.rate)
        return tail_probability(root, math.inf, alternative)

    return test


def _score(control: RateCount, treatment: RateCount, alternative: Alternative) -> float:
    statistic = score_statistic(control, treatment, scale="difference", value=0.0)
    return tail_probability(statistic, math.inf, alternative)


_TESTS: dict[RateTest, Callable[[RateCount, RateCount, Alternative], float]] = {
    "fisher": _fisher,
    "boschloo": _boschloo,
    "pearson": _chi_squared(corrected=False, likelihood=False),
    "pearson_yates": _chi_squared(corrected=True, likelihood=False),
    "g": _chi_squared(corrected=False, likelihood=True),
    "g_yates": _chi_squared(corrected=True, likelihood=True),
    "score": _score,
}


def bound_difference(
    control: RateCount, treatment: RateCount, method: DifferenceMethod, alpha: float = 0.05
) -> Interval:
    """Interval of p1 - p0, level 1 - alpha.

    wald: textbook, collapses at 0 and n conversions; agresti_caffo: two successes and failures added;
    newcombe: from two Wilson intervals; score: Miettinen-Nurminen, the default for small counts.
    Raises ValueError for an unknown method or a wrong alpha.
    Source: Agresti & Caffo 2000; Newcombe 1998 (method 10); Miettinen & Nurminen 1985.
    """
    check_share(alpha, "alpha")
    if method not in ("wald", "agresti_caffo", "newcombe", "score"):
        raise ValueError(f"unknown method {method!r}")
    if method == "score":
        return score_interval(control, treatment, -float(special.ndtri(alpha / 2.0)))
    low, high = _published(control, treatment, method.replace("_", "-"), "diff", alpha)
    return Interval(max(-1.0, low), min(1.0, high))


def bound_ratio(
    control: RateCount, treatment: RateCount, method: RatioMethod, alpha: float = 0.05
) -> Interval | NotEstimable:
    """Interval of p1 / p0, level 1 - alpha.

    log: Katz; log_adjusted: half a conversion added to each arm (Walter); score: Miettinen-Nurminen, bounded
    whenever control has conversions.  Raises ValueError for an unknown method or a wrong alpha.
    Source: Katz et al. 1978; Walter 1975; Koopman 1984; Fagerland, Lydersen & Laake 2015.
    """
    check_share(alpha, "alpha")
    if method not in ("log", "log_adjusted", "score"):
        raise ValueError(f"unknown method {method!r}")
    if method == "score":
        if control.conversions == 0:
            return NotEstimable("control has no conversions, so the ratio has no upper bound")
        return score_interval(control, treatment, -float(special.ndtri(alpha / 2.0)), scale="ratio")
    if method == "log" and 0 in (control.conversions, treatment.conversions):
        return NotEstimable("an arm has no conversions, so the logarithm of the ratio is not finite")
    return Interval(*_published(control, treatment, method.replace("_", "-"), "ratio", alpha))


def bound_odds_ratio(
    control: RateCount, treatment: RateCount, alpha: float = 0.05
) -> Interval | NotEstimable:
    """Woolf's interval of the odds ratio: ln OR -+ z sqrt(1/a + 1/b + 1/c + 1/d), level 1 - alpha.

    Raises ValueError for a wrong alpha.  Source: Woolf, Annals of Human Genetics 1955.
    """
    check_share(alpha, "alpha")
    if bool((_table(control, treatment) == 0).any()):
        return NotEstimable("a cell of the table is empty, so the odds ratio is 0 or infinite")
    return Interval(*_published(control, treatment, "logit", "odds-ratio", alpha))


def _published(
    control: RateCount, treatment: RateCount, method: str, compare: str, alpha: float
) -> tuple[float, float]:
    low, high = confint_proportions_2indep(
        treatment.conversions, treatment.n, control.conversions, control.n,
        method="newcomb" if method == "newcombe" else method, compare=compare, alpha=alpha,
    )  # fmt: skip
    return float(low), float(high)
