"""The live snapshots of one process: kept fresh in the background, served whatever happens to the database.

A web process calls `store.watch()` once. Without it (commands, tests) every question is compiled afresh.
"""

import logging
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TypeVar

import psycopg
from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, connection

from accounts.keys import find_key, hash_secret, touch_key
from accounts.models import Environment
from assignments.document import KeyConfig, Snapshot
from assignments.document_json import UnreadableSnapshot
from assignments.evaluation import Facts
from assignments.queries import read_facts
from assignments.snapshot import compile_snapshot
from assignments.snapshot_files import read_snapshot, snapshot_files, write_snapshot
from core.errors import DatabaseAway

log = logging.getLogger(__name__)
T = TypeVar("T")

CHANNEL = "strata_config"
POLL_SECONDS = 5.0
# What is changed below the experiments (consent rules, keys) bumps no revision; it arrives with this period.
FULL_SECONDS = 60.0
KEY_SECONDS = 5.0
AWAY_SECONDS = 2.0
MAX_GRANTS = 10_000
_AWAY = "The database does not answer, and this is not known without it. Try again in a moment."
_KEY = re.compile(r"(?:sdk_server|sdk_client|ingest|api)_[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Grant:
    """What a key opens."""

    environment_id: int
    key: KeyConfig


@dataclass(frozen=True, slots=True)
class _Checked:
    grant: Grant | None
    at: float


class LiveStore:
    """Snapshots by environment, keys by digest; safe to use from many threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._snapshots: dict[int, Snapshot] = {}
        self._grants: dict[str, _Checked] = {}
        self._away_until = 0.0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._watcher: threading.Thread | None = None

    def grant(self, secret: str) -> Grant | None:
        """Return what a key opens, None when it is unknown or revoked.

        A revoked key is refused within KEY_SECONDS. While the database is away, keys known before keep working.
        Raises DatabaseAway for a key never seen.
        """
        if not _KEY.fullmatch(secret):
            return None
        digest = hash_secret(secret)
        checked = self._grants.get(digest)
        if checked and self._watcher and monotonic() - checked.at < KEY_SECONDS:
            return checked.grant
        try:
            grant = self._ask(lambda: _read_grant(secret))
        except DatabaseAway:
            known = checked.grant if checked else self._known_grant(digest)
            if known is None:
                raise
            return known
        if len(self._grants) >= MAX_GRANTS:
            self._grants.clear()
        self._grants[digest] = _Checked(grant, monotonic())
        return grant

    def snapshot(self, environment_id: int) -> Snapshot:
        """Return the environment's snapshot. Raises DatabaseAway when there is none and none can be compiled."""
        snapshot = self._snapshots.get(environment_id)
        if snapshot is not None and self._watcher:
            return snapshot
        try:
            return self._ask(lambda: self._compile(environment_id))
        except DatabaseAway:
            if snapshot is None:
                raise
            return snapshot

    def facts(self, *, environment_id: int, unit_type: str, unit_id: str) -> Facts | None:
        """Return what is stored of a unit; None while the database is away."""
        try:
            return self._ask(
                lambda: read_facts(environment_id=environment_id, unit_type=unit_type, unit_id=unit_id)
            )
        except DatabaseAway:
            return None

    def refresh(self, *, everything: bool = False) -> None:
        """Compile every environment whose revision changed (or all), and drop those that are gone."""
        rows = Environment.objects.values_list("pk", "config_revision__revision")
        revisions = {pk: revision or 0 for pk, revision in rows}
        for environment_id, revision in revisions.items():
            held = self._snapshots.get(environment_id)
            if everything or held is None or held.revision != revision:
                self._try_compile(environment_id)
        for environment_id in self._snapshots.keys() - revisions.keys():
            del self._snapshots[environment_id]
            (self._folder / f"{environment_id}.json").unlink(missing_ok=True)

    def watch(self) -> None:
        """Serve from disk at once, and follow the database from a background thread."""
        if self._watcher:
            return
        self._load_files()
        self._stop.clear()
        self._watcher = threading.Thread(target=self._follow, name="strata-config", daemon=True)
        self._watcher.start()

    def stop(self) -> None:
        """End the background thread and forget everything held in memory."""
        watcher, self._watcher = self._watcher, None
        self._stop.set()
        if watcher:
            self._wake()
            watcher.join()
        self._snapshots.clear()
        self._grants.clear()

    def _follow(self) -> None:
        while not self._stop.is_set():
            try:
                self._listen()
            except (DatabaseError, InterfaceError, psycopg.Error) as error:
                log.warning("configuration is not followed, the last known one is served: %s", error)
                connection.close()
                # Another process may have written what this one had not compiled yet.
                self._load_files()
                self._stop.wait(AWAY_SECONDS)
        connection.close()

    def _try_compile(self, environment_id: int) -> None:
        try:
            self._compile(environment_id)
        except (DatabaseError, InterfaceError):
            raise
        except Exception:
            # One environment that cannot be compiled keeps its last snapshot and does not hold up the others.
            log.exception("environment %s is served as it was before", environment_id)

    def _listen(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"LISTEN {CHANNEL}")
        compiled_all_at = None
        while not self._stop.is_set():
            everything = compiled_all_at is None or monotonic() - compiled_all_at > FULL_SECONDS
            self.refresh(everything=everything)
            if everything:
                compiled_all_at = monotonic()
            # The poll interval is also the longest that a lost notification can go unseen.
            for _ in connection.connection.notifies(timeout=POLL_SECONDS, stop_after=1):
                pass

    def _wake(self) -> None:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_notify(%s, '')", [CHANNEL])
        except (DatabaseError, InterfaceError):
            connection.close()

    def _compile(self, environment_id: int) -> Snapshot:
        with self._lock:
            snapshot = compile_snapshot(environment_id)
            self._snapshots[environment_id] = snapshot
            if self._watcher:
                self._write(snapshot)
        return snapshot

    def _write(self, snapshot: Snapshot) -> None:
        try:
            write_snapshot(self._folder, snapshot)
        except OSError as error:
            log.error("the snapshot of %s is not on disk: %s", snapshot.environment, error)

    def _load_files(self) -> None:
        for path in snapshot_files(self._folder):
            try:
                snapshot = read_snapshot(path)
            except (UnreadableSnapshot, OSError) as error:
                log.error("snapshot %s is ignored: %s", path.name, error)
                continue
            held = self._snapshots.get(snapshot.environment_id)
            if held is None or held.revision <= snapshot.revision:
                self._snapshots[snapshot.environment_id] = snapshot

    def _known_grant(self, digest: str) -> Grant | None:
        for snapshot in list(self._snapshots.values()):
            if digest in snapshot.keys:
                return Grant(snapshot.environment_id, snapshot.keys[digest])
        return None

    def _ask(self, read: Callable[[], T]) -> T:
        """Run a read. After a failure nobody waits for the database again for AWAY_SECONDS."""
        if monotonic() < self._away_until:
            raise DatabaseAway(_AWAY)
        try:
            return read()
        except (OperationalError, InterfaceError) as error:
            self._away_until = monotonic() + AWAY_SECONDS
            raise DatabaseAway(_AWAY) from error


def _read_grant(secret: str) -> Grant | None:
    key = find_key(secret)
    if key is None:
        return None
    touch_key(key)
    return Grant(key.environment_id, KeyConfig(key.public_id, key.kind, tuple(key.allowed_origins)))


store = LiveStore(Path(settings.STRATA_HOME) / "snapshots")
