"""A real SMTP server for tests, and mails taken apart as a mail program would."""

import re
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from config.embedded.processes import free_port

# 5,638 or −31.0 or 0.05 or 24; signs are compared too.
NUMBER = re.compile(r"[+−-]?\d(?:[\d.,]*\d)?")
SILENT = ("style", "script", "title", "head")


@dataclass
class Mailbox:
    """Every message that was delivered, in order."""

    port: int
    messages: list[tuple[tuple[str, ...], EmailMessage]] = field(default_factory=list)
    _controller: Controller | None = None

    @classmethod
    def open(cls) -> "Mailbox":
        box = cls(free_port())
        box._controller = Controller(box, hostname="127.0.0.1", port=box.port)
        box._controller.start()
        return box

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Called by aiosmtpd with each message."""
        content = envelope.content
        assert isinstance(content, bytes)
        message = message_from_bytes(content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.messages.append((tuple(envelope.rcpt_tos), message))
        return "250 OK"

    def sent_to(self, address: str) -> list[EmailMessage]:
        return [message for recipients, message in self.messages if address in recipients]

    def close(self) -> None:
        if self._controller is not None:
            self._controller.stop()


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in SILENT

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in SILENT

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.said.append(data)


def words_of(html: str) -> str:
    """Return what a reader of the HTML sees as text."""
    parser = _Words()
    parser.feed(html)
    return " ".join(parser.said)


def numbers_of(text: str) -> set[str]:
    return set(NUMBER.findall(text))
