"""What goes wrong with a server of our own, told so that a person can mend it."""

from core.errors import DomainError


class EmbeddedServerError(DomainError):
    """An embedded server cannot be started, adopted or stopped."""

    code = "embedded_server_failed"
    status = 503
