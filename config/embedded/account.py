"""Who runs the embedded servers, and where that account can read and write.

PostgreSQL refuses to run as root. Started by root, the servers run as `nobody`, and their folders move to
a place that `nobody` can reach when STRATA_HOME lies in a private home.
"""

import hashlib
import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path

from config.embedded.errors import EmbeddedServerError
from config.logfiles import tail

UNPRIVILEGED_USER = "nobody"
# PG* and LD_* variables of the caller must not leak into the servers.
SERVER_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
COMMAND_TIMEOUT_SECONDS = 180


@dataclass(frozen=True)
class Account:
    """The operating-system account that the servers run as; None means the caller's own."""

    uid: int | None = None
    gid: int | None = None

    def make_folder(self, path: Path) -> None:
        """Create a private folder (mode 0700) that belongs to this account."""
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(0o700)
        self.give(path)

    def give(self, path: Path) -> None:
        """Make this account the owner of a file or folder."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)

    def run(self, command: list[str | Path], *, folder: Path, log: Path, script: str = "") -> None:
        """Run a short command as this account; raise EmbeddedServerError with the end of `log` when it fails.

        script: standard input. Output is appended to `log`.
        """
        try:
            with log.open("ab") as out:
                self.give(log)
                subprocess.run(
                    command,
                    input=script.encode(),
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    cwd=folder,
                    env=SERVER_ENVIRONMENT,
                    user=self.uid,
                    group=self.gid,
                    extra_groups=None if self.uid is None else [],
                    umask=0o077,
                    timeout=COMMAND_TIMEOUT_SECONDS,
                    check=True,
                )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired, OSError) as error:
            name = Path(command[0]).name
            raise EmbeddedServerError(f"{name} failed ({error}). The end of {log}:\n{tail(log)}") from error


def service_account() -> Account:
    """Return the account for the servers: the caller's own, or `nobody` for root."""
    if os.geteuid() != 0:
        return Account()
    try:
        entry = pwd.getpwnam(UNPRIVILEGED_USER)
    except KeyError as error:
        raise EmbeddedServerError(
            f"PostgreSQL refuses to run as root and this machine has no account {UNPRIVILEGED_USER!r}. "
            "Run Strata as an ordinary user, or set DATABASE_URL and BROKER_URL to servers of your own."
        ) from error
    return Account(uid=entry.pw_uid, gid=entry.pw_gid)


def is_reachable(path: Path) -> bool:
    """Say whether any account may enter `path` and every folder above it."""
    existing = path if path.exists() else path.parent
    return all(folder.stat().st_mode & 0o001 for folder in (existing, *existing.parents))


def server_home(home: Path) -> Path:
    """Return the folder for data and binaries: `home`, or a public place when root's `home` is private."""
    if os.geteuid() != 0 or is_reachable(home):
        return home
    digest = hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:12]
    base = Path("/var/lib") if os.access("/var/lib", os.W_OK) else Path("/var/tmp")  # noqa: S108 - the name is a digest, the folder ours
    return base / f"strata-{digest}"
