"""Snapshots on disk: what a web process serves from when it starts without a database."""

import hashlib
import os
import tempfile
from pathlib import Path

import orjson

from assignments.document import Snapshot
from assignments.document_json import UnreadableSnapshot, dump_snapshot, load_snapshot

# A snapshot names units with overrides, so only the owner of the process may read it.
_MODE = 0o600


def write_snapshot(folder: Path, snapshot: Snapshot) -> Path:
    """Replace the file of this environment in one step: a reader sees the old one or the new one, whole.

    The first line is the SHA-256 of the rest.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{snapshot.environment_id}.json"
    body = orjson.dumps(dump_snapshot(snapshot))
    content = hashlib.sha256(body).hexdigest().encode() + b"\n" + body
    if path.exists() and path.read_bytes() == content:
        return path
    descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=".snapshot-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), _MODE)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path


def read_snapshot(path: Path) -> Snapshot:
    """Read a snapshot file. Raises UnreadableSnapshot when it is damaged, OSError when it cannot be read."""
    digest, _, body = path.read_bytes().partition(b"\n")
    if hashlib.sha256(body).hexdigest().encode() != digest:
        raise UnreadableSnapshot(
            f"{path.name} does not match its checksum; delete it and start with the database up."
        )
    return load_snapshot(orjson.loads(body))


def snapshot_files(folder: Path) -> list[Path]:
    """Return the snapshot files of a folder; none when there is no folder."""
    return sorted(folder.glob("*.json"))
