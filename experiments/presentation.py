"""What pages print about an experiment, as small values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from experiments.allocation import CLOSED, Allocation
from experiments.launch import Finding, Part

State = Literal["done", "blocked", "warned"]

FILLS = 5  # the stylesheet has fill-0 … fill-4; more variants repeat them


@dataclass(frozen=True, slots=True)
class Block:
    """One rectangle of an allocation bar, in slots."""

    start: int
    width: int
    fill: str


@dataclass(frozen=True, slots=True)
class Share:
    """One line of the legend: how many slots a variant owns."""

    name: str
    fill: str
    slots: int


@dataclass(frozen=True, slots=True)
class AllocationBar:
    """Who gets what of one target, as a picture and as its legend."""

    blocks: tuple[Block, ...]
    legend: tuple[Share, ...]

    @property
    def label(self) -> str:
        """Say the picture in words."""
        return ", ".join(f"{share.name} {share.slots / 100:g} %" for share in self.legend)


def allocation_bar(allocation: Allocation, variants: Sequence[str]) -> AllocationBar:
    """Return the bar of an allocation; slots that are still closed are named so."""
    blocks = []
    counts = dict.fromkeys((*range(len(variants)), CLOSED), 0)
    start = 0
    for end, label in zip(allocation.ends, allocation.labels, strict=True):
        blocks.append(Block(start, end - start, _fill(label)))
        counts[label] += end - start
        start = end
    legend = [Share(name, _fill(index), counts[index]) for index, name in enumerate(variants)]
    if counts[CLOSED]:
        legend.append(Share("Closed", _fill(CLOSED), counts[CLOSED]))
    return AllocationBar(tuple(blocks), tuple(legend))


def _fill(label: int) -> str:
    return "fill-closed" if label == CLOSED else f"fill-{label % FILLS}"


@dataclass(frozen=True, slots=True)
class ChecklistItem:
    """One part of the set-up: done, blocked or warned, and what to do about it."""

    part: Part
    label: str
    state: State
    findings: tuple[Finding, ...]


PART_LABELS: Mapping[Part, str] = {
    "description": "Hypothesis",
    "flag": "Flag",
    "variants": "Variants",
    "targets": "Targets and allocation",
    "metrics": "Metrics",
    "plan": "Plan",
    "breakdowns": "Breakdowns",
    "layer": "Layer",
}


def checklist(findings: Sequence[Finding], *, has_layer: bool) -> tuple[ChecklistItem, ...]:
    """Return every part of the set-up with what the launch check found about it."""
    items = []
    for part, label in PART_LABELS.items():
        if part == "layer" and not has_layer:
            continue
        own = tuple(finding for finding in findings if finding.part == part)
        blocked = any(finding.is_blocker for finding in own)
        items.append(ChecklistItem(part, label, "blocked" if blocked else "warned" if own else "done", own))
    return tuple(items)


_ACTIONS: Mapping[str, str] = {
    "experiment.created": "Made the draft",
    "experiment.imported": "Imported it",
    "experiment.described": "Changed its words",
    "experiment.variants_set": "Changed the variants",
    "experiment.targets_set": "Changed the targets",
    "experiment.metrics_set": "Changed the metrics",
    "experiment.plan_set": "Changed the plan",
    "experiment.breakdowns_set": "Changed the breakdowns",
    "experiment.layer_set": "Changed the layer slots",
    "experiment.override_set": "Set an override",
    "experiment.override_removed": "Removed an override",
    "experiment.started": "Launched it",
    "experiment.ramped": "Opened more traffic",
    "experiment.paused": "Paused it",
    "experiment.resumed": "Resumed it",
    "experiment.completed": "Completed it",
    "experiment.decided": "Changed the decision",
    "experiment.archived": "Archived it",
}


def action_words(action: str) -> str:
    """Return what an audit line did, in words; an action of another app keeps its name."""
    return _ACTIONS.get(action, action)
