"""The keyring of the operating system: `keyring:SERVICE/USER`, as `keyring set SERVICE USER` put it there."""

from __future__ import annotations

from el.secrets.form import Name, library


def read(name: Name) -> str:
    """The password of this service and user."""
    keyring, errors = library("keyring", name, "keyring"), library("keyring.errors", name, "keyring")
    service, _, user = name.path.rpartition("/")
    try:
        found = keyring.get_password(service, user)
    except errors.NoKeyringError:
        raise name.gone("this machine has no keyring") from None
    except (errors.KeyringError, RuntimeError) as error:
        raise name.gone(f"the keyring refused it ({type(error).__name__})") from None
    if found is None:
        raise name.gone(f"the keyring has no password of {user} for {service}")
    return str(found)
