"""The audit trail: who did what to what, append-only and hash-chained per project."""

import hashlib
from dataclasses import dataclass
from typing import Any, Protocol, Self

import orjson
from django.db import connection
from django.http import HttpRequest
from django.utils import timezone

from accounts.models import ApiKey, AuditEntry, Project, User

_LOCK_SPACE = 0x57A7  # advisory lock family: one writer of a project's chain at a time
GENESIS = "0" * 64


class Named(Protocol):
    """Anything with a public id."""

    @property
    def public_id(self) -> str: ...


@dataclass(frozen=True)
class Actor:
    """Who acts: a user, a key, or the system itself."""

    label: str
    user: User | None = None
    api_key: ApiKey | None = None

    @classmethod
    def of(cls, request: HttpRequest) -> Self:
        """Return the actor of a page or API request."""
        key = getattr(request, "auth", None)
        if isinstance(key, ApiKey):
            return cls(label=f"key {key.name} ({key.prefix})", api_key=key, user=key.created_by)
        user = request.user if isinstance(request.user, User) else None
        return cls(label=user.email if user else "anonymous", user=user)


SYSTEM = Actor(label="system")


def record(
    *,
    project: Project,
    actor: Actor,
    action: str,
    target: Named,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    reason: str = "",
) -> AuditEntry:
    """Append one line to the project's trail; call inside the transaction of the change itself."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_LOCK_SPACE, project.pk])
    previous = (
        AuditEntry.objects.filter(project=project).order_by("-id").values_list("hash", flat=True).first()
    ) or GENESIS
    entry = AuditEntry(
        project=project,
        at=timezone.now(),
        actor=actor.label,
        action=action,
        target_type=type(target).__name__.lower(),
        target_id=target.public_id,
        target_label=str(target)[:200],
        before=before,
        after=after,
        reason=reason,
        previous_hash=previous,
    )
    entry.hash = entry_hash(entry)
    entry.save(force_insert=True)
    return entry


def entry_hash(entry: AuditEntry) -> str:
    """Return the SHA-256 of an entry's content together with the hash before it."""
    content = [
        entry.previous_hash,
        entry.project_id,
        entry.at.isoformat(),
        entry.actor,
        entry.action,
        entry.target_type,
        entry.target_id,
        entry.target_label,
        entry.before,
        entry.after,
        entry.reason,
    ]
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


def broken_entry(project: Project) -> AuditEntry | None:
    """Return the first entry whose hash does not fit, or None when the chain is whole."""
    previous = GENESIS
    for entry in AuditEntry.objects.filter(project=project).order_by("id").iterator():
        if entry.previous_hash != previous or entry_hash(entry) != entry.hash:
            return entry
        previous = entry.hash
    return None
