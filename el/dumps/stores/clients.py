"""The library's clients of object stores, each with the identity that the profile gives, or else the machine's."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from el.config.files_profile import FilesConfig
from el.errors import AuthenticationFailed, ConfigError, DriverMissing, to_install

if TYPE_CHECKING:
    from obstore.store import AzureStore, ClientConfig, GCSStore, RetryConfig, S3Store

    Client = S3Store | AzureStore | GCSStore

# A request is of one piece of a file: whoever has not answered by then will not.
_CLIENT: ClientConfig = {"connect_timeout": timedelta(seconds=10), "timeout": timedelta(seconds=120)}
_RETRY: RetryConfig = {
    "max_retries": 5,
    "retry_timeout": timedelta(seconds=120),
    "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=8), "base": 2},
}


# The process in which the library began its threads; one that was forked from it does not have them.
_begun_in: list[int] = []


def client(root: str, config: FilesConfig) -> Client:
    """root: "s3://bucket/". Raises `ConfigError` or `AuthenticationFailed`; nothing is asked of the server yet."""
    if not _begun_in:
        _begun_in.append(os.getpid())
    if _begun_in[0] != os.getpid():
        raise ConfigError(
            f"{root}: object storage cannot be read in a process that was forked from one that reads it: it would wait "
            "for ever; give the executor of processes mp_context=multiprocessing.get_context('spawn')"
        )
    scheme, _, place = root.partition("://")
    bucket = place.rstrip("/")
    options: ClientConfig = {**_CLIENT, "allow_http": (config.endpoint or "").startswith("http://")}
    if config.ca_file is not None:
        options["root_certificate"] = _read("ca_file", config.ca_file)
    try:
        return _CLIENTS[scheme](bucket, config, options)
    except (ConfigError, AuthenticationFailed):
        raise
    except ModuleNotFoundError as error:
        extra = "azure" if scheme == "az" else "aws"
        raise DriverMissing(f"{root}: this machine's identity is found by {error.name}: {to_install(extra)}") from None
    except Exception as error:
        # What a library says of a key that it cannot read may hold a piece of it.
        raise ConfigError(f"{root}: the profile's settings are not taken: {type(error).__name__}") from None


def _s3(bucket: str, config: FilesConfig, options: ClientConfig) -> S3Store:
    from obstore.store import S3Store

    settings: dict[str, Any] = _given(endpoint=config.endpoint, region=config.region)
    if config.anonymous:
        settings["skip_signature"] = True
        return S3Store(bucket, config=settings, client_options=options, retry_config=_RETRY)  # type: ignore[arg-type]
    provider = _aws_identity(config, bucket)
    region = getattr(provider, "config", {}).get("region")
    # Without a region, Amazon's own clients ask in the oldest one.
    settings.setdefault("region", region or "us-east-1")
    return S3Store(
        bucket,
        config=settings,  # type: ignore[arg-type]
        client_options=options,
        retry_config=_RETRY,
        credential_provider=provider,
    )


def _aws_identity(config: FilesConfig, bucket: str) -> Any:
    """A provider, not settings: the library would mix those with what the environment has."""
    if config.access_key_id is not None:
        return _StaticKeys(config)
    import boto3
    from botocore.exceptions import BotoCoreError
    from obstore.auth.boto3 import Boto3CredentialProvider

    try:
        return Boto3CredentialProvider(boto3.Session(profile_name=config.aws_profile))
    except (ValueError, BotoCoreError) as error:
        why = str(error) if isinstance(error, BotoCoreError) else "no credentials on this machine"
        raise AuthenticationFailed(
            f"s3://{bucket}: {why}: give `access_key_id` and `secret_access_key`, or `aws_profile`, or sign in"
        ) from None


class _StaticKeys:
    def __init__(self, config: FilesConfig) -> None:
        self._config = config

    def __call__(self) -> dict[str, Any]:
        return {
            "access_key_id": self._config.access_key_id,
            "secret_access_key": _text(self._config.secret_access_key),
            "token": _text(self._config.session_token),
            "expires_at": None,
        }


def _azure(container: str, config: FilesConfig, options: ClientConfig) -> AzureStore:
    from obstore.store import AzureStore

    if config.account is None and config.endpoint is None:
        raise ConfigError(f"az://{container}: `account` is missing: the name of the storage account")
    settings = _given(
        account_name=config.account,
        account_key=_text(config.account_key),
        sas_key=_text(config.sas_token),
        endpoint=config.endpoint,
        tenant_id=config.tenant_id,
        client_id=config.client_id,
        client_secret=_text(config.client_secret),
    )
    if config.anonymous:
        settings["skip_signature"] = True
    provider: Any = None
    if not (config.anonymous or config.account_key or config.sas_token or config.client_secret):
        from azure.identity import DefaultAzureCredential
        from obstore.auth.azure import AzureCredentialProvider

        identity = _given(managed_identity_client_id=config.client_id)
        provider = AzureCredentialProvider(DefaultAzureCredential(**identity))
    return AzureStore(
        container,
        config=settings,  # type: ignore[arg-type]
        client_options=options,
        retry_config=_RETRY,
        credential_provider=provider,
    )


def _google(bucket: str, config: FilesConfig, options: ClientConfig) -> GCSStore:
    from obstore.store import GCSStore

    settings: dict[str, Any] = {}
    if config.anonymous:
        settings["skip_signature"] = True
    elif config.service_account_key is not None:
        settings["service_account_key"] = _checked_key(_text(config.service_account_key) or "", bucket)
    elif config.service_account_path is not None:
        text = _read("service_account_path", config.service_account_path)
        settings["service_account_key"] = _checked_key(text, bucket)
    if config.endpoint is not None:
        settings["base_url"] = config.endpoint
    return GCSStore(bucket, config=settings, client_options=options, retry_config=_RETRY)  # type: ignore[arg-type]


def _checked_key(text: str, bucket: str) -> str:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict) or "private_key" not in found:
        raise ConfigError(f"gs://{bucket}: the service account's key is not the JSON that Google gives")
    return text


def _read(setting: str, path: str) -> str:
    try:
        return Path(path).expanduser().read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{setting}: {path}: {getattr(error, 'strerror', None) or 'is no text'}") from None


def _given(**settings: str | None) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if value is not None}


def _text(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


_CLIENTS: dict[str, Callable[[str, FilesConfig, ClientConfig], Client]] = {"s3": _s3, "az": _azure, "gs": _google}
