"""A report as values: what both its HTML and its plain-text form print."""

from dataclasses import dataclass

from analysis.forest import Forest
from analysis.presentation import Report


@dataclass(frozen=True, slots=True)
class Action:
    """One next step: what, who, by when."""

    what: str
    owner: str
    by: str


@dataclass(frozen=True, slots=True)
class Links:
    """Addresses printed in a report."""

    results: str
    decide: str
    health: str
    reports: str
    unsubscribe: str


@dataclass(frozen=True, slots=True)
class Letter:
    """All that the two templates print."""

    report: Report
    run_id: str
    plan_hash: str
    subject: str
    preheader: str
    why: str
    links: Links
    actions: tuple[Action, ...]
    forest: Forest | None
    picture: str
