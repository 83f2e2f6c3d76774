"""Time every statistic of one large experiment, from moments: 4 arms x 20 metrics x 50 segments on one core.

Run: python benchmarks/stats_speed.py
"""

import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from analysis.stats.always_valid import compare_arms_always_valid
from analysis.stats.arms import estimate_mean
from analysis.stats.guardrails import check_guardrail
from analysis.stats.moments import Moments, merge_moments, moments_from_summary
from analysis.stats.segments import SegmentInput, analyse_segments

ARMS, METRICS, SEGMENTS = 4, 20, 50


def make_moments(rng: np.random.Generator) -> list[list[list[Moments]]]:
    """Moments by metric, arm and segment."""
    return [
        [
            [
                moments_from_summary(2_000, [float(rng.normal(10, 0.2))], [[float(rng.uniform(50, 100))]])
                for _ in range(SEGMENTS)
            ]
            for _ in range(ARMS)
        ]
        for _ in range(METRICS)
    ]


def analyse(table: list[list[list[Moments]]]) -> int:
    """Compare everything there is; return how many comparisons were made."""
    done = 0
    for metric in table:
        totals = [merge_moments(arm) for arm in metric]
        for arm in range(1, ARMS):
            pair = estimate_mean(totals[0]), estimate_mean(totals[arm])
            compare_arms_always_valid(*pair, planned_units=200_000)
            check_guardrail(*pair, margin=0.02, direction="increase", planned_units=200_000)
            inputs = []
            for segment in range(SEGMENTS):
                inside = estimate_mean(metric[0][segment]), estimate_mean(metric[arm][segment])
                outside = (
                    estimate_mean(totals[0] - metric[0][segment]),
                    estimate_mean(totals[arm] - metric[arm][segment]),
                )
                inputs.append(
                    SegmentInput(
                        str(segment),
                        compare_arms_always_valid(*inside, planned_units=4_000),
                        compare_arms_always_valid(*outside, planned_units=196_000),
                    )
                )
                done += 2
            analyse_segments(inputs, disjoint=True)
            done += 2
    return done


def main() -> None:
    """Print the best of five runs."""
    table = make_moments(np.random.default_rng(1))
    times = []
    for _ in range(5):
        start = time.perf_counter()
        done = analyse(table)
        times.append(time.perf_counter() - start)
    print(
        f"{done:,} comparisons of {ARMS} arms x {METRICS} metrics x {SEGMENTS} segments: {1000 * min(times):.0f} ms"
    )


if __name__ == "__main__":
    main()
