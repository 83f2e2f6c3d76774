"""API keys: `<kind>_<look-up part><secret part>`, of which only the prefix and a SHA-256 are stored."""

import hashlib
import hmac
import secrets
from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.audit import Actor, record
from accounts.models import ApiKey, Environment, KeyKind, Role

LOOKUP_CHARS = 12
LAST_USED_RESOLUTION_SECONDS = 60


def lookup_prefix(secret: str) -> str:
    """Return the part of a key that finds its row: the kind and the first characters after it."""
    kind, _, rest = secret.rpartition("_")
    return f"{kind}_{rest[:LOOKUP_CHARS]}"


def hash_secret(secret: str) -> str:
    """Return the SHA-256 of a key; keys hold 256 random bits, so no slow hash is needed."""
    return hashlib.sha256(secret.encode()).hexdigest()


@transaction.atomic
def create_key(
    *,
    environment: Environment,
    kind: str,
    name: str,
    actor: Actor,
    role: str = Role.VIEWER,
    allowed_origins: list[str] | None = None,
) -> tuple[ApiKey, str]:
    """Make a key and return it with its secret, which is never to be seen again."""
    secret = f"{KeyKind(kind).value}_{secrets.token_hex(32)}"
    key = ApiKey.objects.create(
        environment=environment,
        kind=kind,
        role=role,
        name=name,
        prefix=lookup_prefix(secret),
        secret_hash=hash_secret(secret),
        allowed_origins=allowed_origins or [],
        created_by=actor.user,
    )
    record(
        project=environment.project,
        actor=actor,
        action="key.created",
        target=key,
        after={"kind": kind, "role": role, "environment": environment.slug},
    )
    return key, secret


@transaction.atomic
def revoke_key(*, key: ApiKey, actor: Actor) -> None:
    """Make a key useless at once; revoking twice changes nothing."""
    now = timezone.now()
    if ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=now):
        record(project=key.environment.project, actor=actor, action="key.revoked", target=key)


def find_key(secret: str) -> ApiKey | None:
    """Return the live key with this secret, or None; compares in constant time."""
    if "\x00" in secret:  # PostgreSQL cannot be asked for it
        return None
    key = (
        ApiKey.objects.select_related("environment__project")
        .filter(prefix=lookup_prefix(secret), revoked_at=None)
        .first()
    )
    if key is None or not hmac.compare_digest(key.secret_hash, hash_secret(secret)):
        return None
    return key


def touch_key(key: ApiKey) -> None:
    """Note that a key was used, at most once a minute."""
    now = timezone.now()
    stale = now - timedelta(seconds=LAST_USED_RESOLUTION_SECONDS)
    ApiKey.objects.filter(Q(last_used_at=None) | Q(last_used_at__lt=stale), pk=key.pk).update(
        last_used_at=now
    )
