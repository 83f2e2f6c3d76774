"""Reads of the Events page. They show no unit and no value: rows are for the privacy officer."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import OperationalError, connection, transaction
from django.db.models import Count, Max, Min, Q, QuerySet

from accounts.models import Environment, Project
from core import strict_json
from core.errors import NotFound
from core.strict_json import MalformedJson
from events.models import Attribute, DeadLetter, Event

COUNT_SECONDS = 2
WINDOWS = (
    ("24 hours", timedelta(hours=24)),
    ("hour", timedelta(hours=1)),
    ("5 minutes", timedelta(minutes=5)),
)
LATEST = 20


@dataclass(frozen=True, slots=True)
class NameCount:
    """How often an event came in."""

    name: str
    events: int
    last_received_at: datetime


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts by name over the longest window that could be counted in time."""

    window: str
    names: tuple[NameCount, ...]


@dataclass(frozen=True, slots=True)
class Arrival:
    """One event without what it says about a person."""

    name: str
    unit_type: str
    occurred_at: datetime
    received_at: datetime
    properties: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why items were refused, how many wait, and how many were taken in later."""

    source: str
    code: str
    detail: str
    waiting: int
    last_received_at: datetime


@dataclass(frozen=True, slots=True)
class RefusedItem:
    """One refused item without its values."""

    source: str
    code: str
    detail: str
    fields: str
    received_at: datetime


def environments_of(project: Project) -> list[Environment]:
    """Return the project's environments, production first."""
    return list(project.environments.select_related("project").order_by("-is_production", "name"))


def choose_environment(environments: list[Environment], slug: str) -> Environment:
    """Return the environment that was asked for, else the first; raises NotFound for a foreign one."""
    if not slug:
        return environments[0]
    for environment in environments:
        if environment.slug == slug:
            return environment
    raise NotFound("No such environment in this project.")


def count_events(environment: Environment, *, now: datetime) -> Counts | None:
    """Count by name over the last 24 hours, or over less when that takes too long; None when busy."""
    for window, length in WINDOWS:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SELECT set_config('statement_timeout', %s, true)", [f"{COUNT_SECONDS}s"])
                return Counts(window, _count_since(environment, now - length))
        except OperationalError:
            continue
    return None


def _count_since(environment: Environment, since: datetime) -> tuple[NameCount, ...]:
    rows = (
        Event.objects.filter(environment=environment, received_at__gte=since)
        .values_list("name")
        .annotate(events=Count("event_id"), last=Max("received_at"))
        .order_by("-events", "name")
    )
    return tuple(NameCount(name, events, last) for name, events, last in rows)


def latest_events(environment: Environment) -> list[Arrival]:
    """Return the events that came in last, newest first."""
    rows = Event.objects.filter(environment=environment).order_by("-received_at")[:LATEST]
    return [
        Arrival(row.name, row.unit_type, row.occurred_at, row.received_at, tuple(sorted(row.properties)))
        for row in rows
    ]


def reasons_of_refusal(environment: Environment) -> list[Reason]:
    """Return why items were refused and not yet taken in, the most frequent first."""
    rows = (
        DeadLetter.objects.filter(environment=environment, replayed_at=None)
        .values("source", "code")
        .annotate(waiting=Count("pk"), last=Max("received_at"), example=Min("detail"))
        .order_by("-waiting", "code")
    )
    return [Reason(row["source"], row["code"], row["example"], row["waiting"], row["last"]) for row in rows]


def latest_refused(environment: Environment) -> list[RefusedItem]:
    """Return the items that were refused last, newest first."""
    letters = DeadLetter.objects.filter(environment=environment, replayed_at=None).order_by(
        "-received_at", "-pk"
    )
    return [
        RefusedItem(
            letter.source, letter.code, letter.detail, _fields_of(bytes(letter.payload)), letter.received_at
        )
        for letter in letters[:LATEST]
    ]


def _fields_of(payload: bytes) -> str:
    """Return the names of an item's fields, which hold no personal data."""
    if not payload:
        return "not kept"
    try:
        item = strict_json.loads(payload)
    except MalformedJson:
        return "unreadable"
    return ", ".join(item) if isinstance(item, dict) else "not an object"


def attributes_of(project: Project) -> QuerySet[Attribute]:
    """Return the registered attributes by subject and key."""
    return Attribute.objects.filter(project=project).order_by("subject", "key")


def has_any_event(environments: list[Environment]) -> bool:
    """Tell whether any event has come in."""
    return Event.objects.filter(Q(environment__in=environments)).exists()
