"""p-values adjusted for a family of hypotheses declared in the plan."""

from collections.abc import Sequence
from typing import Literal

from statsmodels.stats.multitest import multipletests

from analysis.stats.estimable import NotEstimable

AdjustMethod = Literal["holm", "holm_sidak", "hochberg", "hommel", "bh", "by", "bonferroni"]

METHODS: dict[AdjustMethod, str] = {
    "holm": "holm",  # own code below: statsmodels collects garbage at every call, 50 ms each
    "holm_sidak": "holm-sidak",
    "hochberg": "simes-hochberg",
    "hommel": "hommel",
    "bh": "fdr_bh",
    "by": "fdr_by",
    "bonferroni": "bonferroni",
}


def adjust_p_values(
    p_values: Sequence[float | NotEstimable], method: AdjustMethod
) -> tuple[float | NotEstimable, ...]:
    """Adjust a family of p-values, in the given order; what is not estimable stays so and does not count.

    Holm for primary metrics x variants, BH for secondary metrics and for segments.
    Raises ValueError for an unknown method or a p-value outside 0..1.
    Source: Holm 1979; Hochberg 1988; Hommel 1988; Benjamini & Hochberg 1995; Benjamini & Yekutieli 2001.
    """
    if method not in METHODS:
        raise ValueError(f"unknown method {method!r}; choose one of {', '.join(METHODS)}")
    known = [p for p in p_values if not isinstance(p, NotEstimable)]
    if any(not 0.0 <= p <= 1.0 for p in known):
        raise ValueError("a p-value lies between 0 and 1")
    if not known:
        return tuple(p_values)
    values = _holm(known) if method == "holm" else multipletests(known, method=METHODS[method])[1].tolist()
    adjusted = iter(values)
    return tuple(p if isinstance(p, NotEstimable) else float(next(adjusted)) for p in p_values)


def _holm(p_values: Sequence[float]) -> list[float]:
    """Step down: the i-th smallest times (m - i), never below an earlier one, at most 1."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        largest = min(1.0, max(largest, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted
