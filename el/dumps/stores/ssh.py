"""A connection to a server by SSH, to one whose key is known."""

from __future__ import annotations

import base64
import hashlib
import logging
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from el.config.files_profile import FilesConfig
from el.errors import (
    AuthenticationFailed,
    CertificateUntrusted,
    ConfigError,
    DriverMissing,
    ElError,
    ServerUnreachable,
    to_install,
)

if TYPE_CHECKING:
    from paramiko import PKey, SFTPClient, SSHClient

_SECONDS, _SILENT = 20, 120


def connect(root: str, config: FilesConfig) -> SFTPClient:
    """root: "sftp://host:port/". Raises a `ConnectError` of the kind that says what to do, or `ConfigError`."""
    try:
        import paramiko
    except ImportError:
        raise DriverMissing(f"files by sftp:// need paramiko: {to_install('sftp')}") from None
    host, port = _address(root)
    if config.user is None:
        raise ConfigError(f"{root}: `user` is missing in the profile")
    # It would write a page about each refusal, beside the one line that is said.
    logging.getLogger("paramiko").setLevel(logging.CRITICAL)
    client = paramiko.SSHClient()
    _trust(client, host, port, root, config)
    # Without a password or a key, those of the user's agent and folder are tried.
    own = config.password is None and config.private_key_path is None
    try:
        client.connect(
            host,
            port,
            config.user,
            password=_text(config.password),
            key_filename=None if config.private_key_path is None else str(Path(config.private_key_path).expanduser()),
            passphrase=_text(config.private_key_passphrase),
            allow_agent=own,
            look_for_keys=own,
            timeout=_SECONDS,
            banner_timeout=_SECONDS,
            auth_timeout=_SECONDS,
        )
        opened = client.open_sftp()
        # A server that says nothing for so long is away; one that is there answers in between.
        if (channel := opened.get_channel()) is not None:
            channel.settimeout(_SILENT)
            channel.get_transport().set_keepalive(_SECONDS)
        return opened
    except BaseException as error:
        client.close()
        if isinstance(error, Exception):
            raise _refusal(root, config, error) from None
        raise


def _address(root: str) -> tuple[str, int]:
    found = urlsplit(root)
    try:
        port = found.port or 22
    except ValueError:
        port = 0
    if not found.hostname or not port:
        raise ConfigError(f"{root}: a host, and a port if it is not 22, stand after sftp://")
    return found.hostname, port


def _trust(client: SSHClient, host: str, port: int, root: str, config: FilesConfig) -> None:
    """The keys that the server may have: the one of the profile alone, else those of a file."""
    import paramiko

    class Refuse(paramiko.MissingHostKeyPolicy):
        def missing_host_key(self, client: SSHClient, hostname: str, key: PKey) -> None:
            raise CertificateUntrusted(
                f"{root}: the server's key is not known: it shows {_shown(key)}; ask its owner whether that is its "
                "key, and set `host_key` in the profile, or add it to known_hosts"
            )

    client.set_missing_host_key_policy(Refuse())
    if config.host_key is not None:
        try:
            kind, data = config.host_key.split()[:2]
            key = paramiko.PKey.from_type_string(kind, base64.b64decode(data))
        except Exception:
            raise ConfigError(f"{root}: `host_key` is a line such as ssh-ed25519 AAAA...") from None
        client.get_host_keys().add(host if port == 22 else f"[{host}]:{port}", kind, key)
        return
    path = Path(config.known_hosts or "~/.ssh/known_hosts").expanduser()
    if path.exists():
        client.load_host_keys(str(path))
    elif config.known_hosts is not None:
        raise ConfigError(f"{root}: known_hosts: there is no file {path}")


def _shown(key: PKey) -> str:
    """As ssh-keygen -l shows it."""
    digest = base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode().rstrip("=")
    return f"{key.get_name()} SHA256:{digest}"


def _refusal(root: str, config: FilesConfig, error: Exception) -> ElError:
    import paramiko

    if isinstance(error, ElError):
        return error
    if isinstance(error, paramiko.BadHostKeyException):
        return CertificateUntrusted(
            f"{root}: the server's key is another one than the one that is known: it shows {_shown(error.key)}; "
            "nothing was sent to it; ask its owner"
        )
    if isinstance(error, paramiko.PasswordRequiredException):
        return ConfigError(f"{root}: private_key_path: the key has a passphrase: set `private_key_passphrase`")
    if isinstance(error, paramiko.AuthenticationException):
        return AuthenticationFailed(f"{root}: the login of {config.user} was refused: check its password or key")
    if "No authentication methods" in str(error):
        return AuthenticationFailed(f"{root}: no key of {config.user} is here: set `password` or `private_key_path`")
    if isinstance(error, socket.gaierror):
        return ServerUnreachable(f"{root}: no such host: check `url` and the network")
    if isinstance(error, FileNotFoundError):
        return ConfigError(f"{root}: private_key_path: there is no file {config.private_key_path}")
    if isinstance(error, ValueError) or "private key" in str(error).lower():
        return ConfigError(f"{root}: private_key_path: {config.private_key_path} is no private key that can be read")
    return ServerUnreachable(f"{root}: the server does not answer ({_why(error)})")


def _why(error: Exception) -> str:
    inner: dict[Any, Exception] = getattr(error, "errors", {})
    if isinstance(inner, dict) and inner:
        error = next(iter(inner.values()))
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _text(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()
