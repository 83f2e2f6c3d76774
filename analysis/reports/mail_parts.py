"""A message taken apart again for the mail viewer, and the answer that shows its HTML without trusting it."""

import base64
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage

from django.http import HttpResponse

from analysis.reports.content import PICTURE

MAIL_CSP = "sandbox allow-popups; default-src 'none'; img-src data:; style-src 'unsafe-inline'"


@dataclass(frozen=True, slots=True)
class MailParts:
    """Headers and bodies of a stored message."""

    subject: str
    sender: str
    to: str
    date: str
    headers: tuple[tuple[str, str], ...]
    text: str
    html: str
    png: bytes | None


def parse_mail(raw: bytes) -> MailParts:
    """Read a message as a mail program would."""
    message: EmailMessage = message_from_bytes(raw, policy=policy.default)
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    images = [part for part in message.walk() if part.get_content_type() == "image/png"]
    return MailParts(
        subject=str(message["Subject"]).strip(),
        sender=str(message["From"]),
        to=str(message["To"]),
        date=str(message["Date"]),
        headers=tuple((name, str(value)) for name, value in message.items()),
        text=text.get_content() if text else "",
        html=html.get_content() if html else "",
        png=images[0].get_content() if images else None,
    )


def mail_page(html: str, png: bytes | None) -> HttpResponse:
    """Answer with a mail's HTML, its picture inside, in a sandbox: no script, no form, nothing from elsewhere."""
    if png is not None:
        data = base64.b64encode(png).decode()
        html = html.replace(f"cid:{PICTURE}", f"data:image/png;base64,{data}")
    response = HttpResponse(html)
    response["Content-Security-Policy"] = MAIL_CSP
    response["X-Frame-Options"] = "SAMEORIGIN"
    return response
