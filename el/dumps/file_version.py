"""One version of one file: the unit of a load, all or nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class FileVersion:
    """A file as it was listed. Two versions of one file differ in `version`."""

    uri: str  # where it is, without credentials: "s3://acme/orders/2024/a.csv.gz"
    version: str  # an ETag, a version id or a generation; where the store has none, size and time of the last change
    size: int  # bytes, as they are stored
    modified: datetime  # UTC
    member: str | None = None  # of an archive: the path inside it; of a bacpac: "schema.table"

    archive: FileVersion | None = field(default=None, compare=False, repr=False)  # of a member: the archive it is in

    def __str__(self) -> str:
        return self.uri if self.member is None else f"{self.uri}!/{self.member}"
