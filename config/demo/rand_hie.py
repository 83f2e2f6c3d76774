"""The RAND Health Insurance Experiment as it ships inside statsmodels (public domain): the first year.

Families were randomised in the 1970s to insurance plans that differ in what people pay themselves.
Source: Manning et al. 1987, Health Insurance and the Demand for Medical Care, AER 77(3);
data: statsmodels/datasets/randhie. The plan names are inferred from the columns coins and idp.
"""

import csv
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

FIRST_YEAR = "1"
START = "1974-11-01T00:00:00+00:00"
END = "1975-11-01T00:00:00+00:00"
ARMS = {
    "free": "Free care",
    "coins25": "25 % coinsurance",
    "coins50": "50 % coinsurance",
    "coins95": "95 % coinsurance",
    "indiv_deductible": "Individual deductible",
}
# Terciles of income and the median of the chronic disease count over all 5,638 people of year 1.
INCOME_TERCILES = (6415.836, 9542.002)
DISEASE_MEDIAN = 10.57626


@dataclass(frozen=True)
class DemoSegment:
    key: str
    name: str
    rationale: str
    rule: dict[str, object]


def _is(attribute: str, value: str) -> dict[str, object]:
    return {"attribute": attribute, "op": "eq", "value": value}


def _compare(attribute: str, op: str, value: float) -> dict[str, object]:
    return {"attribute": attribute, "op": op, "value": value}


SEGMENTS = (
    DemoSegment("women", "Women and girls", "Do plans act alike for both sexes?", _is("sex", "female")),
    DemoSegment("men", "Men and boys", "Do plans act alike for both sexes?", _is("sex", "male")),
    DemoSegment("children", "Children under 18", "Parents decide for them.", _compare("age", "lt", 18)),
    DemoSegment(
        "adults-18-39",
        "Adults 18 to 39",
        "Mostly healthy and working.",
        {"all": [_compare("age", "gte", 18), _compare("age", "lt", 40)]},
    ),
    DemoSegment("adults-40", "Adults 40 and over", "They need more care.", _compare("age", "gte", 40)),
    DemoSegment(
        "fair-or-poor-health",
        "In fair or poor health",
        "Those who must not be kept from care.",
        {"attribute": "self_rated_health", "op": "in", "value": ["fair", "poor"]},
    ),
    DemoSegment(
        "low-income",
        "Lowest third of income",
        "Those whom a share of the cost hits hardest.",
        _compare("family_income_usd", "lte", INCOME_TERCILES[0]),
    ),
    DemoSegment(
        "high-income",
        "Highest third of income",
        "Those who can pay a share of the cost.",
        _compare("family_income_usd", "gt", INCOME_TERCILES[1]),
    ),
    DemoSegment(
        "chronically-ill",
        "More chronic disease than the median",
        "Those who need care regularly.",
        _compare("chronic_disease_score", "gt", DISEASE_MEDIAN),
    ),
)

MAPPING = {
    "unit": "person",
    "variant": "plan",
    "control": "free",
    "exposed_at": START,
    "attributes": {
        "sex": {"type": "string", "purpose": "compare results between groups"},
        "age": {"type": "number", "purpose": "compare results between groups"},
        "self_rated_health": {"type": "string", "purpose": "compare results between groups"},
        "family_income_usd": {"type": "number", "purpose": "compare results between groups"},
        "chronic_disease_score": {"type": "number", "purpose": "compare results between groups"},
        "site": {"type": "string", "purpose": "compare results between groups"},
    },
    "outcomes": [
        {
            "column": "doctor_visits",
            "event": "doctor_visit",
            "as": "count",
            "metric": "Doctor visits",
            "role": "primary",
            "direction": "decrease",
        },
        {
            "column": "any_use",
            "event": "care_used",
            "as": "flag",
            "metric": "Any use of care",
            "direction": "decrease",
        },
        {
            "column": "medical_spend_usd",
            "event": "medical_spend",
            "as": "value",
            "metric": "Medical spending",
            "direction": "decrease",
        },
        {
            "column": "hospital_admissions",
            "event": "hospital_admission",
            "as": "count",
            "metric": "Hospital admissions",
            "role": "guardrail",
            "direction": "decrease",
            "margin": 0.25,
        },
    ],
    "ended_at": END,
    "segments": [segment.key for segment in SEGMENTS],
    "arms": ARMS,
}


def write_people(path: Path) -> int:
    """Write the first year as a CSV with one row per person and return how many there are."""
    source = files("statsmodels.datasets.randhie").joinpath("src", "randhie.csv")
    path.parent.mkdir(parents=True, exist_ok=True)
    with as_file(source) as original, original.open(newline="", encoding="utf-8") as raw:
        people = [_person(row) for row in csv.DictReader(raw) if row["year"] == FIRST_YEAR]
    with path.open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, fieldnames=list(people[0]))
        writer.writeheader()
        writer.writerows(people)
    return len(people)


def _person(row: dict[str, str]) -> dict[str, str | int]:
    return {
        "person": row["zper"],
        "plan": plan_of(coinsurance=int(row["coins"]), has_deductible=row["idp"] == "1"),
        "sex": "female" if row["female"] == "1" else "male",
        "age": row["xage"],
        "self_rated_health": _health(row),
        "family_income_usd": row["income"],
        "chronic_disease_score": row["disea"],
        "site": row["site"],
        "doctor_visits": row["mdvis"],
        "any_use": row["binexp"],
        "medical_spend_usd": row["meddol"],
        "hospital_admissions": row["totadm"],
    }


def plan_of(*, coinsurance: int, has_deductible: bool) -> str:
    """Name the plan: 0 % is free care, or the individual deductible; 95 % and 100 % were one plan."""
    if coinsurance == 0:
        return "indiv_deductible" if has_deductible else "free"
    return {25: "coins25", 50: "coins50", 95: "coins95", 100: "coins95"}[coinsurance]


def _health(row: dict[str, str]) -> str:
    for column, word in (("hlthg", "good"), ("hlthf", "fair"), ("hlthp", "poor")):
        if row[column] == "1":
            return word
    return "excellent"
