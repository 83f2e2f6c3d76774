"""Windows over time: half-open, whole multiples of 24 hours, the same edges for both evaluators."""

from dataclasses import dataclass
from datetime import datetime, timedelta

MAX_WINDOW_DAYS = 3_650


@dataclass(frozen=True, slots=True)
class Window:
    """The times t with start <= t < end; no start means all time before end."""

    start: datetime | None
    end: datetime

    def contains(self, moment: datetime) -> bool:
        """Whether the moment lies in the window."""
        return moment < self.end and (self.start is None or self.start <= moment)


def window_before(now: datetime, days: int | None) -> Window:
    """Return the window of the last `days` days before now: 24 hours each, whatever a clock change does."""
    return Window(start=None if days is None else now - timedelta(days=days), end=now)
