"""The demo on a machine of its own: real people give the published numbers, and a second run changes nothing."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from analysis.codec import decode
from analysis.result import MetricResult, Result
from analysis.stats.compare import Comparison, Lift, fieller_interval
from analysis.stats.estimable import Interval
from config.embedded import hold
from tests.journey.homes import own_home
from tests.paths import REPO, SHARED
from tests.processes import bare_environment

REFERENCE = SHARED / "data" / "reference_results.json"
Z_975 = 1.959963984540054
METRICS = {"mdvis": "Doctor visits", "any_use": "Any use of care", "meddol": "Medical spending"}
# Our segments and the same people in the reference: (segments key, level).
LEVELS = {
    "women": ("sex", "female"),
    "men": ("sex", "male"),
    "children": ("age_band", "child_<18"),
    "adults-18-39": ("age_band", "18-39"),
    "adults-40": ("age_band", "40+"),
    "low-income": ("income_tercile", "low"),
    "high-income": ("income_tercile", "high"),
    "chronically-ill": ("chronic_band", "above_median"),
}
# What beat does by the clock while the demo runs is not the demo's doing.
BY_THE_CLOCK = ("segments_segmentrefresh", "segments_segmentmember")

pytestmark = pytest.mark.slow
needs_reference = pytest.mark.skipif(
    not REFERENCE.exists(), reason="the shared data folder is absent: nothing to compare with"
)


@dataclass(frozen=True)
class Walked:
    """What two runs in one home said, and what the database held after each."""

    said: tuple[str, str]
    rows: tuple[dict[str, int], dict[str, int]]
    results: dict[str, Result]


@pytest.fixture(scope="module")
def walked() -> Iterator[Walked]:
    with own_home() as home:
        servers = hold(home)
        try:
            first, after_first = walk(home), count_rows(servers.database_url)
            second, after_second = walk(home), count_rows(servers.database_url)
            yield Walked((first, second), (after_first, after_second), read_results(servers.database_url))
        finally:
            servers.release()


def walk(home: Path) -> str:
    """Run the demo as `make demo ARGS=--no-serve` does and return what it printed."""
    done = subprocess.run(
        [sys.executable, "manage.py", "demo", "--no-serve", "--no-progress"],
        cwd=REPO,
        env=bare_environment(STRATA_HOME=str(home)),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def count_rows(database_url: str) -> dict[str, int]:
    with psycopg.connect(database_url) as db:
        tables = db.execute(
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition"
            " AND relnamespace = 'public'::regnamespace"
        ).fetchall()
        return {
            name: db.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(name))).fetchone()[0]  # type: ignore[index]
            for (name,) in tables
        }


def read_results(database_url: str) -> dict[str, Result]:
    """Return the stored result of each experiment's last run."""
    with psycopg.connect(database_url) as db:
        rows = db.execute(
            "SELECT e.key, r.result FROM analysis_run r JOIN experiments_experiment e ON e.id = r.experiment_id"
            " ORDER BY r.id"
        )
        return {key: decode(Result, result) for key, result in rows}


@pytest.fixture
def insurance(walked: Walked) -> Result:
    return walked.results["rand-health-insurance"]


@pytest.fixture
def reference() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(REFERENCE.read_text(encoding="utf-8"))["rand_hie"]
    year: dict[str, Any] = document["year1_person_level"]
    return year


def metric_of(result: Result, name: str) -> MetricResult:
    return next(metric for metric in result.metrics if metric.facts.name == name)


def index_of(result: Result, arm: str) -> int:
    return next(variant.index for variant in result.variants if variant.key == arm)


def comparison_of(result: Result, metric: str, arm: str) -> Comparison:
    index = index_of(result, arm)
    effect = next(effect for effect in metric_of(result, metric).effects if effect.variant == index)
    assert isinstance(effect.comparison, Comparison)
    return effect.comparison


@needs_reference
def test_counts_and_means_of_every_arm_equal_the_reference(
    insurance: Result, reference: dict[str, Any]
) -> None:
    for key, name in METRICS.items():
        arms = {arm.variant: arm for arm in metric_of(insurance, name).arms}
        for arm, expected in reference["metrics"][key]["arms"].items():
            found = arms[index_of(insurance, arm)]
            assert found.units == expected["n"]
            # The reference prints ten digits.
            assert found.estimate.mean == pytest.approx(expected["mean"], rel=1e-9)  # type: ignore[union-attr]


@needs_reference
def test_intervals_of_every_comparison_equal_the_reference(
    insurance: Result, reference: dict[str, Any]
) -> None:
    for key, name in METRICS.items():
        for pair, expected in reference["metrics"][key]["comparisons"].items():
            comparison = comparison_of(insurance, name, pair.split(" vs ")[0])
            absolute = (comparison.absolute.low, comparison.absolute.high)
            assert absolute == pytest.approx(expected["abs_ci95_welch_t"], abs=1e-6)
            assert comparison.p_value == pytest.approx(expected["p_welch_t"], rel=1e-6)
            assert isinstance(comparison.relative, Lift)
            assert comparison.relative.value == pytest.approx(expected["rel_lift"], abs=1e-6)
            # The reference's Fieller interval has the normal quantile, the product's has Student's.
            fieller = fieller_interval(comparison.control, comparison.treatment, Z_975)
            assert isinstance(fieller, Interval)
            assert (fieller.low, fieller.high) == pytest.approx(expected["rel_ci95_fieller"], abs=1e-6)


@needs_reference
def test_effects_by_segment_equal_the_reference(insurance: Result, reference: dict[str, Any]) -> None:
    assert len(insurance.segments) == 4
    for table in insurance.segments:
        arm = insurance.variant(table.variant).key
        rows = {row.segment.key: row for row in table.rows}
        for key, (segment, level) in LEVELS.items():
            levels = reference["segments"][segment]["mdvis"][arm]["levels"]
            expected = next(entry for entry in levels if entry["level"] == level)
            row = rows[key]
            assert row.units == (expected["n_control"], expected["n_treatment"])
            comparison = row.effect.comparison  # type: ignore[union-attr]
            assert comparison.difference == pytest.approx(expected["abs_lift"], abs=1e-8)
            assert comparison.se == pytest.approx(expected["se_welch"], rel=1e-8)
            assert comparison.p_value == pytest.approx(expected["p_welch_t"], rel=1e-6)


@needs_reference
def test_difference_between_the_sexes_equals_cochran_q_of_the_reference(
    insurance: Result, reference: dict[str, Any]
) -> None:
    """With two levels, women inside against outside is Cochran's test of the two sexes."""
    for table in insurance.segments:
        expected = reference["segments"]["sex"]["mdvis"][insurance.variant(table.variant).key]
        for row in table.rows:
            if row.segment.key in ("women", "men"):
                differs = row.effect.differs  # type: ignore[union-attr]
                assert differs.q == pytest.approx(expected["cochran_Q"], rel=1e-6)  # type: ignore[union-attr]
                assert differs.p_value == pytest.approx(expected["p_heterogeneity"], rel=1e-6)  # type: ignore[union-attr]


def test_app_recovers_its_declared_effect_with_a_sound_split(walked: Walked) -> None:
    result = walked.results["checkup-reminder"]
    assert result.health.problems == ()
    assert result.health.crossover_units == 0
    assert result.health.units == sum(result.health.split.observed)  # type: ignore[union-attr]
    assert comparison_of(result, "Check-up booked", "letter").absolute.low > 0


def test_second_run_changes_nothing_and_says_the_same(walked: Walked) -> None:
    first, second = (
        {table: rows for table, rows in held.items() if table not in BY_THE_CLOCK} for held in walked.rows
    )
    assert second == first
    verdicts = [re.findall(r"verdict: (.+)", said) for said in walked.said]
    assert verdicts[0] == verdicts[1]
    assert len(verdicts[0]) == 2
    reports = [re.findall(r"report: +(.+\.eml)", said) for said in walked.said]
    assert reports[0] == reports[1]
    assert all(Path(report).stat().st_size for report in reports[0])


def test_password_is_printed_on_the_first_run_only(walked: Walked) -> None:
    password = re.search(r"password: (\S+)", walked.said[0])
    assert password is not None
    assert password[1] not in walked.said[1]
    assert "printed on the first run" in walked.said[1]
