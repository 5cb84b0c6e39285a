"""A connection's part of the store: recipients by role, and sealed values.

    shop.prod:
      keyed: 2026-11-28             the day on which its encrypt_key was made
      recipients:
        owner: {age1...: WRAPPED}   the encrypt_key, for the holder of that identity
      values:
        password: {set: 2026-11-28, sealed: TEXT}
      seal: TEXT                    over all of the above

Rule: owners and engineers set values; owners alone say who can read them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from el.errors import AccessDenied, ConfigError, SecretUnavailable
from el.secrets.document import is_path
from el.secrets.recipients import unwrap, wrap
from el.secrets.sealing import check_section, new_key, open_value, seal_value, section_seal

ROLES = ("owner", "engineer", "staging")
OWNERS = ROLES[:1]
SETTERS = ROLES[:2]


def split_path(path: str) -> tuple[str, str]:
    """Connection and field of a path such as shop.prod.password. Raises `ConfigError`."""
    if not is_path(path):
        raise ConfigError(
            f"{ascii(path)[1:-1]}: a path is PROFILE.TARGET.FIELD, such as shop.prod.password, "
            "without spaces and without : ? #, so that profiles.yml can refer to it"
        )
    profile, target, field = path.split(".", 2)
    return f"{profile}.{target}", field


def well_formed(store: Path, connection: str, section: Any) -> dict[str, Any]:
    """The part, where it has the form that el writes. Raises `ConfigError`."""
    try:
        good = set(section) <= {"keyed", "recipients", "values", "seal"} and all(
            isinstance(section.get(name, ""), str | date) for name in ("keyed", "seal")
        )
        good &= all(
            role in ROLES and all(_plain(who) and _plain(text) for who, text in people.items())
            for role, people in section["recipients"].items()
        )
        good &= all(
            isinstance(field, str)
            and is_path(f"{connection}.{field}")
            and set(kept) == {"set", "sealed"}
            and all(map(_plain, kept.values()))
            for field, kept in section["values"].items()
        )
    except (KeyError, TypeError, AttributeError):
        good = False
    if not good:
        raise ConfigError(f"{store}: the part of {connection} is not as el wrote it: take the committed one")
    found: dict[str, Any] = section
    return found


def _plain(found: object) -> bool:
    """A day, or one word of ASCII: what a terminal shows as it is, and base64 takes."""
    return isinstance(found, date) or (
        isinstance(found, str) and found.isascii() and found.isprintable() and " " not in found and bool(found)
    )


def recipients_of(section: Mapping[str, Any], roles: Iterable[str] = ROLES) -> dict[str, str]:
    """Recipient -> the encrypt_key, wrapped for it; of these roles."""
    return {who: text for role in roles for who, text in section["recipients"].get(role, {}).items()}


def open_key(connection: str, section: Mapping[str, Any], identity: str | None) -> bytes:
    """Its encrypt_key, after the seal was checked. Raises `SecretUnavailable` where this identity is no recipient."""
    why: list[str] = []
    key = unwrap(recipients_of(section), identity, connection, why)
    if key is None:
        who = "this identity" if identity else "there is no identity here (EL_IDENTITY), and who asks"
        ask = f"ask its owner to grant it (--connection {connection}) to the recipient that `secrets init` tells"
        raise SecretUnavailable("; ".join([f"{who} is no recipient of {connection}: {ask}", *why]))
    check_section(key, connection, section)
    return key


def key_to_change(connection: str, section: Mapping[str, Any], identity: str | None, roles: Iterable[str]) -> bytes:
    """Its encrypt_key for one of these roles alone. Raises `AccessDenied` for another recipient."""
    key = unwrap(recipients_of(section, roles), identity, connection)
    if key is None:
        open_key(connection, section, identity)
        raise AccessDenied(f"{connection}: this identity is no {' or '.join(roles)} of it, and may not change it")
    check_section(key, connection, section)
    return key


def new_section() -> dict[str, Any]:
    """A part without recipients and values; `seal` makes it whole."""
    return {"keyed": today(), "recipients": {}, "values": {}}


def put(connection: str, section: dict[str, Any], key: bytes, field: str, value: str) -> None:
    """Set a value."""
    section["values"][field] = {"set": today(), "sealed": seal_value(key, f"{connection}.{field}", value)}


def name_recipient(section: dict[str, Any], role: str, recipient: str) -> None:
    """Let the next `rekey` wrap an encrypt_key for it."""
    section["recipients"].setdefault(role, {})[recipient] = ""


def add_recipient(connection: str, section: dict[str, Any], key: bytes, role: str, recipient: str) -> None:
    """Wrap the encrypt_key for it."""
    section["recipients"].setdefault(role, {})[recipient] = wrap(key, recipient, connection)


def remove_recipient(section: dict[str, Any], recipient: str) -> bool:
    """Take it out of each role; whether it was there. What it has read it keeps: `rekey` and new values must follow."""
    had = [role for role, people in section["recipients"].items() if recipient in people]
    for role in had:
        del section["recipients"][role][recipient]
        if not section["recipients"][role]:
            del section["recipients"][role]
    return bool(had)


def rekey(connection: str, section: dict[str, Any], old: bytes) -> bytes:
    """Seal each value under a new encrypt_key, and wrap that for each recipient."""
    key = new_key()
    for field, kept in section["values"].items():
        path = f"{connection}.{field}"
        kept["sealed"] = seal_value(key, path, open_value(old, path, kept["sealed"]))
    for people in section["recipients"].values():
        for recipient in people:
            people[recipient] = wrap(key, recipient, connection)
    section["keyed"] = today()
    return key


def seal(connection: str, section: dict[str, Any], key: bytes) -> None:
    """Make the seal; the last thing that a change does."""
    section["seal"] = section_seal(key, connection, section)


def today() -> str:
    """The day, as the store has it."""
    return date.today().isoformat()
