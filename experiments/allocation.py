"""Append-only slot allocation: which of 10,000 slots belong to which variant, and which are still closed.

A label never changes, so a ramp or a new weight moves nobody: only closed slots are ever opened (DESIGN.md §3).
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from core.errors import DomainError

SLOTS = 10_000
CLOSED = -1


class InvalidAllocation(DomainError):
    """The stored list of slot ranges is not a labelling of 0..10,000."""

    code = "invalid_allocation"


class InvalidWeights(DomainError):
    """The weights of the variants are not shares of a whole."""

    code = "invalid_weights"


class AllocationCannotShrink(DomainError):
    """Open slots cannot be closed or relabelled: that would move units between variants."""

    code = "allocation_cannot_shrink"
    status = 409


@dataclass(frozen=True, slots=True)
class Allocation:
    """Slots `[ends[i-1], ends[i])` carry `labels[i]`: a variant index, or CLOSED."""

    ends: tuple[int, ...]
    labels: tuple[int, ...]

    def lookup(self, slot: int) -> int:
        """Return the variant index of a slot in 0..9,999, or CLOSED."""
        return self.labels[bisect_right(self.ends, slot)]

    def to_json(self) -> list[list[int]]:
        """Return the stored form: `[[end_slot, variant index or -1], …]`."""
        return [[end, label] for end, label in zip(self.ends, self.labels, strict=True)]


def closed() -> Allocation:
    """Return the allocation in which nobody takes part yet."""
    return Allocation(ends=(SLOTS,), labels=(CLOSED,))


def parse_allocation(value: object, *, variants: int) -> Allocation:
    """Read the stored form. Raises InvalidAllocation unless it labels 0..10,000 with `variants` variants."""
    if not isinstance(value, list) or not value:
        raise InvalidAllocation("An allocation is a non-empty list of [end_slot, variant_index] pairs.")
    pairs: list[tuple[int, int]] = []
    for position, item in enumerate(value):
        if not (
            isinstance(item, list | tuple) and len(item) == 2 and all(type(part) is int for part in item)
        ):
            raise InvalidAllocation(
                f"Entry {position} must be [end_slot, variant_index].", pointer=f"/{position}"
            )
        pairs.append((item[0], item[1]))
    ends = [0, *(end for end, _ in pairs)]
    if any(right <= left for left, right in pairwise(ends)) or ends[-1] != SLOTS:
        raise InvalidAllocation(f"End slots must rise and finish at {SLOTS}; got {ends[1:]}.")
    for position, (_, label) in enumerate(pairs):
        if not CLOSED <= label < variants:
            raise InvalidAllocation(
                f"There is no variant {label}; use 0..{variants - 1} or -1.", pointer=f"/{position}"
            )
    return _from_labels(_expand(pairs))


def validate_weights(weights_bp: Sequence[int]) -> None:
    """Raise InvalidWeights unless the weights are basis points >= 0 that sum to 10,000."""
    for index, weight in enumerate(weights_bp):
        if type(weight) is not int or weight < 0:
            raise InvalidWeights(
                f"Weight {index + 1} is {weight}; a weight is at least 0 %.", pointer=f"/{index}"
            )
    if sum(weights_bp) != SLOTS:
        total = sum(weights_bp) / 100
        raise InvalidWeights(f"The weights sum to {total:g} %; they must sum to 100 %. Change one of them.")


def open_slots(allocation: Allocation, *, variants: int) -> tuple[int, ...]:
    """Return how many slots each variant owns."""
    counts = [0] * variants
    start = 0
    for end, label in zip(allocation.ends, allocation.labels, strict=True):
        if label != CLOSED:
            counts[label] += end - start
        start = end
    return tuple(counts)


def effective_weights(allocation: Allocation, *, variants: int) -> tuple[float, ...]:
    """Return each variant's share of the open slots (they sum to 1): the split to expect among participants.

    Raises InvalidAllocation when no slot is open.
    """
    counts = open_slots(allocation, variants=variants)
    total = sum(counts)
    if total == 0:
        raise InvalidAllocation("No slot is open, so there is no split to expect. Open some traffic first.")
    return tuple(count / total for count in counts)


def open_more(allocation: Allocation, *, weights_bp: Sequence[int], share_bp: int) -> Allocation:
    """Open closed slots until `share_bp` of all slots are open, moving nobody.

    The totals follow `weights_bp` as far as possible: a variant that owns more than its part keeps it, and the
    others divide what is left in the ratio of their weights. Opening nothing new returns an equal allocation.
    Raises InvalidWeights; AllocationCannotShrink when more than `share_bp` is open already.
    """
    validate_weights(weights_bp)
    if not 0 <= share_bp <= SLOTS:
        raise InvalidAllocation(
            f"A share lies between 0 and 100 %; got {share_bp / 100:g} %.", pointer="/share_bp"
        )
    owned = open_slots(allocation, variants=max(len(weights_bp), max(allocation.labels) + 1))
    if len(owned) > len(weights_bp):
        raise InvalidWeights(f"{len(weights_bp)} weights for {len(owned)} variants; give one for each.")
    if share_bp < sum(owned):
        raise AllocationCannotShrink(
            f"{sum(owned) / 100:g} % of the traffic is open already and stays so: closing slots would move units. "
            "Pause the experiment, or start a new version of it.",
            pointer="/share_bp",
        )
    labels = _expand(zip(allocation.ends, allocation.labels, strict=True))
    fresh = (
        variant for variant, count in enumerate(_additions(owned, weights_bp, share_bp)) for _ in range(count)
    )
    for slot, label in enumerate(labels):
        if label == CLOSED:
            labels[slot] = next(fresh, CLOSED)
    return _from_labels(labels)


def require_append_only(before: Allocation, after: Allocation) -> None:
    """Raise AllocationCannotShrink when `after` relabels or closes a slot that `before` had open."""
    old, new = (_expand(zip(a.ends, a.labels, strict=True)) for a in (before, after))
    moved = sum(1 for was, now in zip(old, new, strict=True) if was not in (CLOSED, now))
    if moved:
        raise AllocationCannotShrink(
            f"This would move the units of {moved} slots to another variant. Only closed slots can be opened."
        )


def _additions(owned: Sequence[int], weights_bp: Sequence[int], share_bp: int) -> list[int]:
    """Return the new slots of each variant: `share_bp - sum(owned)` in all."""
    sharing = [i for i, weight in enumerate(weights_bp) if weight > 0]
    room = share_bp - sum(owned)
    while True:
        pool = room + sum(owned[i] for i in sharing)
        parts = _proportional([weights_bp[i] for i in sharing], pool)
        over = {i for i, part in zip(sharing, parts, strict=True) if owned[i] > part}
        if not over:
            break
        sharing = [i for i in sharing if i not in over]
    additions = [0] * len(weights_bp)
    for i, part in zip(sharing, parts, strict=True):
        additions[i] = part - owned[i]
    return additions


def _proportional(weights: Sequence[int], total: int) -> list[int]:
    """Split `total` in the ratio of `weights` by largest remainder (ties to the first)."""
    whole = sum(weights)
    parts = [total * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(total * weights[i] % whole), i))
    for i in by_remainder[: total - sum(parts)]:
        parts[i] += 1
    return parts


def _expand(pairs: "Sequence[tuple[int, int]] | zip[tuple[int, int]]") -> list[int]:
    labels: list[int] = []
    for end, label in pairs:
        labels.extend([label] * (end - len(labels)))
    return labels


def _from_labels(labels: Sequence[int]) -> Allocation:
    ends = [i for i in range(1, len(labels)) if labels[i] != labels[i - 1]] + [len(labels)]
    return Allocation(ends=tuple(ends), labels=tuple(labels[end - 1] for end in ends))
