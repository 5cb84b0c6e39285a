"""Point-in-time exports as a test makes them: DynamoDB Local has none, and moto writes no files.

The files are of the form of the vendor's page "DynamoDB table export output format" (S3DataExport.Output).
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
from collections.abc import Callable, Sequence
from typing import Any

from botocore.exceptions import ClientError
from botocore.response import StreamingBody

from el.connectors.dynamodb.items import text_of

FOLDER = "el/AWSDynamoDB/01234567890123-a1b2c3d4"


class Bucket:
    """What boto3's client of S3 gives of these files. fails: so many files of data are not given at first."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files, self.fails = files, 0

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        if Key not in self.files:
            raise ClientError({"Error": {"Code": "NoSuchKey", "Message": Key}}, "GetObject")
        if "/data/" in Key and self.fails:
            self.fails -= 1
            said = {"Error": {"Code": "SlowDown"}, "ResponseMetadata": {"HTTPStatusCode": 503}}
            raise ClientError(said, "GetObject")  # type: ignore[arg-type]
        return {"Body": StreamingBody(io.BytesIO(self.files[Key]), len(self.files[Key]))}


def files(
    groups: Sequence[Sequence[dict[str, Any]]], folder: str = FOLDER, *, with_prefix: bool = True, plain: bool = False
) -> dict[str, bytes]:
    """An export with a file for each of these groups of items. plain: its checksums are of what is packed."""
    found: dict[str, bytes] = {}
    lines = []
    for name, items in zip("abcdefgh", groups, strict=False):
        text = "".join(json.dumps({"Item": item}) + "\n" for item in items).encode()
        packed = gzip.compress(text)
        key = f"{folder}/data/{name}.json.gz"
        found[key] = packed
        md5 = base64.b64encode(hashlib.md5(text if plain else packed).digest()).decode()
        named = key if with_prefix else key.removeprefix("el/")
        lines.append({"itemCount": len(items), "md5Checksum": md5, "etag": "e-1", "dataFileS3Key": named})
    manifest = f"{folder}/manifest-files.json"
    found[manifest] = "".join(json.dumps(line) + "\n" for line in lines).encode()
    named = manifest if with_prefix else manifest.removeprefix("el/")
    summary = {"version": "2020-06-30", "s3Bucket": "bucket", "s3Prefix": "el", "manifestFilesS3Key": named}
    summary |= {"itemCount": sum(map(len, groups)), "outputFormat": "DYNAMODB_JSON"}
    return {**found, f"{folder}/manifest-summary.json": json.dumps(summary).encode()}


class Exports:
    """A service that exports tables of a real one, as they are when it is asked. recovery: what it says of that.

    made: the tables of all exports. met: what happens behind the moment of each. The same token gives the same export
    (API "ExportTableToPointInTime", ClientToken).
    """

    def __init__(self, client: Any, met: Callable[[], object] = lambda: None) -> None:
        self.client, self.met, self.recovery = client, met, "ENABLED"
        self.bucket = Bucket({})
        self.made: list[str] = []
        self._tokens: dict[str, str] = {}

    def export_table_to_point_in_time(self, **asked: Any) -> dict[str, Any]:
        token = asked.get("ClientToken", f"none {len(self.made)}")
        if token not in self._tokens:
            table = asked["TableArn"].rpartition("/")[2]
            self._tokens[token] = f"el/AWSDynamoDB/{len(self.made)}"
            self.made.append(table)
            pages = self.client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
            items = [json.loads(text_of(item)) for page in pages for item in page["Items"]]
            self.bucket.files |= files([items[:5], items[5:]], self._tokens[token])
            self.met()
        return {"ExportDescription": {"ExportArn": self._tokens[token], "ExportStatus": "IN_PROGRESS"}}

    def describe_export(self, *, ExportArn: str) -> dict[str, Any]:  # noqa: N803
        return {
            "ExportDescription": {"ExportStatus": "COMPLETED", "ExportManifest": f"{ExportArn}/manifest-summary.json"}
        }

    def describe_continuous_backups(self, **_: Any) -> dict[str, Any]:
        found = {"PointInTimeRecoveryStatus": self.recovery}
        return {"ContinuousBackupsDescription": {"PointInTimeRecoveryDescription": found}}
