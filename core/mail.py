"""Mail without a mail server: one `.eml` file per message in STRATA_HOME/mail."""

import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.utils import timezone


def write_eml(message: EmailMessage, folder: Path) -> Path:
    """Write one message under a unique name, whole or not at all, and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{timezone.now():%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}.eml"
    partial = path.with_suffix(".part")
    partial.write_bytes(message.message().as_bytes())
    partial.rename(path)
    return path


class EmlFileBackend(BaseEmailBackend):
    """Django e-mail backend used until EMAIL_URL names a server."""

    def __init__(self, fail_silently: bool = False, **kwargs: Any) -> None:
        super().__init__(fail_silently=fail_silently)

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        for message in email_messages:
            write_eml(message, Path(settings.MAIL_DIR))
        return len(email_messages)
