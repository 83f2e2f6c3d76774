"""When the next report is due."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.schedule_times import next_due

BERLIN = "Europe/Berlin"


def test_a_weekly_report_waits_for_its_weekday_and_hour() -> None:
    thursday = datetime(2026, 11, 26, 12, tzinfo=UTC)
    due = next_due(frequency="weekly", weekday=0, hour=9, zone="UTC", after=thursday)
    assert due == datetime(2026, 11, 30, 9, tzinfo=UTC)


def test_a_report_due_right_now_is_due_next_time() -> None:
    monday = datetime(2026, 11, 30, 9, tzinfo=UTC)
    due = next_due(frequency="weekly", weekday=0, hour=9, zone="UTC", after=monday)
    assert due == datetime(2026, 12, 7, 9, tzinfo=UTC)


def test_the_hour_is_that_of_the_wall_clock_when_clocks_change() -> None:
    before = datetime(2026, 10, 24, 12, tzinfo=UTC)  # the clocks of Berlin go back on 25 October 2026
    due = next_due(frequency="daily", weekday=0, hour=9, zone=BERLIN, after=before)
    assert due == datetime(2026, 10, 25, 8, tzinfo=UTC)


def test_never_is_never() -> None:
    after = datetime(2026, 1, 1, tzinfo=UTC)
    assert next_due(frequency="never", weekday=0, hour=9, zone="UTC", after=after) is None


@given(
    st.datetimes(datetime(2025, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
    st.integers(0, 6),
    st.integers(0, 23),
    st.sampled_from(["UTC", BERLIN, "America/New_York", "Asia/Kathmandu"]),
)
def test_the_next_weekly_report_is_within_eight_days_on_the_wanted_weekday(
    after: datetime, weekday: int, hour: int, zone: str
) -> None:
    due = next_due(frequency="weekly", weekday=weekday, hour=hour, zone=zone, after=after)
    assert due is not None
    assert 0 < (due - after).total_seconds() <= 8 * 86_400
    assert due.astimezone(ZoneInfo(zone)).weekday() == weekday


@pytest.mark.parametrize("hour", [0, 23])
def test_the_edges_of_a_day_are_hours_too(hour: int) -> None:
    after = datetime(2026, 1, 1, 12, tzinfo=UTC)
    due = next_due(frequency="daily", weekday=0, hour=hour, zone="UTC", after=after)
    assert due is not None
    assert due.hour == hour
