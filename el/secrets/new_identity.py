"""A new identity of age, for a person who has none."""

from __future__ import annotations

import os
from pathlib import Path

import pyrage

from el.errors import ConfigError, to_install
from el.secrets.identity import find_identity, own_file, refuse_beside

KEYRING = ("el", "identity")


def make_identity(store: Path, *, in_keyring: bool = False) -> tuple[str, str]:
    """The identity, and where it is; the one that there is, if there is one. Raises `ConfigError`."""
    if (own := find_identity(store)) is not None:
        return own, "the one that is there"
    identity = str(pyrage.x25519.Identity.generate())
    if in_keyring:
        return _in_keyring(identity)
    path = own_file()
    refuse_beside(path, store)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "w") as file:
                file.write(f"{identity}\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            # A piece of it would be taken for the identity, and be none.
            path.unlink()
            raise
    except OSError as error:
        raise ConfigError(f"{path}: it cannot be made: {error.strerror}") from None
    return identity, str(path)


def _in_keyring(identity: str) -> tuple[str, str]:
    """The one that the keyring has already stays: another one in its place would open nothing of the store."""
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        raise ConfigError(f"a library is missing: {to_install('keyring')}") from None
    try:
        own = keyring.get_password(*KEYRING)
        if own is None:
            keyring.set_password(*KEYRING, identity)
    except KeyringError as error:
        raise ConfigError(f"the operating system's keyring did not take it ({type(error).__name__})") from None
    return own or identity, f"the keyring: set EL_IDENTITY=keyring:{'/'.join(KEYRING)}"
