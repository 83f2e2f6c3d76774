"""Unsubscribe links: signed, bound to their purpose and to one recipient, valid without a login."""

from django.core import signing

from analysis.models import ReportRecipient
from core.errors import DomainError

PURPOSE = "analysis.reports.unsubscribe"


class InvalidToken(DomainError):
    """Not a link that Strata has sent, or one for something else."""

    code = "invalid_token"
    status = 404


def make_token(recipient: ReportRecipient) -> str:
    """Return the token that lets its holder unsubscribe this recipient, and nothing else."""
    return signing.dumps(recipient.public_id, salt=PURPOSE)


def read_token(token: str) -> ReportRecipient:
    """Return the recipient of a token. Raises InvalidToken."""
    try:
        public_id = signing.loads(token, salt=PURPOSE)
    except signing.BadSignature as error:
        raise InvalidToken(
            "This unsubscribe link is not valid. Use the one in the mail, unchanged."
        ) from error
    recipient = (
        ReportRecipient.objects.select_related("experiment__project").filter(public_id=public_id).first()
    )
    if recipient is None:
        raise InvalidToken("This recipient no longer exists, so no more mails will come.")
    return recipient
