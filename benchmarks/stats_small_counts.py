"""Error rate and coverage of two small rates, exactly: every pair of counts weighted by its probability.

Run: python benchmarks/stats_small_counts.py
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scipy import stats

from analysis.stats.arms import ArmEstimate, estimate_rate
from analysis.stats.compare import Comparison, compare_arms
from analysis.stats.estimable import NotEstimable
from analysis.stats.moments import moments_from_sums
from analysis.stats.small_counts import compare_rates

SETTINGS = [(40, 0.03, 0.03), (40, 0.10, 0.10), (40, 0.05, 0.20), (200, 0.01, 0.01), (200, 0.01, 0.05)]


def rate_arm(n: int, ones: int) -> ArmEstimate | NotEstimable:
    """An arm with `ones` conversions among n units."""
    return estimate_rate(moments_from_sums(n, [float(ones)], [[float(ones)]]))


def measure(n: int, p0: float, p1: float) -> dict[str, tuple[float, float]]:
    """Return (share of p < 0.05, coverage of the shown 95 % interval) by method."""
    totals = {"welch": [0.0, 0.0], "rule": [0.0, 0.0]}
    shown = {"welch": 0.0, "rule": 0.0}
    for k0 in range(n + 1):
        for k1 in range(n + 1):
            weight = float(stats.binom.pmf(k0, n, p0) * stats.binom.pmf(k1, n, p1))
            if weight < 1e-6:
                continue
            arms = rate_arm(n, k0), rate_arm(n, k1)
            for name, compare in (("welch", compare_arms), ("rule", compare_rates)):
                found = compare(*arms)
                if isinstance(found, Comparison):
                    shown[name] += weight
                    totals[name][0] += weight * (found.p_value < 0.05)
                    totals[name][1] += weight * (not found.absolute.excludes(p1 - p0))
    return {name: (significant, held / shown[name]) for name, (significant, held) in totals.items()}


def main() -> None:
    """Print one line per setting."""
    print("units an arm, rates | significant: Welch, rule | coverage: Welch, rule")
    for n, p0, p1 in SETTINGS:
        found = measure(n, p0, p1)
        (welch, welch_held), (rule, rule_held) = found["welch"], found["rule"]
        print(
            f"{n}, {100 * p0:g} % and {100 * p1:g} % | {100 * welch:.1f} %, {100 * rule:.1f} % | "
            f"{100 * welch_held:.1f} %, {100 * rule_held:.1f} %"
        )


if __name__ == "__main__":
    main()
