"""Compressed files: all of a file is read, or it is refused by its name."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import random
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest

from el.dumps import compression
from el.dumps.compression import unpacked
from el.dumps.file_version import FileVersion
from el.errors import RecordRefused


def of_arrow(codec: str) -> Callable[[bytes], bytes]:
    def compress(data: bytes) -> bytes:
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, codec) as out:
            out.write(data)
        return bytes(sink.getvalue())

    return compress


KINDS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": of_arrow("zstd"),
    ".lz4": of_arrow("lz4"),
}
DATA = random.Random(1).randbytes(300_000) + b"x" * 700_000


def unpack(folder: Path, suffix: str, data: bytes) -> bytes:
    path = folder / "fetched"
    path.write_bytes(data)
    file = FileVersion(f"s3://b/a.csv{suffix.upper()}", "v", len(data), datetime(2024, 1, 1, tzinfo=UTC))
    found = unpacked(path, file)
    assert [each.name for each in folder.iterdir()] == [found.name]
    return found.read_bytes()


@pytest.mark.parametrize("suffix", KINDS)
def test_all_parts_of_a_file_are_read(tmp_path: Path, suffix: str) -> None:
    one = KINDS[suffix](DATA)
    assert unpack(tmp_path, suffix, one) == DATA
    assert unpack(tmp_path / ".", suffix, one) == DATA
    assert unpack(tmp_path, suffix, one + KINDS[suffix](b"more") + KINDS[suffix](b"")) == DATA + b"more"
    assert unpack(tmp_path, suffix, KINDS[suffix](b"")) == b""


@pytest.mark.parametrize("suffix", KINDS)
@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: data[: len(data) // 2],
        lambda data: data[:3],
        lambda data: b"",
        lambda data: data + data[:-3],
        lambda data: data + b"what is this?",
        lambda data: b"id,name\n1,a\n" * 100,
    ],
    ids=["last byte", "half", "begin", "empty", "second part", "something behind", "not compressed"],
)
def test_a_file_that_is_cut_off_or_damaged_is_refused_by_its_name(
    tmp_path: Path, suffix: str, damage: Callable[[bytes], bytes]
) -> None:
    with pytest.raises(RecordRefused, match=r"s3://b/a\.csv.*cut off or damaged"):
        unpack(tmp_path, suffix, damage(KINDS[suffix](DATA)))


def test_zeros_between_parts_of_xz_are_taken_as_xz_takes_them(tmp_path: Path) -> None:
    assert unpack(tmp_path, ".xz", lzma.compress(b"a") + bytes(8) + lzma.compress(b"b") + bytes(4)) == b"ab"


def test_a_file_that_is_not_compressed_stays_where_it_is(tmp_path: Path) -> None:
    assert unpack(tmp_path, "", b"a,b\n") == b"a,b\n"


def test_a_disk_is_not_filled_to_the_brim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression.shutil, "disk_usage", lambda folder: SimpleNamespace(free=1000))
    with pytest.raises(RecordRefused, match="no room to unpack"):
        unpack(tmp_path, ".gz", gzip.compress(os.urandom(10)))
