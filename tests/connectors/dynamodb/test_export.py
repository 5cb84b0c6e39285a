"""A point-in-time export: every item once, by the manifest's counts and checksums, or an error.

No export of the service itself was at hand: see tests/connectors/dynamodb/exports.py. What asks for an export runs
against moto, which writes no files.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from el.connectors.catalog import TableName
from el.connectors.dynamodb import DynamoDb, export
from el.connectors.dynamodb.config import ExportTo
from el.connectors.dynamodb.export import Export
from el.connectors.dynamodb.items import text_of
from el.connectors.request import Condition, Op, ReadRequest
from el.errors import ReadError
from tests.connectors.dynamodb.conftest import Shop
from tests.connectors.dynamodb.exports import FOLDER, Bucket
from tests.connectors.dynamodb.exports import files as exported

ITEMS = [
    {"id": {"S": "1"}, "n": {"N": "12345678901234567890123456789012345678"}, "b": {"B": "AP8="}},
    {"id": {"S": "2"}, "m": {"M": {"l": {"L": [{"NULL": True}, {"BS": ["AA==", "/w=="]}]}}}, "no": {"BOOL": False}},
    {"id": {"S": "Größe 😀\n"}, "sets": {"NS": ["2", "1.5"]}},
]


class Service:
    """One that has the export ready after so many questions, or says why not."""

    def __init__(self, waits: int = 2, fails: bool = False) -> None:
        self.waits, self.fails = waits, fails

    def describe_table(self, **_: Any) -> dict[str, Any]:
        return {"Table": {"TableArn": "arn:aws:dynamodb:eu-central-1:1:table/orders"}}

    def export_table_to_point_in_time(self, **asked: Any) -> dict[str, Any]:
        assert (asked["S3Bucket"], asked["S3Prefix"], asked["ExportFormat"]) == ("bucket", "el", "DYNAMODB_JSON")
        return {"ExportDescription": {"ExportArn": "arn:export", "ExportStatus": "IN_PROGRESS"}}

    def describe_export(self, **_: Any) -> dict[str, Any]:
        self.waits -= 1
        if self.waits >= 0:
            return {"ExportDescription": {"ExportStatus": "IN_PROGRESS"}}
        if self.fails:
            said = {"FailureCode": "S3AccessDenied", "FailureMessage": "no right to write"}
            return {"ExportDescription": {"ExportStatus": "FAILED", **said}}
        return {"ExportDescription": {"ExportStatus": "COMPLETED", "ExportManifest": f"{FOLDER}/manifest-summary.json"}}


def files(with_prefix: bool = True, plain_sum: bool = False) -> dict[str, bytes]:
    """Two files with items, and an empty one, as of a partition without any."""
    return exported([ITEMS[:2], ITEMS[2:], []], with_prefix=with_prefix, plain=plain_sum)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export.time, "sleep", lambda seconds: None)


def items(found: dict[str, bytes], service: Any = None) -> list[dict[str, Any]]:
    made = Export(service or Service(), Bucket(found), "orders", ExportTo(bucket="bucket", prefix="el"))
    return [item for item, _ in made.items()]


@pytest.mark.parametrize("with_prefix", [True, False])
@pytest.mark.parametrize("plain_sum", [True, False])
def test_an_export_has_each_item_with_its_types(with_prefix: bool, plain_sum: bool) -> None:
    found = items(files(with_prefix, plain_sum))
    assert found[0]["b"] == {"B": b"\x00\xff"}
    assert [text_of(item) for item in found] == [text_of(item) for item in ITEMS], "the text that a scan gives"


def test_a_file_of_several_parts_of_gzip_is_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "_CHUNK", 7)
    found = files()
    key = f"{FOLDER}/data/a.json.gz"
    lines = gzip.decompress(found[key]).splitlines(keepends=True)
    found[key] = b"".join(gzip.compress(line) for line in lines)
    manifest = f"{FOLDER}/manifest-files.json"
    told = [json.loads(line) for line in found[manifest].splitlines()]
    told[0]["md5Checksum"] = base64.b64encode(hashlib.md5(found[key]).digest()).decode()
    found[manifest] = "\n".join(json.dumps(line) for line in told).encode()
    assert len(items(found)) == len(ITEMS)


def test_a_run_reads_a_table_out_of_its_export_as_a_scan_gives_it(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.store.table("orders")
    shop.store.put("orders", {"id": {"S": "1"}, "b": {"B": b"\x00\xff"}})
    service, client = Service(), shop.store.client
    monkeypatch.setattr(client, "export_table_to_point_in_time", service.export_table_to_point_in_time, raising=False)
    monkeypatch.setattr(client, "describe_export", service.describe_export, raising=False)
    monkeypatch.setattr(DynamoDb, "client", client)
    monkeypatch.setattr(DynamoDb, "_store", lambda self: Bucket(files()))
    shop.take("orders, strategy: full, partitions: 2", export={"bucket": "bucket", "prefix": "el"})
    assert shop.run()["orders"]["rows"] == len(ITEMS)
    assert shop.raw("SELECT id, document FROM raw.orders ORDER BY id") == sorted(
        (item["id"]["S"], text_of(item).decode()) for item in ITEMS
    )
    asked = ReadRequest(table=TableName("dynamodb", "orders"), where=(Condition("id", Op.NOT_NULL),))
    with shop.store.opened(export={"bucket": "bucket"}) as source, pytest.raises(ReadError, match="without conditions"):
        source.read_buffer(asked)
    said = shop.el("grants", "--role", "owner")
    assert all(f"dynamodb:{action}" in said for action in ("ExportTableToPointInTime", "DescribeExport"))
    assert "arn:aws:s3:::bucket/el/*" in said


def changed(name: str, change: Callable[[bytes], bytes]) -> dict[str, bytes]:
    found = files()
    return {**found, f"{FOLDER}/{name}": change(found[f"{FOLDER}/{name}"])}


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (lambda: changed("data/a.json.gz", lambda data: data[:-9]), "a.json.gz"),
        (lambda: changed("data/a.json.gz", lambda data: b"no gzip"), "a.json.gz is no whole file of gzip"),
        (lambda: changed("data/b.json.gz", lambda data: gzip.compress(b"")), "has 0 items, and the manifest says 1"),
        (lambda: changed("data/b.json.gz", lambda data: gzip.compress(b'{"No":1}\n')), "a line that is no item"),
        (
            lambda: changed(
                "data/b.json.gz", lambda data: gzip.compress(gzip.decompress(data).replace(b"1.5", b"1.6"))
            ),
            "another checksum",
        ),
        (
            lambda: changed("manifest-files.json", lambda data: data[: data.index(b"\n")]),
            "its files have 2 items, and its manifest says 3",
        ),
        (lambda: changed("manifest-summary.json", lambda data: data.replace(b"DYNAMODB_JSON", b"ION")), "format ION"),
    ],
    ids=["cut off", "no gzip", "empty", "no item", "a value", "a file", "format"],
)
def test_what_is_lost_or_changed_on_the_way_is_an_error(found: Callable[[], dict[str, bytes]], says: str) -> None:
    with pytest.raises(ReadError, match=says):
        items(found())


def test_an_export_that_fails_or_never_ends_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ReadError, match="it failed: S3AccessDenied: no right to write"):
        items(files(), Service(fails=True))
    monkeypatch.setattr(export, "WAIT_SECONDS", 0.0)
    with pytest.raises(ReadError, match="has not ended after"):
        items(files(), Service(waits=10**9))


@pytest.mark.parametrize(
    ("seconds", "followed", "refused"), [(400, True, True), (60, True, False), (400, False, False)]
)
def test_a_moment_far_before_the_place_from_which_changes_go_on_is_an_error(
    seconds: int, followed: bool, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Late(Service):
        def describe_export(self, **asked: Any) -> dict[str, Any]:
            found = super().describe_export(**asked)
            begun = datetime(2026, 1, 1, tzinfo=UTC)
            found["ExportDescription"] |= {"StartTime": begun, "ExportTime": begun - timedelta(seconds=seconds)}
            return found

    made = Export(Late(), Bucket(files()), "orders", ExportTo(bucket="bucket", prefix="el"))
    made.followed = followed
    if refused:
        with pytest.raises(ReadError, match="its moment lies 400 seconds before it was asked for"):
            list(made.items())
    else:
        assert len(list(made.items())) == len(ITEMS)


def test_without_point_in_time_recovery_the_line_says_how_to_turn_it_on() -> None:
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "us-east-1"}
    with mock_aws():
        client, s3 = boto3.client("dynamodb", **keys), boto3.client("s3", **keys)
        s3.create_bucket(Bucket="bucket")
        key = {"KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}]}
        types = {"AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}]}
        client.create_table(TableName="orders", BillingMode="PAY_PER_REQUEST", **key, **types)
        made = Export(client, s3, "orders", ExportTo(bucket="bucket", prefix="el"))
        with pytest.raises(ReadError, match=r"point-in-time recovery is off.*aws dynamodb update-continuous-backups"):
            list(made.items())
        client.update_continuous_backups(
            TableName="orders", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
        )
        # Moto has the calls, and no manifest.
        said = client.describe_export(ExportArn=made._begun())["ExportDescription"]
        assert (said["S3Bucket"], said["S3Prefix"], said["ExportFormat"]) == ("bucket", "el", "DYNAMODB_JSON")
