"""Membership over time, leases and failures."""

import threading
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection
from django.utils import timezone

from accounts.audit import SYSTEM
from accounts.models import Environment, Project
from segments.models import Segment, SegmentMember, SegmentRefresh, SegmentVersion
from segments.queries.membership import kept_fresh, preview_size, time_limit
from segments.rules import Event, Profile, parse
from segments.services import (
    claim_due_refreshes,
    claim_refresh,
    create_segment,
    record_refresh_failure,
    refresh_segment,
    request_refresh,
    retire_segment,
    save_version,
)
from segments.tasks import refresh_due_segments, refresh_one
from tests.factories import (
    AttributeFactory,
    EnvironmentFactory,
    ExperimentFactory,
    ProjectFactory,
    production_of,
)
from tests.segments.storing import store

pytestmark = pytest.mark.django_db

GERMAN = {"attribute": "country", "op": "eq", "value": "DE"}
ACTIVE = {"event": "login", "recency": {"op": "within_days", "days": 7}}


@pytest.fixture
def project() -> Project:
    project = ProjectFactory()
    AttributeFactory(project=project, key="country")
    return project


@pytest.fixture
def environment(project: Project) -> Environment:
    return production_of(project)


def make(project: Project, rule: object = GERMAN, key: str = "s", **fields: object) -> SegmentVersion:
    return create_segment(
        project=project, actor=SYSTEM, key=key, name=key, rule=rule, **fields
    ).versions.get()


def inside(version: SegmentVersion, environment: Environment) -> set[str]:
    members = SegmentMember.objects.filter(version=version, environment=environment, left_at=None)
    return set(members.values_list("unit_id", flat=True))


def move(environment: Environment, unit_id: str, country: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE events_profile SET attributes = jsonb_build_object('country', %s::text) "
            "WHERE environment_id = %s AND unit_id = %s",
            [country, environment.pk, unit_id],
        )


def test_a_refresh_writes_who_enters_and_who_leaves(project: Project, environment: Environment) -> None:
    version = make(project)
    store({"a": Profile({"country": "DE"}), "b": Profile({"country": "DE"}), "c": Profile()}, environment)
    start = timezone.now()
    first = refresh_segment(version=version, environment=environment, now=start)
    assert (first.size, first.entered, first.left) == (2, 2, 0)
    move(environment, "a", "AT")
    move(environment, "c", "DE")
    later = start + timedelta(hours=1)
    second = refresh_segment(version=version, environment=environment, now=later)
    assert (second.size, second.entered, second.left) == (2, 1, 1)
    assert inside(version, environment) == {"b", "c"}
    gone = SegmentMember.objects.get(version=version, unit_id="a")
    assert (gone.entered_at, gone.left_at) == (start, later)


def test_a_unit_that_comes_back_has_a_second_stay(project: Project, environment: Environment) -> None:
    version = make(project)
    store({"a": Profile({"country": "DE"})}, environment)
    now = timezone.now()
    for hours, country in enumerate(("DE", "AT", "DE")):
        move(environment, "a", country)
        refresh_segment(version=version, environment=environment, now=now + timedelta(hours=hours))
    stays = SegmentMember.objects.filter(version=version, unit_id="a").order_by("entered_at")
    assert [stay.left_at is None for stay in stays] == [False, True]


def test_a_window_that_has_passed_ends_membership(project: Project, environment: Environment) -> None:
    version = make(project, ACTIVE)
    now = timezone.now()
    store({"a": Profile(events=[Event("login", now - timedelta(days=6))])}, environment)
    assert refresh_segment(version=version, environment=environment, now=now).size == 1
    later = now + timedelta(days=1, seconds=1)
    assert refresh_segment(version=version, environment=environment, now=later).left == 1


def test_the_same_refresh_twice_changes_nothing(project: Project, environment: Environment) -> None:
    version = make(project)
    store({"a": Profile({"country": "DE"})}, environment)
    now = timezone.now()
    first = refresh_segment(version=version, environment=environment, now=now)
    move(environment, "a", "AT")
    assert refresh_segment(version=version, environment=environment, now=now) == first
    assert inside(version, environment) == {"a"}


def test_environments_are_apart(project: Project, environment: Environment) -> None:
    version = make(project)
    store({"a": Profile({"country": "DE"})}, environment)
    other = project.environments.get(slug="staging")
    assert refresh_segment(version=version, environment=other, now=timezone.now()).size == 0


def test_named_segments_are_followed_to_their_pinned_version(
    project: Project, environment: Environment
) -> None:
    inner = make(project, GERMAN, "inner").segment
    outer = make(project, {"not": {"segment": inner.public_id}}, "outer")
    save_version(segment=inner, rule={"attribute": "country", "op": "eq", "value": "AT"}, actor=SYSTEM)
    store({"de": Profile({"country": "DE"}), "at": Profile({"country": "AT"})}, environment)
    refresh_segment(version=outer, environment=environment, now=timezone.now())
    assert inside(outer, environment) == {"at"}


def test_due_rows_are_claimed_once_and_again_after_their_lease(project: Project) -> None:
    make(project)
    now = timezone.now()
    claimed = claim_due_refreshes(now=now, limit=10)
    assert len(claimed) == 2
    assert claim_due_refreshes(now=now + timedelta(minutes=14), limit=10) == []
    assert len(claim_due_refreshes(now=now + timedelta(minutes=16), limit=10)) == 2


def test_one_row_is_claimed_by_id_only_when_due_and_free(project: Project, environment: Environment) -> None:
    row = make(project).refreshes.get(environment=environment)
    now = timezone.now()
    assert claim_refresh(refresh_id=row.pk, now=now - timedelta(days=1)) is None
    assert claim_refresh(refresh_id=row.pk, now=now) == row
    assert claim_refresh(refresh_id=row.pk, now=now) is None


def test_the_task_refreshes_what_is_due_and_nothing_the_second_time(
    project: Project, environment: Environment
) -> None:
    version = make(project, refresh_minutes=30)
    store({"a": Profile({"country": "DE"})}, environment)
    assert refresh_due_segments() == 2
    assert refresh_due_segments() == 0
    row = version.refreshes.get(environment=environment)
    assert row.size == 1
    assert row.lease_until is None
    assert row.due_at - row.refreshed_at == timedelta(minutes=30)


def test_a_new_environment_gets_its_membership_too(project: Project) -> None:
    version = make(project)
    refresh_due_segments()
    added = EnvironmentFactory(project=project)
    assert refresh_due_segments() == 1
    assert version.refreshes.get(environment=added).refreshed_at is not None


def test_a_failure_keeps_the_last_membership_and_backs_off(
    project: Project, environment: Environment
) -> None:
    version = make(project)
    store({"a": Profile({"country": "DE"})}, environment)
    now = timezone.now()
    refresh_segment(version=version, environment=environment, now=now)
    row = version.refreshes.get(environment=environment)
    waits = []
    for _ in range(8):
        record_refresh_failure(refresh=row, error=DatabaseError("disk full"), now=now)
        row.refresh_from_db()
        waits.append((row.due_at - now) / timedelta(minutes=1))
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    assert (row.size, row.failures, row.error) == (1, 8, "disk full")
    assert inside(version, environment) == {"a"}
    refresh_segment(version=version, environment=environment, now=now + timedelta(hours=2))
    row.refresh_from_db()
    assert (row.failures, row.error) == (0, "")


def test_a_failing_segment_does_not_stop_the_others(project: Project, environment: Environment) -> None:
    fine = make(project)
    segment = Segment.objects.create(project=project, key="later", name="Later")
    unreadable = {"language": 9, "all": []}  # as a newer Strata would have saved it
    broken = SegmentVersion.objects.create(
        segment=segment, number=1, rule=unreadable, sentence="?", needs_stored_facts=True
    )
    assert refresh_due_segments() == 4
    assert "rule language" in broken.refreshes.get(environment=environment).error
    assert fine.refreshes.get(environment=environment).refreshed_at is not None


def test_an_older_version_is_kept_fresh_only_while_something_uses_it(project: Project) -> None:
    first = make(project)
    save_version(
        segment=first.segment, rule={"attribute": "country", "op": "eq", "value": "AT"}, actor=SYSTEM
    )
    assert first not in kept_fresh()
    experiment = ExperimentFactory(project=project)
    experiment.targets.update(segment_version=first)
    assert first in kept_fresh()


def test_a_retired_segment_that_nothing_uses_is_not_refreshed(project: Project) -> None:
    version = make(project)
    retire_segment(segment=version.segment, actor=SYSTEM)
    assert refresh_due_segments() == 0


def test_a_requested_refresh_is_due_at_once(project: Project, environment: Environment) -> None:
    version = make(project)
    refresh_due_segments()
    row = request_refresh(version=version, environment=environment, actor=SYSTEM, now=timezone.now())
    assert refresh_one(row.pk)
    assert not refresh_one(row.pk)


def test_a_preview_counts_units_and_profiles(project: Project, environment: Environment) -> None:
    store({"a": Profile({"country": "DE"}), "b": Profile({"country": "AT"})}, environment)
    preview = preview_size(rule=parse(GERMAN), environment=environment, unit_type="user", now=timezone.now())
    assert (preview.units, preview.profiles, preview.reason) == (1, 2, "")


def test_a_statement_past_the_limit_is_cancelled_and_the_limit_is_put_back() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = '77s'")
        with (
            pytest.raises(DatabaseError, match="statement timeout"),
            time_limit(20),
            connection.cursor() as inner,
        ):
            inner.execute("SELECT pg_sleep(30)")
        with time_limit(20):
            cursor.execute("SELECT 1")
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("77s",)
        cursor.execute("SET statement_timeout = 0")


def test_a_preview_that_takes_too_long_says_so(project: Project, environment: Environment) -> None:
    store({f"u{i}": Profile({"country": "DE"}) for i in range(20_000)}, environment)
    heavy = parse({"any": [{"attribute": "country", "op": "contains", "value": f"x{i}"} for i in range(150)]})
    preview = preview_size(
        rule=heavy, environment=environment, unit_type="user", now=timezone.now(), limit_ms=1
    )
    assert preview.units is None
    assert "Save the segment" in preview.reason


@pytest.mark.django_db(transaction=True)
def test_two_refreshes_at_once_do_not_double_a_member() -> None:
    project = ProjectFactory()
    AttributeFactory(project=project, key="country")
    environment = production_of(project)
    version = make(project)
    store({f"u{i}": Profile({"country": "DE"}) for i in range(500)}, environment)
    barrier, errors = threading.Barrier(2), []

    def refresh(offset: int) -> None:
        try:
            barrier.wait()
            refresh_segment(
                version=version, environment=environment, now=timezone.now() + timedelta(seconds=offset)
            )
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=refresh, args=(offset,)) for offset in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert SegmentMember.objects.filter(version=version).count() == 500
    assert SegmentRefresh.objects.get(version=version, environment=environment).size == 500
