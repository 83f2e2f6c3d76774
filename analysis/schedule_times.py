"""When the next progress report is due: pure calendar arithmetic in the project's own time zone."""

from datetime import datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

Frequency = Literal["daily", "weekly", "never"]


def next_due(*, frequency: Frequency, weekday: int, hour: int, zone: str, after: datetime) -> datetime | None:
    """Return the first due moment strictly after `after`; None for "never".

    weekday: 0 = Monday, used by "weekly"; hour: of the wall clock, so a report stays at 9 when clocks change.
    """
    if frequency == "never":
        return None
    here = ZoneInfo(zone)
    day = after.astimezone(here).date()
    for ahead in range(9):
        candidate = datetime.combine(day + timedelta(days=ahead), time(hour), tzinfo=here)
        if candidate > after and (frequency == "daily" or candidate.weekday() == weekday):
            return candidate.astimezone(after.tzinfo)
    raise ValueError(f"weekday must be 0..6, not {weekday}")
