"""Where files are and who signs in there: an output of profiles.yml with `type: files`.

Without keys, the identity of the machine is taken, as the vendor's own tools find it. No secret stands in any repr.
"""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from el.secrets.fields import secret_fields

# Signatures that let whoever has the address in: of Azure ("sig"), Amazon and Google.
_SIGNED = re.compile(r"[?&](sig|signature|x-amz-signature|x-goog-signature|x-amz-security-token)=", re.IGNORECASE)
SCHEMES = ("file", "s3", "az", "gs", "sftp")
FILES = "files"


class FilesConfig(BaseModel):
    """The settings; which of them count depends on the scheme of `url`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["files"] = "files"
    """Always `files`: el's own type, not dbt's."""
    url: str = Field(min_length=1)
    """The folder in which patterns begin: a path, `s3://bucket/folder`, `az://container`, `gs://bucket`,
    `sftp://host:22/folder`.
    """
    stage: str | None = None
    """The warehouse's external stage over the same folder, out of which it reads parquet by itself."""
    endpoint: str | None = None
    """Of a private link, or of a server that speaks the protocol of S3, Azure or Google."""
    ca_file: str | None = None
    """Certificates, as PEM, that are trusted beside the well-known ones."""
    anonymous: bool = False
    """A public bucket is read without a signature."""

    access_key_id: str | None = None
    """S3. Without keys: what Amazon's tools find, in the environment, in `~/.aws`, or as the machine's role."""
    secret_access_key: SecretStr | None = None
    """S3; goes with `access_key_id`."""
    session_token: SecretStr | None = None
    """S3; of a key that is lent for a while."""
    region: str | None = None
    """S3."""
    aws_profile: str | None = None
    """S3: whose keys in `~/.aws`."""

    account: str | None = None
    """Azure: the storage account. Without a key: environment, managed identity, `az login`."""
    account_key: SecretStr | None = None
    """Azure."""
    sas_token: SecretStr | None = None
    """Azure; in the place of `account_key`."""
    tenant_id: str | None = None
    """Azure; with `client_id` and `client_secret`, in the place of `account_key`."""
    client_id: str | None = None
    """Azure; see `tenant_id`."""
    client_secret: SecretStr | None = None
    """Azure; see `tenant_id`."""

    service_account_key: SecretStr | None = None
    """Google: the key's JSON. Without it: application default credentials."""
    service_account_path: str | None = None
    """Google: a file with the key's JSON."""

    user: str | None = None
    """SFTP. Without a password or a key: the keys of the user's agent and folder."""
    password: SecretStr | None = None
    """SFTP."""
    private_key_path: str | None = None
    """SFTP: a file with the private key."""
    private_key_passphrase: SecretStr | None = None
    """SFTP: what the private key is encrypted with."""
    host_key: str | None = None
    """SFTP: the server's public key, `ssh-ed25519 AAAA...`. A server that is not known gets no login."""
    known_hosts: str | None = None
    """SFTP: a file with the server's public key; without it `~/.ssh/known_hosts`."""

    @model_validator(mode="before")
    @classmethod
    def _empty_is_absent(cls, value: Any) -> Any:
        """env_var('...', '') in a profile means: not set."""
        return {k: v for k, v in value.items() if v != "" or k == "url"} if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _keys_are_whole(self) -> FilesConfig:
        scheme, found, _ = self.url.partition("://")
        if found and scheme not in SCHEMES:
            raise ValueError(f"{scheme}:// is not known; there are: {', '.join(f'{name}://' for name in SCHEMES)}")
        for name, text in (("url", self.url), ("endpoint", self.endpoint)):
            refuse_login(name, text or "")
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ValueError("`access_key_id` and `secret_access_key` go together")
        service = (self.tenant_id, self.client_id, self.client_secret)
        if self.client_secret is not None and None in service:
            raise ValueError("`tenant_id`, `client_id` and `client_secret` go together")
        if self.endpoint is not None and "://" not in self.endpoint:
            raise ValueError("`endpoint` begins with https:// or http://")
        return self

    def secrets(self) -> list[str]:
        """Every secret, as text: none may stand in a message."""
        found = (getattr(self, name) for name in type(self).model_fields)
        return [value.get_secret_value() for value in found if isinstance(value, SecretStr)]


def refuse_login(name: str, uri: str) -> None:
    """Raise `ValueError` for an address with a login in it: addresses stand in plans, in ledgers and in logs."""
    _, found, place = uri.partition("://")
    if found and ("@" in place.partition("/")[0] or _SIGNED.search(uri)):
        raise ValueError(f"user, password and signature stand in settings of a profile of their own, not in `{name}`")


# The names of the settings: of those that are no flags, and of the flags.
FLAGS = frozenset(name for name, field in FilesConfig.model_fields.items() if field.annotation is bool)
TEXTS = frozenset(FilesConfig.model_fields) - FLAGS
SECRETS = secret_fields(FilesConfig)
