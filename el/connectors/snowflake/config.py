"""Where a Snowflake account is and who signs in, out of a dbt-snowflake profile output.

A key pair comes first, since sign-in by password alone ends for all accounts; then an OAuth or programmatic access
token, workload identity, a browser; a password last. No secret stands in any repr.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, ClassVar

from pydantic import AliasChoices, Field, SecretStr, model_validator

from el.connectors.access import access_of
from el.connectors.base import ConnectionConfig
from el.connectors.origin import current_run
from el.connectors.question import Question

# Of one wait for the server, which answers a running statement every 45 seconds.
_SOCKET_SECONDS = 120
# Of a QUERY_TAG's 2000 characters (Snowflake documentation, "Parameters"), what the profile's own may take.
_OWN_TAG = 500


_KEYS = ("private_key", "private_key_path")
_NO_KEY = ("token", "password", "authenticator")


class SnowflakeConfig(ConnectionConfig):
    """The fields that dbt-snowflake has, and timeouts."""

    asks: ClassVar[tuple[Question, ...]] = (
        Question("account", "account, such as myorg-myaccount"),
        Question("user", "user"),
        Question(
            "private_key_path",
            "file of the private key; empty for another way to sign in",
            optional=True,
            unless=("private_key", "token", "password", "authenticator"),
        ),
        Question("private_key_passphrase", "passphrase of the key, if it has one", optional=True, unless=_NO_KEY),
        Question("password", "password", optional=True, unless=(*_KEYS, "token", "authenticator")),
        Question("role", "role", optional=True),
        Question("database", "database"),
        Question("warehouse", "warehouse that loads"),
    )
    beside_warehouse: ClassVar[Mapping[str, Any]] = {"schema": "PUBLIC", "threads": 8}

    account: str = Field(min_length=1)
    """The account's identifier, such as `myorg-myaccount`."""
    user: str | None = Field(default=None, validation_alias=AliasChoices("user", "username"))
    """Who signs in. The first way that is given counts: a key pair, `token`, `authenticator`, `password`."""
    private_key: SecretStr | None = None
    """The key itself: PEM, or the base64 of its DER."""
    private_key_path: str | None = None
    """A PEM file (PKCS#8)."""
    private_key_passphrase: SecretStr | None = None
    """What the key is encrypted with."""
    token: SecretStr | None = None
    """An OAuth or programmatic access token."""
    password: SecretStr | None = None
    """The last way to sign in: Snowflake ends it for most accounts."""
    authenticator: str | None = None
    """Such as `externalbrowser`, or `WORKLOAD_IDENTITY`."""
    workload_identity_provider: str | None = None
    """With `authenticator: WORKLOAD_IDENTITY`."""
    role: str | None = None
    """The role of the sessions."""
    database: str = Field(min_length=1)
    """The database of raw."""
    warehouse: str | None = None
    """The warehouse that loads."""
    schema_: str | None = Field(default=None, alias="schema")
    """The session's schema, for queries of your own; el names each table in full."""
    host: str | None = None
    """Only for an account behind a private link."""
    port: int | None = None
    """As `host`."""
    protocol: str | None = None
    """As `host`."""
    query_tag: str | None = None
    """Stands in each statement's QUERY_TAG, beside what el puts there."""
    login_timeout: int = Field(default=30, ge=1)
    """Seconds of a login."""
    network_timeout: int = Field(default=300, ge=1)
    """Seconds in which a request is tried again while nobody answers; it ends no statement that runs."""
    metadata_timeout: int = Field(default=300, ge=1)
    """Seconds of a statement that only looks at or changes definitions."""
    statement_timeout: int | None = Field(default=None, ge=1)
    """Seconds of any other statement; by default the account's own, two days."""

    @model_validator(mode="before")
    @classmethod
    def _empty_is_absent(cls, value: Any) -> Any:
        """env_var('...', '') in a profile means: not set."""
        return {k: v for k, v in value.items() if v != "" or k == "account"} if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _someone_signs_in(self) -> SnowflakeConfig:
        ways = (self.private_key, self.private_key_path, self.token, self.password, self.authenticator)
        if not any(ways):
            raise ValueError(
                "give `private_key_path` (a key pair), `token`, `authenticator`, or `password`; "
                "Snowflake documentation, Key-pair authentication, tells how to make one"
            )
        return self

    def known_as(self, scheme: str) -> tuple[str, str]:
        """OpenLineage's integration of dbt completes a locator of an account: the region, then the cloud."""
        parts = self.account.split(".")
        if "-" not in parts[0] and "_" not in parts[0] and len(parts) < 3:
            parts = [parts[0], parts[1] if len(parts) == 2 else "us-west-1", "aws"]
        return f"{scheme}://{'.'.join(parts)}", self.database

    def sign_in_note(self) -> str | None:
        """A password with no second factor ("Planning for the deprecation of single-factor password sign-ins")."""
        others = (self.private_key, self.private_key_path, self.token, self.workload_identity_provider)
        if self.password is None or any(others) or (self.authenticator or "snowflake").lower() != "snowflake":
            return None
        return (
            "it signs in to Snowflake with a password alone, which Snowflake ends for all but reader and trial "
            "accounts: take a key pair (`private_key_path`) or a workload identity (`authenticator: "
            "WORKLOAD_IDENTITY` and `workload_identity_provider`)"
        )

    def arguments(self) -> dict[str, Any]:
        """All arguments of the driver's `connect` but `paramstyle`; they hold secrets.

        The driver's own `network_timeout` is not among them: it cancels whatever statement takes longer.
        """
        parameters: dict[str, Any] = {
            "QUERY_TAG": self.tag(),
            "CLIENT_TELEMETRY_ENABLED": False,
            "TIMEZONE": "UTC",
            # A statement whose client died is ended, and does not change a table under the next run.
            "ABORT_DETACHED_QUERY": True,
            # What an account may have set otherwise: names in quotes keep their case, TIMESTAMP has no zone.
            "QUOTED_IDENTIFIERS_IGNORE_CASE": False,
            "TIMESTAMP_TYPE_MAPPING": "TIMESTAMP_NTZ",
        }
        if self.statement_timeout is not None:
            parameters["STATEMENT_TIMEOUT_IN_SECONDS"] = self.statement_timeout
        optional = {"role", "warehouse", "host", "port", "protocol", "user"}
        return {
            "account": self.account,
            "database": self.database,
            "schema": self.schema_,
            "login_timeout": self.login_timeout,
            "socket_timeout": _SOCKET_SECONDS,
            "backoff_policy": partial(_waits, self.network_timeout),
            "arrow_number_to_decimal": True,
            "client_session_keep_alive": True,
            "application": "el",
            "session_parameters": parameters,
            **{name: value for name in optional if (value := getattr(self, name)) is not None},
            **self.sign_in(),
        }

    def tag(self, said: str | None = None) -> str:
        """A QUERY_TAG: JSON with the role, the run where there is one, the profile's own tag, and what `said`, JSON
        too, has besides."""
        found: dict[str, Any] = {"app": "el"}
        if (run := current_run()) is not None:
            found["run"] = run
        found |= json.loads(said) if said else {}
        found["role"] = access_of(self.access)
        if self.query_tag:
            found["query_tag"] = self.query_tag[:_OWN_TAG]
        return json.dumps(found, ensure_ascii=False)

    def sign_in(self) -> dict[str, Any]:
        """The arguments with which the driver signs in, of the first way that is given; they hold secrets."""
        found: dict[str, Any] = {"authenticator": self.authenticator} if self.authenticator else {}
        passphrase = self.private_key_passphrase.get_secret_value() if self.private_key_passphrase else None
        if self.private_key is not None:
            return {"authenticator": "SNOWFLAKE_JWT", "private_key": _der(self.private_key, passphrase)}
        if self.private_key_path is not None:
            key = {"private_key_file": self.private_key_path, "private_key_file_pwd": passphrase}
            return {"authenticator": "SNOWFLAKE_JWT", **key}
        if self.token is not None:
            way = self.authenticator or "PROGRAMMATIC_ACCESS_TOKEN"
            return {"authenticator": way, "token": self.token.get_secret_value()}
        if self.workload_identity_provider is not None:
            found["workload_identity_provider"] = self.workload_identity_provider
        if self.password is not None:
            found["password"] = self.password.get_secret_value()
        return found


def _waits(seconds: int) -> Iterator[int]:
    """How long the driver waits before it sends a request once more; raises when it has done so for `seconds`.

    It asks for the first wait when it sends the request. A statement that runs long is no such case: the server answers
    every 45 seconds that it still runs.
    """
    from snowflake.connector.errors import OperationalError

    begun, wait = time.monotonic(), 1
    yield wait
    while time.monotonic() - begun < seconds:
        wait = min(16, wait * 2)
        yield wait
    raise OperationalError(f"no answer for {seconds} seconds (network_timeout)", errno=250003)


def _der(key: SecretStr, passphrase: str | None) -> bytes:
    """A private key, PEM or base64 of DER, as the DER bytes that the driver takes."""
    import base64

    from cryptography.hazmat.primitives import serialization

    text = key.get_secret_value().strip()
    secret = passphrase.encode() if passphrase else None
    if text.startswith("-----"):
        loaded = serialization.load_pem_private_key(text.encode(), password=secret)
    else:
        loaded = serialization.load_der_private_key(base64.b64decode(text), password=secret)
    return loaded.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
