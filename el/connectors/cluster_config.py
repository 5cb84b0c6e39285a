"""What a profile says of a database that is a cluster: one writer, readers beside it, and how one signs in there."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Literal, Self

from pydantic import AliasChoices, Field, SecretStr, field_validator, model_validator

from el.connectors.aws_iam import is_reader_endpoint, region_of, token
from el.connectors.base import ConnectionConfig


class ClusterConfig(ConnectionConfig):
    """Where the writer is, if it is another one than `host`, and as whom to sign in."""

    host: str
    port: int
    user: str
    password: SecretStr | None = None
    writer_host: str | None = None
    """The endpoint of the cluster's writer, where `host` is that of its readers: logs of changes are followed there,
    and rows are written there.
    """
    auth: Literal["password", "iam"] = Field(default="password", validation_alias=AliasChoices("auth", "method"))
    """`iam` makes a token of AWS for each connection, for the endpoint as it is named here."""
    region: str | None = None
    """Of the endpoint, where its name does not say it."""
    aws_profile: str | None = Field(default=None, validation_alias=AliasChoices("aws_profile", "iam_profile"))
    """Whose identity in `~/.aws`; else what Amazon's tools find."""

    @property
    @abstractmethod
    def open_line(self) -> str | None:
        """The setting by which somebody else could read what is sent, or be the server; None where there is none."""

    @field_validator("auth", mode="before")
    @classmethod
    def _other_words(cls, value: Any) -> Any:
        return "password" if value == "database" else value

    @model_validator(mode="after")
    def _a_token_is_safe(self) -> Self:
        if self.auth != "iam":
            return self
        if self.password is not None:
            raise ValueError("`auth: iam` makes a token for each connection, and takes no `password`")
        if self.open_line is not None:
            raise ValueError(
                f"`auth: iam` sends a token with which whoever reads it can sign in: `{self.open_line}` is not possible"
            )
        for host in filter(None, (self.host, self.writer_host)):
            if self.region is None and region_of(host) is None:
                raise ValueError(
                    f"`auth: iam`: {host} is no endpoint of RDS or Aurora, whose name has the region in it: give the "
                    "endpoint itself, for which the token is made, or `region`"
                )
        return self

    def password_now(self) -> str:
        """What to sign in with this time; "" for nothing."""
        if self.auth == "iam":
            region = self.region or region_of(self.host) or ""
            return token(self.host, self.port, self.user, region, self.aws_profile)
        return self.password.get_secret_value() if self.password else ""

    @property
    def refused(self) -> str:
        """What to look at where the server refuses the user."""
        if self.auth != "iam":
            return "check user and password"
        return (
            "check that the user signs in by IAM there, and that this machine's identity has rds-db:connect for it "
            "(`auth: iam`)"
        )

    @property
    def is_of_aws(self) -> bool:
        """Whether the server is Aurora or RDS, as far as the profile says; some rights have other names there."""
        return self.auth == "iam" or region_of(self.host) is not None

    def at_writer(self) -> Self | None:
        """The same at the writer; None where `host` is the writer, as far as the profile says."""
        if self.writer_host is None or self.writer_host.lower() == self.host.lower():
            return None
        return self.model_copy(update={"host": self.writer_host, "writer_host": None})

    @property
    def names_a_reader(self) -> bool:
        return is_reader_endpoint(self.host)
