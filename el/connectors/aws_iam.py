"""Signing in to RDS and Aurora with the identity of AWS: a token in the place of a password, made for each connection.

A token is of one endpoint, port and user, and good for 15 minutes; only the sign-in looks at it (Amazon Aurora User
Guide, "IAM database authentication"). It is signed here, without a question to AWS, by whatever identity boto3 finds.

Guarantees: a token is kept nowhere, and stands in no message and no log.
"""

from __future__ import annotations

import re
from functools import cache
from threading import Lock
from typing import Any

from el.errors import CLEANERS, AuthenticationFailed, ConnectError, DriverMissing, to_install
from el.secrets.unheard import unheard

# China has both orders, and a partition of its own an ending of its own.
_ENDPOINT = re.compile(
    r"(?P<name>[^.]+)\.(?P<kind>proxy-|cluster-ro-|cluster-custom-|cluster-)?(?P<account>[a-z0-9]+)\."
    r"(?:(?P<region>[a-z0-9-]+)\.rds|rds\.(?P<region_behind>[a-z0-9-]+))\.(?P<end>[a-z0-9.]+)\.?",
    re.IGNORECASE,
)
_LOGGERS = ("botocore.auth", "botocore.signers", "botocore.hooks", "botocore.endpoint")
_TOKEN = re.compile(r"[\w.-]+:\d+/\?Action=connect[^\s'\"]*")
_signers = Lock()
# Of whatever library says it.
CLEANERS.append(lambda message: _TOKEN.sub("***", message))


def region_of(host: str) -> str | None:
    """The region that an endpoint of RDS or Aurora says in its name; None for another name."""
    found = _ENDPOINT.fullmatch(host)
    return None if found is None else (found["region"] or found["region_behind"]).lower()


def is_reader_endpoint(host: str) -> bool:
    """Whether it is the reader endpoint of a cluster: behind it are replicas, unless there is none."""
    found = _ENDPOINT.fullmatch(host)
    return found is not None and (found["kind"] or "").lower() == "cluster-ro-"


def bundle_hint(host: str) -> str:
    """Which file of authorities an endpoint of RDS needs, in words; "" for another host."""
    region = region_of(host)
    if region is None:
        return ""
    base = "truststore.pki.rds.amazonaws.com"
    if region.startswith("us-gov-"):
        base = f"truststore.pki.{region}.rds.amazonaws.com"
    elif region.startswith("cn-"):
        base = f"truststore.pki.{region}.rds.amazonaws.com.cn"
    return f"; Amazon's for this region is at https://{base}/{region}/{region}-bundle.pem"


def token(host: str, port: int, user: str, region: str, profile: str | None) -> str:
    """A new token for this user there. Raises `AuthenticationFailed` where this machine has no identity of AWS."""
    try:
        from botocore import exceptions as wrong
    except ModuleNotFoundError:
        raise DriverMissing(f"{host}:{port}: `auth: iam` needs boto3: {to_install('aws')}") from None
    why: ConnectError
    try:
        with unheard(*_LOGGERS):
            return str(_signer(region, profile).generate_db_auth_token(host, port, user))
    except (wrong.NoCredentialsError, wrong.PartialCredentialsError, wrong.ProfileNotFound) as error:
        why = AuthenticationFailed(
            f"{host}:{port}: `auth: iam` found no identity of AWS here ({type(error).__name__}): environment, "
            "`aws_profile`, or the machine's role"
        )
    except (wrong.TokenRetrievalError, wrong.SSOError, wrong.ClientError, wrong.UnauthorizedSSOTokenError) as error:
        why = AuthenticationFailed(f"{host}:{port}: AWS refused this machine's identity ({type(error).__name__})")
    except wrong.BotoCoreError as error:
        why = ConnectError(f"{host}:{port}: no token could be made ({type(error).__name__})", retryable=True)
    raise why


@cache
def _made(region: str, profile: str | None) -> Any:
    import boto3

    return boto3.Session(profile_name=profile).client("rds", region_name=region)


def _signer(region: str, profile: str | None) -> Any:
    """A client, which renews the identity itself. Making one is not for several threads at once."""
    with _signers:
        return _made(region, profile)
