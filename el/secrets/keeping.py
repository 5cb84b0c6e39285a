"""Changes of the encrypted store: set, grant, revoke, rotate. Each is whole or not at all, over all its connections."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from el.errors import ConfigError
from el.secrets import section as part
from el.secrets.agreed import agree, strangers
from el.secrets.document import Document, changed
from el.secrets.recipients import recipient_of
from el.secrets.sealing import new_key

# A variable of the environment takes 128 KiB on Linux, and 32 on Windows.
MOST_OF_A_VALUE = 64 * 1024


@dataclass(frozen=True)
class Keeper:
    """Who changes the store.

    own: the recipient that a new connection gets as its owner. agreed: asked with a connection and its recipients that
    this machine has not seen; False: nothing is done.
    """

    store: Path
    identity: str | None
    agreed: Callable[[str, Sequence[str]], bool]

    def put(self, path: str, value: str, like: str | None = None) -> list[str]:
        """Set a value; all who can read it. like: a connection whose owners and engineers a new one gets."""
        connection, field = part.split_path(path)
        if not value:
            raise ConfigError(f"{path}: the value is empty; nothing was set")
        if "\0" in value:
            raise ConfigError(f"{path}: the value has a zero byte, which no environment takes; nothing was set")
        if len(value.encode()) > MOST_OF_A_VALUE:
            most = f"{MOST_OF_A_VALUE // 1024} KiB"
            raise ConfigError(f"{path}: the value is longer than {most}, more than a secret is; nothing was set")
        with changed(self.store) as document:
            if connection in document.sections:
                if like is not None:
                    raise ConfigError(
                        f"{connection}: is there already, with its own recipients: leave out --like, and grant"
                    )
                section, key = self._open(document, connection, part.SETTERS)
            else:
                section, key = self._new(document, connection, like)
            # Who made the key that is there may be no recipient any more, or never have been one: what is sealed from
            # now on is for the recipients alone, who were shown.
            part.put(connection, section, key, field, value)
            part.seal(connection, section, part.rekey(connection, section, key))
        return self._remember({connection: section})[connection]

    def grant(self, role: str, recipient: str, connections: Sequence[str]) -> None:
        """Let a recipient read these connections."""
        with changed(self.store) as document:
            done = {}
            for name in connections:
                section, key = self._open(document, name, part.OWNERS)
                _keep_an_owner(name, section, recipient, role)
                part.remove_recipient(section, recipient)
                part.add_recipient(name, section, key, role, recipient)
                part.seal(name, section, key)
                done[name] = section
        self._remember(done)

    def revoke(self, recipient: str, connections: Sequence[str]) -> list[str]:
        """Take a recipient out, with a new encrypt_key for all that comes; the paths of the values that it has seen."""
        with changed(self.store) as document:
            done = {}
            for name in connections:
                section, key = self._open(document, name, part.OWNERS)
                _keep_an_owner(name, section, recipient)
                if part.remove_recipient(section, recipient):
                    part.seal(name, section, part.rekey(name, section, key))
                    done[name] = section
            if not done:
                raise ConfigError(f"{recipient}: is no recipient of {', '.join(connections)}")
        self._remember(done)
        return [f"{name}.{field}" for name, section in done.items() for field in section["values"]]

    def rotate(self, connections: Sequence[str]) -> None:
        """Give each of these a new encrypt_key."""
        with changed(self.store) as document:
            done = {}
            for name in connections:
                section, key = self._open(document, name, part.OWNERS)
                part.seal(name, section, part.rekey(name, section, key))
                done[name] = section
        self._remember(done)

    def _open(self, document: Document, connection: str, roles: Sequence[str]) -> tuple[dict[str, Any], bytes]:
        if connection not in document.sections:
            raise ConfigError(f"{document.path}: it does not have the connection {connection}")
        section = part.well_formed(document.path, connection, document.sections[connection])
        key = part.key_to_change(connection, section, self.identity, roles)
        self._ask(connection, section)
        return section, key

    def _new(self, document: Document, connection: str, like: str | None) -> tuple[dict[str, Any], bytes]:
        """A part whose recipients are named: `rekey` wraps for each, which of a KMS is a request."""
        section = document.sections[connection] = part.new_section()
        key = new_key()
        if like is None:
            if self.identity is None:
                raise ConfigError(f"{connection}: it is new, and needs an owner: make an identity by `secrets init`")
            part.name_recipient(section, "owner", recipient_of(self.identity))
            return section, key
        other, _ = self._open(document, like, part.OWNERS)
        # The new one may be a source, and staging is granted each connection by name.
        for role in part.SETTERS:
            for recipient in part.recipients_of(other, (role,)):
                part.name_recipient(section, role, recipient)
        return section, key

    def _ask(self, connection: str, section: dict[str, Any]) -> None:
        new = strangers(self.store, connection, part.recipients_of(section))
        own = recipient_of(self.identity) if self.identity else None
        if (others := [who for who in new if who != own]) and not self.agreed(connection, others):
            raise ConfigError(f"{connection}: not agreed to who can read it; nothing was done")

    def _remember(self, sections: dict[str, dict[str, Any]]) -> dict[str, list[str]]:
        """After the file is in place: who can read each."""
        found = {name: list(part.recipients_of(section)) for name, section in sections.items()}
        for name, recipients in found.items():
            agree(self.store, name, recipients)
        return found


def _keep_an_owner(connection: str, section: dict[str, Any], leaves: str, role: str = "") -> None:
    """Raise `ConfigError` where nobody could change the connection any more."""
    if role not in part.OWNERS and set(part.recipients_of(section, part.OWNERS)) <= {leaves}:
        raise ConfigError(f"{connection}: {leaves} is its only owner: grant another owner first")
