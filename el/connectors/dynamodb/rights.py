"""What a login of each role needs of DynamoDB: the IAM policy that gives it, and whether this login holds it.

Service Authorization Reference, "Actions, resources, and condition keys for Amazon DynamoDB".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from botocore.exceptions import ClientError

from el.connectors.access import Access
from el.connectors.check import Check, fine, warn, wrong
from el.connectors.dynamodb.config import DynamoDbConfig, ExportTo
from el.connectors.dynamodb.errors import DENIED, action_of, code_of
from el.connectors.dynamodb.export import recovers, recovery_on
from el.connectors.dynamodb.tables import GAIN, STREAM, described
from el.connectors.rights import SourceNeeds, TableNeed, WarehouseNeeds, as_comment, collected

READ = ("dynamodb:DescribeTable", "dynamodb:Scan")
STATE = ("dynamodb:DescribeContinuousBackups",)
FOLLOW = ("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator")
WRITE = (
    "dynamodb:DescribeTable",
    "dynamodb:CreateTable",
    "dynamodb:GetItem",
    "dynamodb:BatchGetItem",
    "dynamodb:PutItem",
    "dynamodb:UpdateItem",
    "dynamodb:DeleteItem",
    "dynamodb:ConditionCheckItem",
)


def script(config: DynamoDbConfig, needs: SourceNeeds | WarehouseNeeds) -> str:
    """The policy of a role, for `aws iam put-role-policy --policy-document`."""
    if isinstance(needs, WarehouseNeeds) or needs.access is Access.STAGING:
        return as_comment("DynamoDB holds no staging data: nothing is granted.") + "\n"
    named = sorted({need.name.name for need in needs.tables}) or list(config.tables) or ["*"]
    followed = sorted(need.name.name for need in needs.tables if _follows(need))
    statements = [_allow("Read", (*READ, *STATE), [_arn(config, f"table/{name}") for name in named])]
    if not config.tables:
        # It has no resource of its own.
        statements.append(_allow("ListTables", ("dynamodb:ListTables",), ["*"]))
    if followed:
        statements.append(_allow("Follow", FOLLOW, [_arn(config, f"table/{name}/stream/*") for name in followed]))
    if config.export is not None:
        statements += _export(config, config.export, named)
    if needs.writes or needs.access is Access.ENGINEER:
        written = sorted({*named, "_el_writes"} - {"*"}) if named != ["*"] else ["*"]
        statements.append(_allow("WriteBufferAlone", WRITE, [_arn(config, f"table/{name}") for name in written]))
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=2) + "\n"


def _export(config: DynamoDbConfig, to: ExportTo, tables: Sequence[str]) -> Iterator[dict[str, Any]]:
    yield _allow("Export", ("dynamodb:ExportTableToPointInTime",), [_arn(config, f"table/{name}") for name in tables])
    exports = [_arn(config, f"table/{name}/export/*") for name in tables]
    yield _allow("ExportState", ("dynamodb:DescribeExport",), exports)
    files = f"arn:{_partition(config)}:s3:::{to.bucket}/{to.prefix}/*"
    yield _allow("ExportFiles", ("s3:PutObject", "s3:GetObject"), [files])


def _follows(need: TableNeed) -> bool:
    return need.follow == "changes" or STREAM in (need.follow, *need.feeds)


def _allow(name: str, actions: Sequence[str], resources: Sequence[str]) -> dict[str, Any]:
    return {"Sid": name, "Effect": "Allow", "Action": list(actions), "Resource": list(resources)}


def _arn(config: DynamoDbConfig, what: str) -> str:
    return f"arn:{_partition(config)}:dynamodb:{config.region}:*:{what}"


def _partition(config: DynamoDbConfig) -> str:
    region = config.region
    return "aws-cn" if region.startswith("cn-") else "aws-us-gov" if region.startswith("us-gov-") else "aws"


def checks(client: Any, config: DynamoDbConfig, needs: SourceNeeds | WarehouseNeeds) -> Sequence[Check]:
    """Each call that a read makes, tried with one item of each table."""
    return collected(_checks(client, config, needs))


def _checks(client: Any, config: DynamoDbConfig, needs: SourceNeeds | WarehouseNeeds) -> Iterator[Check]:
    tables = needs.tables if isinstance(needs, SourceNeeds) else ()
    lacking: list[str] = []
    for need in tables:
        name = need.name.name
        for call in (
            lambda name=name: client.describe_table(TableName=name),
            lambda name=name: client.scan(TableName=name, Limit=1),
        ):
            if (action := _refused(call)) is not None:
                lacking.append(f"{action} on {name}")
    if lacking:
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        yield wrong("rights", f"this identity may not {lacking[0]}{more}", "the policy that `grants` prints")
    else:
        yield fine("rights", f"this identity may read {len(tables)} tables")
    if not config.tables and _refused(lambda: client.list_tables(Limit=1)) is not None:
        yield wrong("rights", "this identity may not dynamodb:ListTables", "give it, or name `tables` in the profile")
    if config.plaintext:
        yield warn("line", "the endpoint is not encrypted: all values can be read on the line", "https://")
    elif config.trust_cert:
        yield warn("line", "the server's certificate is not checked: another one could be the server", "ssl_ca")
    if not lacking:
        for need in tables:
            yield from _states(client, need)


def _states(client: Any, need: TableNeed) -> Iterator[Check]:
    """What is on that a table's changes and exports need."""
    name = need.name.name
    stream = (described(client, name) or {}).get("StreamSpecification") or {}
    view = str(stream.get("StreamViewType")) if stream.get("StreamEnabled") else None
    if _follows(need) and view is None:
        yield wrong("stream", f"{name} has no stream, and its changes are asked for", _turn_on(name))
    else:
        yield fine("stream", f"{name}: {view or 'no stream'}", "" if view else _turn_on(name))
    try:
        on = recovers(client, name)
    except ClientError:
        yield warn("backups", f"{name}: whether point-in-time recovery is on is not told", f"{STATE[0]}")
        return
    if on is not None:
        gain = f"with `export` in the profile {recovery_on(name)} gives {GAIN}"
        yield fine("backups", f"{name}: point-in-time recovery is {'on' if on else 'off'}", "" if on else gain)


def _turn_on(name: str) -> str:
    return (
        f"aws dynamodb update-table --table-name {name} --stream-specification "
        "StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES"
    )


def _refused(call: Callable[[], Any]) -> str | None:
    """The action that is missing for this call; None where it may be made."""
    try:
        call()
    except ClientError as error:
        if code_of(error) == DENIED:
            return action_of(error) or f"dynamodb:{error.operation_name}"
        raise
    return None
