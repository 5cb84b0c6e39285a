"""Whose identity opens the store: EL_IDENTITY (its value, or its file), or ~/.config/el/identity."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from el.errors import ConfigError

_PREFIX = "AGE-SECRET-KEY-"


def own_file() -> Path:
    """Where a person's identity is, unless EL_IDENTITY says otherwise."""
    return Path.home() / ".config" / "el" / "identity"


def find_identity(store: Path) -> str | None:
    """The identity; None where nobody gave one. Raises `ConfigError` for one that must not be used."""
    if not os.environ.get("EL_IDENTITY", "").strip() and not own_file().exists():
        return None
    return read_identity(store)


def read_identity(store: Path) -> str:
    """The identity. Raises `ConfigError` where there is none, others may read it, or it is beside the store."""
    given = os.environ.get("EL_IDENTITY", "").strip()
    if given.startswith(_PREFIX):
        return given
    path = Path(given) if given else own_file()
    try:
        with path.open() as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            text = file.read()
    except OSError:
        raise ConfigError(f"no identity in EL_IDENTITY, and none to read at {path}") from None
    if path.resolve().parent == store.resolve().parent:
        raise ConfigError(f"{path}: the identity stands beside the store: move it away, it must not be committed")
    if mode & 0o077:
        raise ConfigError(f"{path}: others may read the identity (mode {mode:o}): chmod 600 {path}")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if len(lines) != 1 or not lines[0].startswith(_PREFIX):
        raise ConfigError(f"{path}: it has to hold one age identity ({_PREFIX}1...)")
    return lines[0]
