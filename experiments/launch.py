"""The launch check: what keeps a draft from starting, what deserves a second look, and how to mend each."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from core.errors import DomainError
from experiments.allocation import SLOTS, validate_weights
from experiments.launch_facts import LaunchFacts, Range, SegmentFacts, TargetFacts
from experiments.values import check_value

Level = Literal["blocker", "warning"]
Part = Literal["description", "flag", "variants", "targets", "metrics", "plan", "breakdowns", "layer"]

MIN_VARIANTS = 2
WHOLE_WEEK_DAYS = 7
MANY_BREAKDOWNS = 10


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of the check. message: what is wrong; fix: what to do; part: where on the set-up page."""

    level: Level
    code: str
    part: Part
    message: str
    fix: str

    @property
    def is_blocker(self) -> bool:
        return self.level == "blocker"


def check_launch(facts: LaunchFacts) -> tuple[Finding, ...]:
    """Return every finding, blockers first, in the order of the set-up page."""
    found = [finding for check in _CHECKS for finding in check(facts)]
    return tuple(sorted(found, key=lambda finding: not finding.is_blocker))


def _blocker(code: str, part: Part, message: str, fix: str) -> Finding:
    return Finding("blocker", code, part, message, fix)


def _warning(code: str, part: Part, message: str, fix: str) -> Finding:
    return Finding("warning", code, part, message, fix)


def _description(facts: LaunchFacts) -> Iterator[Finding]:
    if not facts.hypothesis.strip():
        yield _warning(
            "no_hypothesis",
            "description",
            "There is no hypothesis.",
            "Say what you expect to happen, and why.",
        )


def _flag(facts: LaunchFacts) -> Iterator[Finding]:
    if facts.assigned_elsewhere:
        return
    if not facts.flag_enabled:
        yield _blocker(
            "flag_disabled",
            "flag",
            f"The flag {facts.flag_key} is switched off, so nobody would get a variant.",
            "Switch the flag on.",
        )
    if facts.live_on_flag:
        yield _blocker(
            "flag_taken",
            "flag",
            f"“{facts.live_on_flag}” runs on the flag {facts.flag_key} in this environment already.",
            "Complete that experiment first, or use another flag.",
        )


def _variants(facts: LaunchFacts) -> Iterator[Finding]:
    if len(facts.variants) < MIN_VARIANTS:
        yield _blocker(
            "too_few_variants",
            "variants",
            f"There are {len(facts.variants)} variants; a comparison needs at least {MIN_VARIANTS}.",
            "Add a control and a treatment.",
        )
    for variant in facts.variants:
        try:
            check_value(facts.flag_type, variant.value)
        except DomainError as error:
            message = f"Variant {variant.key}: {error.message}"
            yield _blocker("variant_value_mismatch", "variants", message, "Change the value of the variant.")
    if facts.assigned_elsewhere or len(facts.variants) < MIN_VARIANTS:
        return
    values = [variant.value for variant in facts.variants]
    if all(value == values[0] for value in values[1:]):
        yield _warning(
            "same_values",
            "variants",
            "Every variant has the same value, so this is an A/A test.",
            "Give the variants different values if you want to compare something.",
        )
    if values[0] != facts.flag_default:
        yield _warning(
            "control_is_not_default",
            "variants",
            "The control's value is not the flag's default, which units outside the experiment get.",
            "Make both the same, unless the control is meant to be new as well.",
        )


def _targets(facts: LaunchFacts) -> Iterator[Finding]:
    if not facts.targets:
        yield _blocker(
            "no_target", "targets", "There is no target, so nobody would take part.", "Add a target."
        )
    elif not any(target.share_bp for target in facts.targets):
        yield _blocker("no_traffic", "targets", "Every target has a share of 0 %.", "Open some traffic.")
    for target in facts.targets:
        yield from _target(target, facts)
    yield from _unreachable(facts.targets)


def _target(target: TargetFacts, facts: LaunchFacts) -> Iterator[Finding]:
    if len(target.weights_bp) != len(facts.variants):
        message = (
            f"Target {target.name} has {len(target.weights_bp)} weights for {len(facts.variants)} variants."
        )
        yield _blocker("weights_do_not_fit", "targets", message, "Give each variant a weight.")
    else:
        try:
            validate_weights(target.weights_bp)
        except DomainError as error:
            yield _blocker(
                error.code, "targets", f"Target {target.name}: {error.message}", "Change the weights."
            )
        if 0 in target.weights_bp and not facts.assigned_elsewhere:
            key = facts.variants[target.weights_bp.index(0)].key
            message = f"In target {target.name}, variant {key} gets nobody."
            yield _warning("empty_variant", "targets", message, "Give it a weight, or remove the variant.")
    if target.segment:
        yield from _segment(target.segment, "targets", facts.unit_type)


def _segment(segment: SegmentFacts, part: Part, unit_type: str) -> Iterator[Finding]:
    if segment.is_retired:
        yield _blocker(
            "segment_retired",
            part,
            f"The segment {segment.name} is retired.",
            "Choose another, or bring it back.",
        )
    if segment.unit_type != unit_type:
        yield _blocker(
            "unit_type_mismatch",
            part,
            f"The segment {segment.name} is about {segment.unit_type} units; this experiment is about {unit_type}.",
            "Choose a segment of the same kind of unit.",
        )
    if segment.version < segment.latest:
        yield _warning(
            "segment_edited",
            part,
            f"The segment {segment.name} was edited: version {segment.version} is pinned, {segment.latest} is newest.",
            f"Save the {part} again to use the newest version.",
        )


def _unreachable(targets: tuple[TargetFacts, ...]) -> Iterator[Finding]:
    """Find targets that the ones before them leave nothing for: the first match wins."""
    seen: dict[str, str] = {}
    for target in targets:
        key = target.segment.key if target.segment else ""
        earlier = seen.get("") or seen.get(key)
        if earlier:
            yield _blocker(
                "target_unreachable",
                "targets",
                f"Target {target.name} is never reached: {earlier} comes before it, and the first match wins.",
                "Move it up, or remove it.",
            )
        seen.setdefault(key, target.name)


def _metrics(facts: LaunchFacts) -> Iterator[Finding]:
    roles = Counter(metric.role for metric in facts.metrics)
    if roles["primary"] != 1:
        yield _blocker(
            "no_primary_metric",
            "metrics",
            "There is no primary metric.",
            "Choose the one metric that decides.",
        )
    if not roles["guardrail"]:
        yield _warning(
            "no_guardrail",
            "metrics",
            "There is no guardrail, so harm to anything but the primary metric goes unnoticed.",
            "Add a metric that must not get worse, with a margin.",
        )
    for metric in facts.metrics:
        if facts.plan and metric.window_days and metric.window_days > facts.plan.max_days:
            yield _warning(
                "window_too_long",
                "metrics",
                f"The window of {metric.name} ({metric.window_days} days) is longer than the experiment.",
                f"Run longer than {facts.plan.max_days} days, or use a metric with a shorter window.",
            )


def _plan(facts: LaunchFacts) -> Iterator[Finding]:
    if facts.plan is None:
        yield _blocker(
            "no_plan",
            "plan",
            "There is no plan, so nobody could say when the result is adequate.",
            "Fill in the plan: α, power, the smallest effect worth finding, and how long to run.",
        )
    elif facts.plan.min_days < WHOLE_WEEK_DAYS and not facts.assigned_elsewhere:
        yield _warning(
            "less_than_a_week",
            "plan",
            f"The plan may end after {facts.plan.min_days} days, before every day of the week was seen.",
            "Run at least 7 days.",
        )


def _breakdowns(facts: LaunchFacts) -> Iterator[Finding]:
    for segment in facts.breakdowns:
        yield from _segment(segment, "breakdowns", facts.unit_type)
    if len(facts.breakdowns) > MANY_BREAKDOWNS:
        yield _warning(
            "many_breakdowns",
            "breakdowns",
            f"{len(facts.breakdowns)} breakdowns share one error budget, so each is read less sharply.",
            f"Keep the {MANY_BREAKDOWNS} that would change your decision.",
        )


def _layer(facts: LaunchFacts) -> Iterator[Finding]:
    if facts.layer is None:
        return
    if not facts.layer.ranges:
        yield _blocker(
            "no_layer_slots",
            "layer",
            f"No slots of the layer {facts.layer.name} are claimed.",
            "Claim some slots.",
        )
    for other, ranges in facts.layer.others:
        overlap = _overlap(facts.layer.ranges, ranges)
        if overlap:
            yield _blocker(
                "layer_overlap",
                "layer",
                f"“{other}” owns {overlap:,} of the claimed slots of layer {facts.layer.name}.",
                f"Claim other slots of 0 to {SLOTS:,}.",
            )


def _overlap(left: tuple[Range, ...], right: tuple[Range, ...]) -> int:
    return sum(max(0, min(a[1], b[1]) - max(a[0], b[0])) for a in left for b in right)


_CHECKS: tuple[Callable[[LaunchFacts], Iterator[Finding]], ...] = (
    _description,
    _flag,
    _variants,
    _targets,
    _metrics,
    _plan,
    _breakdowns,
    _layer,
)
