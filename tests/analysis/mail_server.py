"""A real mail server in this process."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from django.test import override_settings


@dataclass
class MailSink:
    """Takes mail, or answers as told: `answers` are used up first, one per message."""

    answers: list[str] = field(default_factory=list)
    envelopes: list[Envelope] = field(default_factory=list)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.answers:
            return self.answers.pop(0)
        self.envelopes.append(envelope)
        return "250 Taken"

    @property
    def messages(self) -> list[EmailMessage]:
        """The messages that were taken, parsed as a mail program would."""
        return [message_from_bytes(bytes(e.content or b""), policy=policy.default) for e in self.envelopes]


class FreePortController(Controller):
    """A mail server on whatever port the system gives it."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@contextmanager
def mail_server() -> Iterator[MailSink]:
    """A mail server on a free port, which the settings name while it runs."""
    sink = MailSink()
    controller = FreePortController(sink, hostname="127.0.0.1", port=0)
    controller.start()
    try:
        with override_settings(
            EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend",
            EMAIL_HOST="127.0.0.1",
            EMAIL_PORT=controller.port,
            EMAIL_USE_TLS=False,
            EMAIL_USE_SSL=False,
            EMAIL_HOST_USER="",
            EMAIL_HOST_PASSWORD="",
        ):
            yield sink
    finally:
        controller.stop()
