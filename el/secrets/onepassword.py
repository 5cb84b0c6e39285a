"""1Password: `op://VAULT/ITEM/FIELD`, its own references, through its own command `op`."""

from __future__ import annotations

import shutil
import subprocess

from el.errors import ConfigError
from el.secrets.form import Name

_SECONDS = 60  # `op` may wait for somebody's finger


def read(name: Name) -> str:
    """What `op read` gives; it signs in by OP_SERVICE_ACCOUNT_TOKEN, a Connect server, or the desktop app."""
    command = shutil.which("op")
    if command is None:
        raise ConfigError(
            f"{name}: 1Password's command `op` is not installed: developer.1password.com/docs/cli/get-started"
        )
    try:
        done = subprocess.run(
            [command, "read", "--no-newline", name.path],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
        text = done.stdout.decode("utf-8")
    except subprocess.TimeoutExpired:
        # Without its cause, which holds what `op` had said by then.
        raise name.gone(f"`op` did not answer for {_SECONDS} seconds", retryable=True) from None
    except (OSError, UnicodeDecodeError) as error:
        raise name.gone(f"`op` cannot be asked ({type(error).__name__})") from None
    if done.returncode != 0:
        raise name.gone(f"`op` refused it (exit code {done.returncode}): try `op read` with this reference")
    return text
