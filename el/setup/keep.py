"""Where a password that was typed is kept: in the encrypted store, or nowhere."""

from __future__ import annotations

import os
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from el.errors import to_install


def can_be_stored() -> str | None:
    """Why there is no encrypted store on this machine, in one line; None where there can be one."""
    return None if find_spec("pyrage") else f"the encrypted store needs {to_install('secrets')}"


def store(profiles: Path, home: Path, path: str, value: str) -> Path:
    """Put a value into the store beside profiles.yml, which is made where there is none; where it is."""
    from el.config.access import access_of
    from el.connectors.sql.audit import Entry
    from el.loading.audit import note, noting
    from el.secrets.document import create_document
    from el.secrets.keeping import Keeper
    from el.secrets.new_identity import make_identity
    from el.secrets.store import places_of_store

    file = places_of_store(str(profiles.parent))[0]
    identity, _ = make_identity(file)
    if not file.exists():
        create_document(file)
    entry = Entry("secrets set", str(access_of()), path, "", "")
    with noting(lambda result: note(home, replace(entry, result=result))):
        # Others who read a connection that is there already are for `secrets set` to show, and to be agreed to.
        Keeper(file, identity, lambda connection, recipients: False).put(path, value)
    return file


def in_this_process(variable: str, value: str) -> None:
    """For what this command still does; it ends with the process."""
    os.environ[variable] = value
