"""The report as an e-mail message: multipart/related(alternative(text, html), png)."""

from email.mime.image import MIMEImage
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend
from django.urls import reverse

from analysis.models import ReportDelivery
from analysis.reports.content import PICTURE, build_content
from analysis.reports.tokens import make_token


class RelatedMessage(EmailMultiAlternatives):
    """A message whose attachments belong to its HTML part (pictures by Content-ID).

    It is built once, so that what is kept is byte for byte what was sent.
    """

    mixed_subtype = "related"
    _built: Any = None

    def message(self, **options: Any) -> Any:
        if self._built is None:
            self._built = super().message(**options)
        return self._built


def build_message(delivery: ReportDelivery, connection: BaseEmailBackend | None = None) -> RelatedMessage:
    """Return the message of a delivery; its Message-ID depends on the delivery only, so a repeat is recognised."""
    content = build_content(delivery.run, delivery.recipient, delivery.kind)
    host = urlsplit(settings.BASE_URL).hostname or "localhost"
    message = RelatedMessage(
        subject=content.subject,
        body=content.text,
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=[delivery.recipient.email],
        headers={
            "Message-ID": f"<{delivery.public_id}@{host}>",
            "List-Unsubscribe": f"<{_unsubscribe_url(delivery)}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            "Auto-Submitted": "auto-generated",
            "X-Strata-Run": delivery.run.public_id,
        },
        connection=connection,
    )
    message.attach_alternative(content.html, "text/html")
    if content.png is not None:
        message.attach(_picture(content.png))
    return message


def _picture(png: bytes) -> MIMEImage:
    picture = MIMEImage(png, "png")
    picture.add_header("Content-ID", f"<{PICTURE}>")
    picture.add_header("Content-Disposition", "inline", filename="forest.png")
    return picture


def _unsubscribe_url(delivery: ReportDelivery) -> str:
    return f"{settings.BASE_URL}{reverse('unsubscribe', args=[make_token(delivery.recipient)])}"
