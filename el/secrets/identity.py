"""Whose identity opens the store: EL_IDENTITY (its value, its file, or where it is kept), or ~/.config/el/identity.

EL_IDENTITY may be a reference too, such as `keyring:el/identity`, the operating system's keyring.
Guarantee: an identity that others may read, or that could be committed with the store, is refused; no message has one.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from el.errors import ConfigError
from el.secrets.hidden import known
from el.secrets.references import begins_as_reference, is_reference, resolve

_PREFIX = "AGE-SECRET-KEY-1"
# An identity is of some 80 bytes, with its comments 200.
_MOST_BYTES = 64 * 1024


def own_file() -> Path:
    """Where a person's identity is, unless EL_IDENTITY says otherwise."""
    try:
        return Path.home() / ".config" / "el" / "identity"
    except RuntimeError:
        raise ConfigError("no identity in EL_IDENTITY, and this user has no home to look in") from None


def find_identity(store: Path) -> str | None:
    """The identity; None where nobody gave one. Raises `ConfigError` for one that must not be used."""
    if not os.environ.get("EL_IDENTITY", "").strip():
        try:
            there = own_file().exists()
        except ConfigError:
            # A service without a home may be a recipient by its cloud's KMS.
            there = False
        if not there:
            return None
    return read_identity(store)


def read_identity(store: Path) -> str:
    """The identity. Raises `ConfigError` where there is none, others may read it, or it is beside the store."""
    given = os.environ.get("EL_IDENTITY", "").strip()
    if _PREFIX in given.upper():
        # A runner's secret may be the whole file that age-keygen made.
        return _only_one(given, "EL_IDENTITY")
    if form := begins_as_reference(given):
        if not is_reference(given) or given.startswith("secret:"):
            raise ConfigError(f"EL_IDENTITY: begins like a reference, and those look so: {form}; not of the store")
        return _only_one(resolve(given), given)
    path = Path(given).expanduser() if given else own_file()
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            data = file.read(_MOST_BYTES)
    except OSError:
        raise ConfigError(f"no identity in EL_IDENTITY, and none to read at {path}") from None
    refuse_beside(path, store)
    # Windows has no such mode.
    if mode & 0o077 and os.name != "nt":
        raise ConfigError(f"{path}: others may read the identity (mode {mode:o}): chmod 600 {path}")
    return _only_one(data.decode("utf-8-sig", "replace"), str(path))


def refuse_beside(path: Path, store: Path) -> None:
    """Raise `ConfigError` for a file that could be committed with the store: below its folder or in its repository."""
    path, store = path.resolve(), store.resolve()
    folder, repository = _repository(store)
    if path.is_relative_to(folder) or (repository is not None and _repository(path)[1] == repository):
        raise ConfigError(
            f"{path}: the identity stands beside the store (in {folder}): move it away, it must not be committed"
        )


def _repository(file: Path) -> tuple[Path, Path | None]:
    """The folder of git's working tree that a file is in, and where its repository is; else the file's own folder."""
    for folder in file.parents:
        there = folder / ".git"
        if there.is_dir():
            return folder, there
        if there.is_file():
            # A further working tree, or a submodule: "gitdir: PATH" (git's "Repository Layout").
            named = folder / there.read_text("utf-8", "replace").partition("gitdir:")[2].strip()
            own = named.parent.parent if named.parent.name == "worktrees" else named
            return folder, own.resolve()
    return file.parent, None


def _only_one(text: str, where: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if len(lines) != 1 or not lines[0].startswith(_PREFIX):
        raise ConfigError(f"{where}: it has to hold one age identity ({_PREFIX}...), and beside it comments alone")
    return known(lines[0])
