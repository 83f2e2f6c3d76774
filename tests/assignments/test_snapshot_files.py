"""Snapshots on disk: whole or refused."""

from dataclasses import replace
from pathlib import Path

import pytest

from assignments.document import Snapshot
from assignments.document_json import UnreadableSnapshot
from assignments.snapshot_files import read_snapshot, snapshot_files, write_snapshot
from tests.assignments.configs import experiment, flag

SNAPSHOT = Snapshot(5, 2, "production", 3, {"checkout": flag(experiment())})


def test_what_is_written_reads_back_and_a_later_one_replaces_it(tmp_path: Path) -> None:
    folder = tmp_path / "snapshots"
    path = write_snapshot(folder, SNAPSHOT)
    assert read_snapshot(path) == SNAPSHOT
    write_snapshot(folder, replace(SNAPSHOT, revision=4))
    assert read_snapshot(path).revision == 4
    assert snapshot_files(folder) == [path]
    assert [entry.name for entry in folder.iterdir()] == ["5.json"]


def test_an_equal_snapshot_is_not_written_again(tmp_path: Path) -> None:
    written = write_snapshot(tmp_path, SNAPSHOT).stat()
    assert write_snapshot(tmp_path, SNAPSHOT).stat().st_ino == written.st_ino


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    assert write_snapshot(tmp_path, SNAPSHOT).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("cut", [0, 10, 70, 300, -1])
def test_a_truncated_or_changed_file_is_refused(tmp_path: Path, cut: int) -> None:
    path = write_snapshot(tmp_path, SNAPSHOT)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(UnreadableSnapshot):
        read_snapshot(path)


def test_there_are_no_files_where_there_is_no_folder(tmp_path: Path) -> None:
    assert snapshot_files(tmp_path / "none") == []
