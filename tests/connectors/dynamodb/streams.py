"""A stream whose shards a test makes, as the service would: DynamoDB Local has one shard that never divides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class MadeShard:
    """records: their sequence numbers; None is an answer without records though more follows."""

    parent: str | None = None
    records: list[tuple[int, str] | None] = field(default_factory=list)
    closed: bool = False
    trimmed: int = 0  # numbers up to this one are gone


@dataclass
class MadeStream:
    """What boto3's client of streams gives, as far as it is asked. expires: iterators that are used once too late.

    outlived: the numbers of records that say that an item expired (Developer Guide, "DynamoDB Streams and Time to
    Live").
    """

    shards: dict[str, MadeShard]
    expires: int = 0
    at: datetime = NOW
    outlived: frozenset[int] = frozenset()

    def describe_stream(self, **asked: Any) -> dict[str, Any]:
        names = sorted(self.shards)
        start = names.index(asked["ExclusiveStartShardId"]) + 1 if "ExclusiveStartShardId" in asked else 0
        listed = [self._described(name) for name in names[start : start + 2]]
        more = {"LastEvaluatedShardId": names[start + 1]} if start + 2 < len(names) else {}
        return {"StreamDescription": {"Shards": listed, **more}, "ResponseMetadata": {}}

    def _described(self, name: str) -> dict[str, Any]:
        shard = self.shards[name]
        ends = {"EndingSequenceNumber": "9"} if shard.closed else {}
        parent = {"ParentShardId": shard.parent} if shard.parent else {}
        return {"ShardId": name, "SequenceNumberRange": {"StartingSequenceNumber": "0", **ends}, **parent}

    def get_shard_iterator(self, *, ShardId: str, ShardIteratorType: str, SequenceNumber: str = "", **_: Any) -> Any:  # noqa: N803
        if ShardId not in self.shards:
            raise _error("ResourceNotFoundException")
        shard, at = self.shards[ShardId], 0
        if ShardIteratorType == "AFTER_SEQUENCE_NUMBER":
            if int(SequenceNumber) <= shard.trimmed:
                raise _error("TrimmedDataAccessException")
            numbers = [each[0] if each is not None else -1 for each in shard.records]
            at = numbers.index(int(SequenceNumber)) + 1
        return {"ShardIterator": f"{ShardId} {at}"}

    def get_records(self, *, ShardIterator: str) -> dict[str, Any]:  # noqa: N803
        if self.expires:
            self.expires -= 1
            raise _error("ExpiredIteratorException")
        name, at = ShardIterator.split()
        shard, place = self.shards[name], int(at)
        found = [each for each in shard.records[place : place + 1] if each is not None]
        after = min(place + 1, len(shard.records))
        ends = shard.closed and place >= len(shard.records)
        more = {} if ends else {"NextShardIterator": f"{name} {after}"}
        return {"Records": [self._record(number, key) for number, key in found], **more}

    def _record(self, number: int, key: str) -> dict[str, Any]:
        image = {"k": {"S": key}, "n": {"N": str(number)}}
        data = {"Keys": {"k": {"S": key}}, "SequenceNumber": str(number), "ApproximateCreationDateTime": self.at}
        if number in self.outlived:
            who = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
            return {"eventName": "REMOVE", "userIdentity": who, "dynamodb": {**data, "OldImage": image}}
        return {"eventName": "MODIFY", "dynamodb": {**data, "NewImage": image}}


def _error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}}, "GetRecords")


def numbered(*numbers: int, key: str = "a") -> list[tuple[int, str] | None]:
    return [(number, key) for number in numbers]


def last_of_each(changes: Sequence[Any]) -> dict[str, str]:
    """The number that raw has last of each key: that of the greatest position."""
    found = {change.keys["k"]["S"]: change for change in sorted(changes, key=lambda each: each.position)}
    return {key: change.new["n"]["N"] for key, change in found.items()}
