import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.paths import REPO

LOCKS = sorted((REPO / "requirements").glob("*.lock"))


def test_machine_without_a_new_enough_python_is_told_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "requirements").mkdir()
    shutil.copy(REPO / "requirements/install.sh", tmp_path / "requirements")
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("sh", "dirname"):
        (tools / tool).symlink_to(str(shutil.which(tool)))
    old = tools / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")  # what 3.10 answers to the question whether it is new enough
    old.chmod(0o755)
    done = subprocess.run(
        [tmp_path / "requirements/install.sh", "runtime"],
        env={"PATH": str(tools)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Strata needs Python 3.11 or newer, and none was found" in done.stderr
    assert not (tmp_path / ".venv").exists()


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_lock_pins_every_package_by_hash_and_names_no_host(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"^--", text, re.MULTILINE)
    pins = re.findall(r"^[a-zA-Z0-9._-]+==.*$", text, re.MULTILINE)
    assert pins
    assert all(pin.endswith("\\") for pin in pins)
    assert text.count("==") >= len(pins)


def test_development_has_the_same_runtime_packages() -> None:
    runtime, dev = (
        set(
            re.findall(
                r"^([a-zA-Z0-9._-]+==[^ ;]+)", (REPO / f"requirements/{name}.lock").read_text(), re.MULTILINE
            )
        )
        for name in ("runtime", "dev")
    )
    assert runtime <= dev
