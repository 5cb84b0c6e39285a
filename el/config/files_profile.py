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
    url: str = Field(min_length=1)  # the folder in which patterns begin: a path, or s3://bucket/folder, az://container
    stage: str | None = None  # the warehouse's external stage over the same folder
    endpoint: str | None = None  # of a private link, of a server that speaks the same protocol, or of a stand-in
    ca_file: str | None = None  # certificates, as PEM, that are trusted beside the well-known ones
    anonymous: bool = False  # a public bucket is read without a signature

    # s3://; without keys: environment, ~/.aws, the machine's role
    access_key_id: str | None = None
    secret_access_key: SecretStr | None = None
    session_token: SecretStr | None = None
    region: str | None = None
    aws_profile: str | None = None  # of ~/.aws

    # az://; without keys: environment, managed identity, `az login`
    account: str | None = None
    account_key: SecretStr | None = None
    sas_token: SecretStr | None = None
    tenant_id: str | None = None
    client_id: str | None = None
    client_secret: SecretStr | None = None

    # gs://; without a key: application default credentials
    service_account_key: SecretStr | None = None  # its JSON
    service_account_path: str | None = None

    # sftp://host:port/folder
    user: str | None = None
    password: SecretStr | None = None
    private_key_path: str | None = None
    private_key_passphrase: SecretStr | None = None
    host_key: str | None = None  # the server's public key, "ssh-ed25519 AAAA..."; without it: known_hosts
    known_hosts: str | None = None  # a file; without it ~/.ssh/known_hosts

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
