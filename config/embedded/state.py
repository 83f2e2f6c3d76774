"""Passwords and last ports of the embedded servers, kept in one private file."""

import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

from config.embedded.errors import EmbeddedServerError


def _password() -> str:
    return secrets.token_urlsafe(32)


@dataclass
class State:
    """What must outlive a run; the passwords never change, the ports are a wish."""

    admin_password: str = field(default_factory=_password)
    database_password: str = field(default_factory=_password)
    broker_password: str = field(default_factory=_password)
    database_port: int | None = None
    broker_port: int | None = None


def load(path: Path, *, is_first: bool) -> State:
    """Read the state; the first time, make a new one and write it down before anything uses it."""
    if is_first and not path.exists():
        state = State()
        save(path, state)
        return state
    try:
        return State(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise EmbeddedServerError(
            f"{path} cannot be read ({error}). It holds the passwords of the embedded database: restore it from a "
            f"backup, or remove the whole folder {path.parent} to start again without data."
        ) from error


def save(path: Path, state: State) -> None:
    """Write the state so that a crash leaves the old or the new file, readable by its owner only."""
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(asdict(state), file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
