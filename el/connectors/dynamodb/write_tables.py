"""The tables of a write: the ledger of runs, and a target that is not there yet."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pyarrow as pa
from botocore.exceptions import ClientError

from el.connectors.catalog import TableName
from el.connectors.documents.arrow_values import is_text
from el.connectors.dynamodb.errors import DENIED, code_of
from el.connectors.dynamodb.tables import KeyPart, described, key_of
from el.errors import WriteError

LEDGER, RUN = "_el_writes", "run"
# The service makes a table in some seconds.
_WAIT = {"Delay": 1, "MaxAttempts": 120}


def parts_of(client: Any, name: str) -> tuple[KeyPart, ...] | None:
    """The key of a table; None where it is not there."""
    said = described(client, name)
    return None if said is None else key_of(said)


def make_ledger(client: Any) -> None:
    """The table of the runs that were applied. Whoever may not make it is told how."""
    if parts_of(client, LEDGER) is None:
        try:
            _make(client, LEDGER, (KeyPart(RUN, "S", RUN),))
        except ClientError as error:
            if code_of(error) != DENIED:
                raise
            raise WriteError(
                f"there is no table {LEDGER} for the runs that were applied, and this login may not make it: "
                f"aws dynamodb create-table --table-name {LEDGER} --attribute-definitions "
                f"AttributeName={RUN},AttributeType=S --key-schema AttributeName={RUN},KeyType=HASH "
                "--billing-mode PAY_PER_REQUEST"
            ) from None


def make_table(client: Any, target: TableName, schema: pa.Schema, key: Sequence[str]) -> tuple[KeyPart, ...]:
    """A table with this key, of one attribute or two, paid by request."""
    if not 1 <= len(key) <= 2 or any(name not in schema.names for name in key):
        raise WriteError(f"there is no table {target}, and to make it takes a `key` of one or two columns of the data")
    parts = tuple(KeyPart(name, _key_type(target, schema.field(name)), name) for name in key)
    _make(client, target.name, parts)
    return parts


def _key_type(target: TableName, field: pa.Field) -> str:
    if is_text(field.type):
        return "S"
    if pa.types.is_integer(field.type) or pa.types.is_decimal(field.type):
        return "N"
    if (
        pa.types.is_binary(field.type)
        or pa.types.is_large_binary(field.type)
        or pa.types.is_fixed_size_binary(field.type)
    ):
        return "B"
    raise WriteError(f"{target}.{field.name}: a key is text, a number or bytes, not {field.type}")


def _make(client: Any, name: str, parts: Sequence[KeyPart]) -> None:
    with suppress(client.exceptions.ResourceInUseException):
        client.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[
                {"AttributeName": part.attribute, "KeyType": role}
                for part, role in zip(parts, ("HASH", "RANGE"), strict=False)
            ],
            AttributeDefinitions=[{"AttributeName": part.attribute, "AttributeType": part.type} for part in parts],
        )
    client.get_waiter("table_exists").wait(TableName=name, WaiterConfig=_WAIT)
