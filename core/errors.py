"""The one family of errors that Strata explains to people."""

from dataclasses import dataclass


class DomainError(Exception):
    """A request that cannot be carried out, said so that a person can mend it.

    code: stable snake_case identifier; message: what happened, why, what to do;
    pointer: JSON pointer or field name of the part at fault, "" for the whole.
    """

    code = "invalid"
    status = 422

    def __init__(self, message: str, *, code: str | None = None, pointer: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.pointer = pointer


class NotFound(DomainError):
    """No such object in this project."""

    code = "not_found"
    status = 404


class Forbidden(DomainError):
    """The role or key does not allow this action."""

    code = "forbidden"
    status = 403


class DatabaseAway(DomainError):
    """The database does not answer; nothing was stored, and the sender may try again."""

    code = "database_unavailable"
    status = 503


class Conflict(DomainError):
    """The object is in a state that does not allow this change."""

    code = "conflict"
    status = 409


@dataclass(frozen=True)
class Problem:
    """One fault found in an input: where, a stable code, and words for people."""

    pointer: str
    code: str
    detail: str


class InvalidInput(DomainError):
    """One or several faults in an input, each with its place."""

    code = "invalid_input"

    def __init__(self, problems: list[Problem]) -> None:
        if not problems:
            raise ValueError("InvalidInput needs at least one problem")
        super().__init__("; ".join(p.detail for p in problems), pointer=problems[0].pointer)
        self.problems = problems
