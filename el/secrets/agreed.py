"""Which recipients someone at this machine has agreed to: ~/.config/el/recipients.json.

Whoever may write the store's file can put a whole part of their own in place of a connection's, readable by themselves.
They learn nothing by it, until someone sets a new value there: so whoever sets one is shown the recipients that this
machine has not seen before, and asked.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def strangers(store: Path, connection: str, recipients: Iterable[str]) -> list[str]:
    """Those that nobody at this machine has agreed to."""
    agreed = _read().get(_name(store, connection), [])
    return [who for who in recipients if who not in agreed]


def agree(store: Path, connection: str, recipients: Iterable[str]) -> None:
    """Remember them. Where this cannot be written, the next change asks again."""
    found = _read()
    found[_name(store, connection)] = sorted(recipients)
    # A user without a home has nowhere to remember them.
    with suppress(OSError, RuntimeError):
        path = _path()
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f"{path.name}.{os.getpid()}")
        beside.write_text(json.dumps(found, indent=1), "utf-8")
        beside.replace(path)


def _read() -> dict[str, list[str]]:
    try:
        found = json.loads(_path().read_text("utf-8"))
    except (OSError, ValueError, RuntimeError):
        return {}
    return found if isinstance(found, dict) else {}


def _name(store: Path, connection: str) -> str:
    return f"{store.resolve()}#{connection}"


def _path() -> Path:
    return Path.home() / ".config" / "el" / "recipients.json"
