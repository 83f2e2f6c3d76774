"""What a statistic can answer: an interval, or the reason why there is no number."""

import math
from dataclasses import dataclass
from typing import Literal

Direction = Literal["increase", "decrease"]
"""Which way a metric is meant to move: up (conversion) or down (page load time, refunds)."""

Alternative = Literal["two-sided", "greater", "less"]
"""The alternative hypothesis about treatment minus control."""


@dataclass(frozen=True, slots=True)
class NotEstimable:
    """No number can be given; `reason` is one plain English sentence fragment for people."""

    reason: str


@dataclass(frozen=True, slots=True)
class Interval:
    """A closed interval; one-sided intervals have an infinite end."""

    low: float
    high: float

    def excludes(self, value: float) -> bool:
        """Whether `value` lies outside the interval; a bound itself is inside."""
        return value < self.low or value > self.high


def check_share(value: float, name: str) -> None:
    """Raise ValueError unless 0 < value < 1 (levels, powers, shares)."""
    if not 0.0 < value < 1.0:
        raise ValueError(f"{name} must lie strictly between 0 and 1, not {value!r}")


def check_finite(value: float, name: str) -> None:
    """Raise ValueError unless value is a finite number."""
    if not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number, not {value!r}")


def sign_of(direction: Direction) -> float:
    """Return +1 when more is better and -1 when less is better.

    Raises ValueError for any other word.
    """
    if direction not in ("increase", "decrease"):
        raise ValueError(f"direction must be 'increase' or 'decrease', not {direction!r}")
    return 1.0 if direction == "increase" else -1.0
