"""Measure what docs/statistics.md prints: coverage and false positives of several lift intervals.

Run: python benchmarks/stats_coverage.py (about a minute). Seeded; prints two Markdown tables.
"""

import math
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from analysis.stats.always_valid import (
    MINIMUM_CONVERSIONS,
    MINIMUM_UNITS,
    sequence_critical,
    tuning_variance,
)
from analysis.stats.arms import ArmEstimate
from analysis.stats.compare import Lift, compare_arms
from analysis.stats.estimable import NotEstimable

Array = NDArray[np.float64]
RUNS = 20_000
Z = 1.959963984540054

# name, values per unit as (mean of one unit, draw of the arm's mean and variance), units an arm, true lift
SETTINGS = [
    ("rate 1 %, 2 × 5,000", "rate", 0.01, 5_000, 0.2),
    ("rate 5 %, 2 × 2,000", "rate", 0.05, 2_000, 0.0),
    ("rate 5 %, 2 × 2,000", "rate", 0.05, 2_000, 0.2),
    ("rate 5 %, 2 × 2,000", "rate", 0.05, 2_000, 1.0),
    ("rate 30 %, 2 × 500", "rate", 0.30, 500, 1.0),
    ("exponential, 2 × 200", "exponential", 3.0, 200, 0.2),
    ("exponential, 2 × 200", "exponential", 3.0, 200, 1.0),
]


def draw(rng: np.random.Generator, kind: str, mean: float, n: int) -> tuple[Array, Array]:
    """Means and squared standard errors of RUNS arms."""
    if kind == "rate":
        p = rng.binomial(n, mean, RUNS) / n
        return p, p * (1 - p) / (n - 1)
    means, se2 = [], []
    for _ in range(RUNS // 1_000):
        x = rng.exponential(mean, (1_000, n))
        means.append(x.mean(axis=1))
        se2.append(x.var(axis=1, ddof=1) / n)
    return np.concatenate(means), np.concatenate(se2)


def cover(
    kind: str, mean: float, n: int, lift: float, rng: np.random.Generator
) -> tuple[float, float, float, float, float]:
    """Coverage of Fieller, delta, baseline-as-constant; then the delta's misses below and above."""
    m0, b = draw(rng, kind, mean, n)
    m1, a = draw(rng, kind, mean * (1 + lift), n)
    fieller = known = 0
    for row in zip(m0.tolist(), b.tolist(), m1.tolist(), a.tolist(), strict=True):
        control, treatment = ArmEstimate(n, row[0], row[1], n - 1.0), ArmEstimate(n, row[2], row[3], n - 1.0)
        result = compare_arms(control, treatment)
        if isinstance(result, NotEstimable) or not isinstance(result.relative, Lift):
            continue
        known += 1
        fieller += not result.relative.interval.excludes(lift)
    estimate = m1 / m0 - 1
    delta = Z * np.sqrt(a / m0**2 + m1**2 * b / m0**4)
    constant = Z * np.sqrt(a + b) / m0
    return (
        fieller / known,
        float((np.abs(estimate - lift) <= delta).mean()),
        float((np.abs(estimate - lift) <= constant).mean()),
        float((estimate - delta > lift).mean()),
        float((estimate + delta < lift).mean()),
    )


def peek(rate: float, n: int, looks: int, rng: np.random.Generator) -> tuple[float, float, float]:
    """Share of A/A tests that ever exclude 0: product rule, sequence on the delta-method lift, repeated Welch."""
    runs = 4_000
    ends = np.unique(np.geomspace(50, n, looks).astype(int))
    rho2 = tuning_variance(2.0 * n, 0.05)
    safe, unsafe, naive = (np.zeros(runs, dtype=bool) for _ in range(3))
    c0, c1, previous = np.zeros(runs), np.zeros(runs), 0
    for end in ends.tolist():
        c0 = c0 + rng.binomial(end - previous, rate, runs)
        c1 = c1 + rng.binomial(end - previous, rate, runs)
        previous = end
        p0, p1 = c0 / end, c1 / end
        a, b = p1 * (1 - p1) / (end - 1), p0 * (1 - p0) / (end - 1)
        critical = sequence_critical(2.0 * end, rho2, 0.05)
        started = (np.minimum(c0, c1) >= MINIMUM_CONVERSIONS) & (end >= MINIMUM_UNITS)
        safe |= started & (np.abs(p1 - p0) > critical * np.sqrt(a + b))
        naive |= np.abs(p1 - p0) > Z * np.sqrt(a + b)
        with np.errstate(divide="ignore", invalid="ignore"):
            delta = np.sqrt(a / p0**2 + p1**2 * b / p0**4)
            unsafe |= np.abs(p1 / p0 - 1) > critical * delta
    return float(safe.mean()), float(unsafe.mean()), float(naive.mean())


def main() -> None:
    """Print both tables."""
    rng = np.random.default_rng(20_260)
    error = 100 * math.sqrt(0.05 * 0.95 / RUNS)
    print(
        f"Coverage of 95 % intervals for the lift, {RUNS:,} tests each (simulation error ± {2 * error:.1f}):\n"
    )
    print(
        "| metric and size | true lift | Fieller (ours) | delta method | delta above / below | baseline constant |"
    )
    print("|---|---|---|---|---|---|")
    for name, kind, mean, n, lift in SETTINGS:
        f, d, c, above, below = (100 * x for x in cover(kind, mean, n, lift, rng))
        print(
            f"| {name} | +{100 * lift:.0f} % | {f:.1f} % | {d:.1f} % | {above:.1f} / {below:.1f} | {c:.1f} % |"
        )
    print("\nA/A tests that *ever* exclude 0 over 120 looks from 2 × 50 units on, 4,000 tests each:\n")
    print(
        "| metric | last look | always-valid (ours) | sequence on the delta-method lift | Welch at every look |"
    )
    print("|---|---|---|---|---|")
    for rate, n in ((0.5, 6_000), (0.05, 10_000), (0.01, 50_000)):
        s, u, w = (100 * x for x in peek(rate, n, 120, rng))
        print(f"| rate {100 * rate:.0f} % | 2 × {n:,} | {s:.1f} % | {u:.1f} % | {w:.1f} % |")


if __name__ == "__main__":
    main()
