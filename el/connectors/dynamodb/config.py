"""Which DynamoDB it is: a region of an account, or an endpoint; and as whom it is asked."""

from __future__ import annotations

from typing import ClassVar
from urllib.parse import urlsplit

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from el.connectors.base import ConnectionConfig
from el.connectors.question import Question

_HERE = ("localhost", "127.0.0.1", "::1")


class ExportTo(BaseModel):
    """Where point-in-time exports are written, and read from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bucket: str = Field(min_length=1)
    prefix: str = Field(default="el", min_length=1)


class DynamoDbConfig(ConnectionConfig):
    """A region of an account, and who signs in: keys, a profile of AWS's, or whatever identity this machine has."""

    names_database: ClassVar[tuple[str, ...]] = ("region", "endpoint", "role_arn")
    asks: ClassVar[tuple[Question, ...]] = (
        Question("region", "region, such as eu-central-1"),
        Question(
            "access_key_id", "access key; empty for what AWS's own tools find", optional=True, unless=("aws_profile",)
        ),
        Question("secret_access_key", "secret of the access key", optional=True, unless=("aws_profile",)),
    )

    region: str = Field(min_length=1)
    """Such as `eu-central-1`."""
    endpoint: str | None = None
    """A URL in the place of the region's own endpoint, such as one of a VPC or of DynamoDB Local."""
    access_key_id: str | None = Field(default=None, validation_alias=AliasChoices("access_key_id", "user"))
    """Without it AWS's own order holds: environment, `~/.aws`, the machine's role."""
    secret_access_key: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("secret_access_key", "password")
    )
    """Goes with `access_key_id`."""
    session_token: SecretStr | None = None
    """Of keys that end."""
    aws_profile: str | None = None
    """A profile of `~/.aws`."""
    role_arn: str | None = None
    """A role to assume, by the identity that was found."""
    external_id: SecretStr | None = None
    """What the role asks for besides."""
    tables: tuple[str, ...] = ()
    """These tables alone. Without it the right to list tables is needed."""
    consistent_read: bool = True
    """Each item as the last write left it. `false` costs half, and may miss what was written in the last second."""
    export: ExportTo | None = None
    """A bucket of S3, `{bucket: ..., prefix: ...}`: whole tables come out of a point-in-time export, not of a scan."""
    ssl_ca: str | None = None
    """A file with the authorities to trust, where those of the driver are not meant."""
    trust_cert: bool = False
    """Take a certificate that nobody signed."""
    login_timeout: int = Field(default=15, ge=1)
    """Seconds."""
    query_timeout: int = Field(default=60, ge=1)
    """Seconds for one page."""
    attempts: int = Field(default=10, ge=1)
    """How often a page is asked for, with longer and longer waits, before the read fails."""

    @field_validator("endpoint", mode="after")
    @classmethod
    def _a_url(cls, value: str | None) -> str | None:
        if value is not None and (urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).hostname):
            raise ValueError("an endpoint is a URL such as https://dynamodb.eu-central-1.amazonaws.com")
        if value is not None and urlsplit(value).username is not None:
            raise ValueError("name the server alone; keys are settings of their own")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> DynamoDbConfig:
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ValueError("`access_key_id` and `secret_access_key` go together")
        if self.access_key_id is not None and self.aws_profile is not None:
            raise ValueError("keys are given by `access_key_id` or by `aws_profile`, not by both")
        if self.external_id is not None and self.role_arn is None:
            raise ValueError("`external_id` goes with `role_arn`")
        return self

    @property
    def place(self) -> str:
        """The service for people."""
        return self.endpoint or f"DynamoDB in {self.region}"

    @property
    def plaintext(self) -> bool:
        """Whether values go to another machine over a line that is not encrypted."""
        found = urlsplit(self.endpoint or "")
        return found.scheme == "http" and found.hostname not in _HERE

    @property
    def amazons(self) -> bool:
        """Whether Amazon's own endpoints are asked, STS among them."""
        return self.endpoint is None or ".amazonaws.com" in (urlsplit(self.endpoint).hostname or "")
