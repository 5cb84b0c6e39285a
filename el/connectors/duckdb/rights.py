"""A DuckDB file has no logins and no rights: who may read the file may read all of it.

What it has are the rights of the file and its folder, beside which DuckDB keeps its write-ahead log.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from el.connectors.check import Check, fine, warn, wrong
from el.connectors.duckdb.config import DuckDbConfig
from el.connectors.rights import SourceNeeds, WarehouseNeeds, as_comment


def script(config: DuckDbConfig, needs: SourceNeeds | WarehouseNeeds) -> str:
    """A comment: there is nothing to grant."""
    return (
        as_comment(
            f"DuckDB: a file has no logins and no rights, so there is none for the role {needs.access}.",
            f"Who may read {config.place} may read all of it; the file's own permissions are the wall (chmod, chown).",
        )
        + "\n"
    )


def file_checks(config: DuckDbConfig, needs: SourceNeeds | WarehouseNeeds) -> Iterator[Check]:
    """Whether the file and its folder can be used as they have to be."""
    path = Path(config.path)
    if not path.is_file():
        yield fine("rights", f"{config.place} is no file of this machine, and has no rights that el can see")
        return
    writes = isinstance(needs, WarehouseNeeds) and needs.access != "staging"
    if writes and not (os.access(path, os.W_OK) and os.access(path.absolute().parent, os.W_OK)):
        yield wrong("rights", f"{config.place}: the file, or its folder, cannot be written", f"chmod u+w {path}")
        return
    if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & stat.S_IWOTH:
        yield warn("rights", f"{config.place}: anyone on this machine may change it", f"chmod o-w {path}")
    else:
        yield fine("rights", f"{config.place}: DuckDB has none but the file's, and those suffice")
