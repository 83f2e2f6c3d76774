"""A brake on guessing passwords, shared by all workers through the database.

At most 5 tries in 15 minutes for one account from one address; wider limits stop one address that tries many
accounts, and many addresses that try one account.
"""

import hashlib
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, Min, Q
from django.http import HttpRequest

from accounts.models import LoginAttempt
from core.errors import DomainError
from core.formatting import duration

WINDOW = timedelta(minutes=15)
MAX_PER_ACCOUNT_AND_ADDRESS = 5
MAX_PER_ADDRESS = 50
MAX_PER_ACCOUNT = 50
_LOCK_SPACE = 0x57A8  # advisory lock family: tries on one account are counted one after the other


class TooManyAttempts(DomainError):
    """The brake is on; `retry_after` says for how long."""

    code = "too_many_attempts"
    status = 429

    def __init__(self, retry_after: timedelta) -> None:
        super().__init__(
            f"Too many attempts to log in. Wait {duration(retry_after)}, then try again; "
            "an administrator can also set a new password with manage.py changepassword."
        )
        self.retry_after = retry_after


def client_address(request: HttpRequest) -> str:
    """Return the address of the client: the peer, or what the outermost trusted proxy saw."""
    proxies: int = settings.TRUSTED_PROXIES
    chain = [part.strip() for part in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if part.strip()]
    peer: str = request.META.get("REMOTE_ADDR", "")
    return chain[-proxies] if proxies and len(chain) >= proxies else peer


def account_hash(email: str) -> str:
    """Return what the table knows of an account name; typed passwords that land in the field stay unreadable."""
    return hashlib.sha256(email.strip().lower().encode()).hexdigest()


@transaction.atomic
def claim_attempt(*, email: str, address: str, now: datetime) -> None:
    """Count one try before its password is looked at.

    Raises TooManyAttempts, counting nothing, when a limit is reached.
    """
    account = account_hash(email)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [_LOCK_SPACE, account])
    since = now - WINDOW
    LoginAttempt.objects.filter(at__lt=since).delete()
    pair = Q(account=account, address=address)
    tries = LoginAttempt.objects.filter(Q(account=account) | Q(address=address), at__gte=since).aggregate(
        of_pair=Count("id", filter=pair),
        of_account=Count("id", filter=Q(account=account)),
        of_address=Count("id", filter=Q(address=address)),
        first_of_pair=Min("at", filter=pair),
        first=Min("at"),
    )
    if tries["of_pair"] >= MAX_PER_ACCOUNT_AND_ADDRESS:
        raise TooManyAttempts(tries["first_of_pair"] + WINDOW - now)
    if tries["of_account"] >= MAX_PER_ACCOUNT or tries["of_address"] >= MAX_PER_ADDRESS:
        raise TooManyAttempts(tries["first"] + WINDOW - now)
    LoginAttempt.objects.create(account=account, address=address, at=now)


def forget_attempts(*, email: str, address: str) -> None:
    """Forget the tries of a pair after a password was right."""
    LoginAttempt.objects.filter(account=account_hash(email), address=address).delete()
