"""boto3's low-level clients: of DynamoDB and of its streams, over one session.

Guarantee: a page of a scan is its bytes as the service sent them, checked by their checksum; nothing made floats or
Python values of them. A page that fails is asked for again, with longer and longer waits.
Amazon DynamoDB Developer Guide, "DynamoDB low-level API": the header X-Amz-Crc32.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from threading import Lock
from typing import Any

import boto3
from botocore.client import BaseClient
from botocore.config import Config
from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials
from botocore.session import Session, get_session

from el.connectors.dynamodb.config import DynamoDbConfig
from el.errors import AuthenticationFailed, ReadError

BODY = "ElBody"
# What these log at their finest holds values, or tokens.
LOGGERS = ("botocore.auth", "botocore.endpoint", "botocore.parsers", "botocore.hooks", "botocore.credentials")
# Making one is not for several threads at once.
_making = Lock()


def session_of(config: DynamoDbConfig) -> Any:
    """A session of boto3's as who the profile says. Raises `AuthenticationFailed` where there is no identity."""
    with _making:
        core = get_session()
        core.set_config_variable("profile", config.aws_profile)
        secret, token = config.secret_access_key, config.session_token
        if config.access_key_id is not None and secret is not None:
            core.set_credentials(
                config.access_key_id, secret.get_secret_value(), token.get_secret_value() if token else None
            )
        own = core.get_credentials()
        if own is None:
            raise AuthenticationFailed(
                f"{config.place}: no identity of AWS here: give `access_key_id` and `secret_access_key`, or "
                "`aws_profile`, or sign in"
            )
        if config.role_arn is not None:
            core._credentials = _assumed(core, own, config)
        return boto3.Session(botocore_session=core, region_name=config.region)


def client_of(session: Any, config: DynamoDbConfig, service: str, name: str) -> Any:
    """A client of a service. name: what the server is told of who asks."""
    with _making:
        client: BaseClient = session.client(
            service,
            endpoint_url=config.endpoint,
            verify=False if config.trust_cert else config.ssl_ca,
            config=Config(
                connect_timeout=config.login_timeout,
                read_timeout=config.query_timeout,
                retries={"mode": "standard", "total_max_attempts": config.attempts},
                user_agent_extra=name.replace(" ", "/"),
            ),
        )
    client.meta.events.register("before-parse.dynamodb.Scan", _kept)
    return client


def _assumed(core: Session, own: Any, config: DynamoDbConfig) -> Any:
    """The identity of a role, which is renewed before it ends."""
    more = {"RoleSessionName": "el"}
    if config.external_id is not None:
        more["ExternalId"] = config.external_id.get_secret_value()
    fetcher = AssumeRoleCredentialFetcher(core.create_client, own, config.role_arn, extra_args=more)
    return DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")


def _kept(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any) -> None:
    """Keep the body of a page from the driver's parser."""
    if response_dict["status_code"] != 200:
        return
    body = response_dict["body"]
    headers: Mapping[str, str] = response_dict["headers"]
    told = headers.get("x-amz-crc32")
    if told is not None and int(told) != zlib.crc32(body):
        raise ReadError("a page of DynamoDB arrived damaged: its checksum is another one", retryable=True)
    customized_response_dict[BODY] = body
    response_dict["body"] = b"{}"
