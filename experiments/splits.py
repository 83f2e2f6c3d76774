"""Splits of traffic in words and numbers: equal weights, and what a ramp would do before it is done."""

from collections.abc import Sequence
from dataclasses import dataclass

from experiments.allocation import SLOTS, Allocation, open_more, open_slots
from experiments.errors import RampRefused


def equal_weights(variants: int) -> list[int]:
    """Return equal shares of 10,000 in basis points; what does not divide goes to the first variants."""
    if variants < 1:
        raise ValueError("equal_weights needs at least one variant")
    part, rest = divmod(SLOTS, variants)
    return [part + (1 if index < rest else 0) for index in range(variants)]


@dataclass(frozen=True, slots=True)
class RampEffect:
    """What a change of allocation does: `opened` new slots per variant, the totals after it, nobody moved."""

    allocation: Allocation
    opened: tuple[int, ...]
    total: tuple[int, ...]

    @property
    def moved_units(self) -> int:
        """Always 0: only closed slots are opened."""
        return 0

    @property
    def opened_slots(self) -> int:
        return sum(self.opened)

    @property
    def open_share_bp(self) -> int:
        return sum(self.total)

    @property
    def sentence(self) -> str:
        """Say the effect before it happens."""
        return (
            f"Moves 0 units; opens {self.opened_slots:,} of {SLOTS:,} slots to newcomers. "
            f"After it {self.open_share_bp / 100:g} % of the target takes part."
        )


def plan_ramp(allocation: Allocation, *, weights_bp: Sequence[int], share_bp: int) -> RampEffect:
    """Return the effect of opening up to `share_bp` with `weights_bp`.

    Raises RampRefused when no slot would be opened, and whatever `open_more` refuses.
    """
    variants = len(weights_bp)
    before = open_slots(allocation, variants=variants)
    if sum(before) == SLOTS:
        raise RampRefused(
            "All traffic of this target is open, so other weights would move units from one variant to another. "
            "Complete this experiment and make a new one with the weights you want.",
            pointer="/weights_bp",
        )
    after = open_more(allocation, weights_bp=weights_bp, share_bp=share_bp)
    total = open_slots(after, variants=variants)
    opened = tuple(new - old for new, old in zip(total, before, strict=True))
    if not any(opened):
        raise RampRefused(
            f"{sum(before) / 100:g} % of this target is open already, so nothing would be opened. "
            "New weights reach newcomers only: choose a larger share with them.",
            pointer="/share_bp",
        )
    return RampEffect(allocation=after, opened=opened, total=total)
