"""A table out of a point-in-time export to S3: as it was at one moment, and at no read capacity.

Guarantees: each item once, or an error: the files are those of the manifest, with its checksums, and their items are as
many as it says. A run has one export made of a table, however often it is read again, or for how many of its arrays:
the service bills each by the table's size. DynamoDB Developer Guide, "DynamoDB table export output format"; API
"ExportTableToPointInTime".
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn
from uuid import UUID, uuid5

from botocore.exceptions import ClientError

from el.connectors.buffer import Buffer
from el.connectors.dynamodb.config import ExportTo
from el.connectors.dynamodb.errors import DENIED, code_of
from el.connectors.dynamodb.streams_read import MARGIN_MS
from el.connectors.dynamodb.streams_rows import Row, Shape
from el.connectors.dynamodb.tables import GAIN
from el.connectors.request import ReadRequest, Split
from el.errors import PlanError, ReadError

if TYPE_CHECKING:
    from el.connectors.dynamodb import DynamoDb

# A small table takes some minutes, a large one hours.
WAIT_SECONDS = 12 * 3600.0
_POLL_SECONDS = (2.0, 30.0)  # the first wait, and the longest
_CHUNK = 1024 * 1024
# Changes are read from some time before the place that was noted (`MARGIN_MS`); so much of it may an export lie back.
_BEFORE = timedelta(milliseconds=MARGIN_MS) / 2
_OFF = "PointInTimeRecoveryUnavailableException"


@dataclass(frozen=True, slots=True)
class Exported(Split):
    """All of a table, out of the one export that a run has made of it. token: names that export to the service.

    API "ExportTableToPointInTime", ClientToken: the same one gives the same export, for 8 hours.
    """

    token: str

    @classmethod
    def of(cls, run: UUID, table: str) -> Exported:
        return cls(str(uuid5(run, table)))

    def __str__(self) -> str:
        return "that is all of a point-in-time export"


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file of an export, as the manifest has it. md5: in base64."""

    key: str
    items: int
    md5: str


class Export:
    """One export of one table. client, s3: boto3's clients of both services. whole: which one, if not a new one.

    followed: changes go on from a place that was noted just before it was asked for.
    """

    def __init__(self, client: Any, s3: Any, table: str, to: ExportTo, whole: Exported | None = None) -> None:
        self.client, self.s3, self.table, self.to, self.whole = client, s3, table, to, whole
        self.followed = False

    def items(self) -> Iterator[tuple[dict[str, Any], int]]:
        """Have it made, wait for it, and read it: each item, and its bytes in the file. Raises `ReadError`."""
        summary = self._json(self._manifest(self._begun()))
        if summary.get("outputFormat") != "DYNAMODB_JSON":
            self._refuse(f"it has the format {summary.get('outputFormat')}, not DYNAMODB_JSON")
        count = 0
        for file in self._files(str(summary["manifestFilesS3Key"])):
            for found in self._of_file(file):
                count += 1
                yield found
        if count != int(summary["itemCount"]):
            self._refuse(f"its files have {count:,} items, and its manifest says {int(summary['itemCount']):,}")

    def _begun(self) -> str:
        arn = self.client.describe_table(TableName=self.table)["Table"]["TableArn"]
        wanted = {"TableArn": arn, "S3Bucket": self.to.bucket, "S3Prefix": self.to.prefix}
        token = {} if self.whole is None else {"ClientToken": self.whole.token}
        try:
            said = self.client.export_table_to_point_in_time(**wanted, **token, ExportFormat="DYNAMODB_JSON")
        except ClientError as error:
            if code_of(error) == _OFF:
                self._refuse(_off(self.table))
            raise
        return str(said["ExportDescription"]["ExportArn"])

    def _manifest(self, arn: str) -> str:
        """The key of the manifest of an export, once it has ended."""
        until, (wait, longest) = time.monotonic() + WAIT_SECONDS, _POLL_SECONDS
        while True:
            said = self.client.describe_export(ExportArn=arn)["ExportDescription"]
            if said["ExportStatus"] == "COMPLETED":
                self._refuse_a_gap(said)
                return str(said["ExportManifest"])
            if said["ExportStatus"] == "FAILED":
                self._refuse(f"it failed: {said.get('FailureCode')}: {said.get('FailureMessage')}")
            if time.monotonic() > until:
                self._refuse(f"it has not ended after {WAIT_SECONDS / 3600:.0f} hours ({arn})")
            time.sleep(wait)
            wait = min(wait * 1.5, longest)

    def _refuse_a_gap(self, said: dict[str, Any]) -> None:
        """What changed between a moment that lies far back and the place from which changes are read is in neither."""
        moment, begun = said.get("ExportTime"), said.get("StartTime")
        if self.followed and moment is not None and begun is not None and begun - moment > _BEFORE:
            late = (begun - moment).total_seconds()
            self._refuse(
                f"its moment lies {late:.0f} seconds before it was asked for, so that changes in between would be in "
                "neither: take the snapshot without `export`, and try again"
            )

    def _files(self, manifest: str) -> list[DataFile]:
        text = self._whole(manifest).decode()
        found = [json.loads(line) for line in text.splitlines() if line.strip()]
        return [DataFile(each["dataFileS3Key"], int(each["itemCount"]), each["md5Checksum"]) for each in found]

    def _of_file(self, file: DataFile) -> Iterator[tuple[dict[str, Any], int]]:
        count, packed, plain = 0, hashlib.md5(usedforsecurity=False), hashlib.md5(usedforsecurity=False)
        try:
            for line in _lines(self._opened(file.key), packed, plain):
                item = _item(json.loads(line)["Item"])
                count += 1
                yield item, len(line)
        except (ValueError, KeyError, TypeError, AttributeError):
            self._refuse(f"the file {file.key} has a line that is no item")
        except zlib.error:
            self._refuse(f"the file {file.key} is no whole file of gzip")
        if count != file.items:
            self._refuse(f"the file {file.key} has {count:,} items, and the manifest says {file.items:,}")
        # The page does not say of which bytes it is, those that are packed or those inside.
        if file.md5 not in {base64.b64encode(each.digest()).decode() for each in (packed, plain)}:
            self._refuse(f"the file {file.key} has another checksum than the manifest says")

    def _opened(self, key: str) -> Any:
        """An object of the bucket. The manifest names it with the prefix of the export, or without."""
        try:
            return self.s3.get_object(Bucket=self.to.bucket, Key=key)["Body"]
        except ClientError as error:
            if code_of(error) not in ("NoSuchKey", "404") or key.startswith(f"{self.to.prefix}/"):
                raise
        return self.s3.get_object(Bucket=self.to.bucket, Key=f"{self.to.prefix}/{key}")["Body"]

    def _whole(self, key: str) -> bytes:
        with self._opened(key) as body:
            found: bytes = body.read()
        return found

    def _json(self, key: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._whole(key))
        return found

    def _refuse(self, why: str) -> NoReturn:
        raise ReadError(f"the export of {self.table} to s3://{self.to.bucket}/{self.to.prefix}: {why}")


def recovers(client: Any, table: str) -> bool | None:
    """Whether point-in-time recovery is on; None from a server that has none, such as DynamoDB Local.

    Raises the service's error where this identity may not ask.
    """
    try:
        said = client.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    except ClientError as error:
        if code_of(error) == DENIED:
            raise
        return None
    return bool(said.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus") == "ENABLED")


def recovery_on(table: str) -> str:
    """What turns it on."""
    return (
        f"aws dynamodb update-continuous-backups --table-name {table} --point-in-time-recovery-specification "
        "PointInTimeRecoveryEnabled=true"
    )


def _off(table: str) -> str:
    return (
        f"point-in-time recovery is off, and an export needs it: {recovery_on(table)} gives {GAIN}; or leave `export` "
        "out of the profile"
    )


def planned(client: Any, run: UUID, table: str) -> Exported:
    """What a run reads of a table. Raises `PlanError` where no export can be made."""
    # Who may not ask learns it when the export is made.
    with suppress(ClientError):
        if recovers(client, table) is False:
            raise PlanError(_off(table))
    return Exported.of(run, table)


def read(source: DynamoDb, request: ReadRequest, s3: Any, to: ExportTo) -> Buffer:
    """The whole table of a request, out of an export that is made now."""
    whole = request.split
    if request.table is None or request.where or not isinstance(whole, Exported | None):
        raise ReadError("an export is read whole: without conditions, and not in parts")
    shape = Shape(request, source.key(request.table))
    made = Export(source.client, s3, request.table.name, to, whole)
    made.followed = request.placed
    rows = (Row("", "", item, item, size) for item, size in made.items())
    return Buffer(shape.schema, shape.batches(rows), translate=source.translate)


def _lines(body: Any, packed: Any, plain: Any) -> Iterator[bytes]:
    """The lines of a file of gzip, a part at a time; the checksums grow with it."""
    opened, rest = zlib.decompressobj(wbits=31), b""
    with body:
        for chunk in body.iter_chunks(_CHUNK):
            packed.update(chunk)
            while chunk:
                text = opened.decompress(chunk)
                plain.update(text)
                *lines, rest = (rest + text).split(b"\n")
                yield from (line for line in lines if line.strip())
                chunk = opened.unused_data
                if opened.eof:
                    # Several files of gzip behind each other are one.
                    opened = zlib.decompressobj(wbits=31)
                else:
                    break
    if rest.strip():
        yield rest


def _item(found: dict[str, Any]) -> dict[str, Any]:
    """An item as the service's own answers have it: bytes are bytes."""
    return {name: _value(value) for name, value in found.items()}


def _value(value: dict[str, Any]) -> dict[str, Any]:
    ((kind, inside),) = value.items()
    if kind == "B":
        return {kind: base64.b64decode(inside, validate=True)}
    if kind == "BS":
        return {kind: [base64.b64decode(each, validate=True) for each in inside]}
    if kind == "M":
        return {kind: _item(inside)}
    if kind == "L":
        return {kind: [_value(each) for each in inside]}
    return value
