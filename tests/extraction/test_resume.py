"""What landed of a snapshot and is kept: its journal, and the files that are taken over."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from el.config.profiles import Output
from el.connectors.abilities import SplitSource
from el.connectors.catalog import Column, SourceType, TableName
from el.connectors.dynamodb.scan import Segment
from el.connectors.misfits import Misfit
from el.connectors.mongodb.splits import Keys
from el.connectors.postgres import Blocks, Postgres
from el.connectors.request import ReadRequest, Split
from el.connectors.sql.split import ranges
from el.extraction import slice_journal
from el.extraction.digest import Digester
from el.extraction.file_sizes import FileSizes
from el.extraction.landing import LandingFiles, raw_columns
from el.extraction.resume import KeptSlices, Resuming, TakenOver
from el.extraction.slice import Slice, SliceResult
from el.extraction.slice_journal import Header, KeptFile, KeptSlice
from el.planning.resumed import splits_of, splits_text

NOW = datetime(2024, 1, 2, 3, 4, 5, 678901)
SCHEMA = pa.schema([("id", pa.int64()), ("v", pa.string())])
HEADER = Header(1, "run", "dbo.t", "d" * 64, 20, "[]", "LSN", "0007", "log")


def kept_slice(number: int, **other: object) -> KeptSlice:
    found = KeptSlice(number, "17.5", (KeptFile(f"f{number}", 3, 99, None),), 3, 24, NOW, NOW, 1, None, ())
    return replace(found, **other)  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "landed" / "shop_dbo" / "t"
    slice_journal.begin(folder, HEADER)
    return folder


def test_what_is_noted_is_read_as_it_was_and_of_a_slice_the_last_line_counts(folder: Path) -> None:
    noted = [kept_slice(0), kept_slice(3, misfits=(Misfit("a", 2, "why", "7"),)), kept_slice(0, load_id="18.5")]
    for each in noted:
        slice_journal.add(folder, each)
    found = slice_journal.read(folder)
    assert found is not None
    assert (found.header, found.slices) == (HEADER, {0: noted[2], 3: noted[1]})


def test_changes_are_asked_for_from_the_first_place_that_a_slice_told(folder: Path) -> None:
    for number, reached in enumerate(("0009", "0008")):
        slice_journal.add(folder, kept_slice(number, reached=reached))
    found = slice_journal.read(folder)
    assert found is not None
    assert found.since == "0008"
    slice_journal.add(folder, kept_slice(2))
    found = slice_journal.read(folder)
    assert found is not None
    assert found.since == "0007"


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_journal_torn_or_changed_at_any_byte_says_nothing_else(folder: Path, data: st.DataObject) -> None:
    path = folder / slice_journal.NAME
    path.unlink()
    noted = [kept_slice(number, rows=number, reached=f"{number:04d}") for number in range(4)]
    slice_journal.add(folder, HEADER)
    for each in noted:
        slice_journal.add(folder, each)
    whole = path.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    torn = whole[:place] + data.draw(st.sampled_from([b"", bytes([whole[place] ^ 1]), b"\n", b"\x00" * 40]))
    path.write_bytes(torn + (whole[place + 1 :] if data.draw(st.booleans()) else b""))
    # Behind what a kill left, the next run notes its own.
    slice_journal.add(folder, kept_slice(9))
    try:
        found = slice_journal.read(folder)
    except ValueError:
        return
    assert found is not None
    assert found.header == HEADER
    assert found.slices.pop(9) == kept_slice(9)
    assert all(noted[number] == each for number, each in found.slices.items())


class Divided(SplitSource):
    """Asked of nothing but what its parts are."""

    def splits(self, request: ReadRequest, wanted: int, by: Column | None) -> tuple[Split, ...]:
        raise NotImplementedError


@pytest.mark.parametrize(
    "splits",
    [
        ranges("id", SourceType("decimal", precision=38, scale=0), ["-5", "1" + "0" * 30]),
        (Keys(None, b"\x0e\x00\xff"), Keys(b"\x0e\x00\xff", None)),
        (Segment(0, 2), Segment(1, 2)),
    ],
    ids=["ranges", "keys", "segments"],
)
def test_parts_are_the_same_once_they_were_noted(splits: tuple[Split, ...]) -> None:
    source: Any = Divided()
    source.split_type = type(splits[0])
    reads = [ReadRequest(table=TableName("dbo", "t"), split=split) for split in splits]
    text = splits_text(source, reads)
    assert text is not None
    assert splits_of(source, text) == splits
    assert splits_of(source, '[{"nothing": 1}]') is None
    assert splits_text(source, [*reads, ReadRequest(table=TableName("dbo", "t"))]) is None


def test_blocks_of_a_table_are_not_noted_for_it_may_be_written_anew() -> None:
    reads = [ReadRequest(table=TableName("public", "t"), split=Blocks(())) for _ in range(2)]
    assert splits_text(Postgres.__new__(Postgres), reads) is None


def slice_in(folder: Path, load_id: str) -> Slice:
    request = ReadRequest(table=TableName("dbo", "t"))
    nobody = Output("shop", "it", {"type": "nobody"})
    sizes = FileSizes(1 << 20)
    return Slice(nobody, "dbo.t", f"{load_id}-0003", request, SCHEMA, load_id, "S", None, folder, sizes, retries=0)


def landed(folder: Path, rows: int = 5000) -> SliceResult:
    work = slice_in(folder, "17.5")
    files = LandingFiles(folder / work.stem, raw_columns(SCHEMA, None), FileSizes(1), digest="hash")
    for start in range(0, rows, 1000):
        ids = pa.array(range(start, start + 1000), pa.int64())
        texts = pa.array([None if number % 9 == 0 else f"ü {number}" for number in range(start, start + 1000)])
        files.write(work.land(pa.record_batch([ids, texts], schema=SCHEMA), NOW))
    return SliceResult(files.close(), rows, 80_000, NOW, NOW, 2, "0009", earlier=True)


def test_a_slice_that_is_taken_over_has_the_new_loads_id_and_all_else_as_it_was(folder: Path) -> None:
    former = landed(folder)
    found = TakenOver(slice_in(folder, "18.5"), former).run()
    assert replace(found, files=former.files) == former
    assert [(file.rows, file.digest) for file in found.files] == [(file.rows, file.digest) for file in former.files]
    digester = Digester("hash", raw_columns(SCHEMA, None))
    for before, after in zip(former.files, found.files, strict=True):
        assert after.path != before.path
        assert after.bytes == after.path.stat().st_size
        old, new = pq.read_table(before.path), pq.read_table(after.path)
        assert set(new.column("_dlt_load_id").to_pylist()) == {"18.5"}
        assert new.drop_columns("_dlt_load_id") == old.drop_columns("_dlt_load_id")
        assert digester.of_file(after.path) == before.digest
    digester.close()


def test_files_are_whole_or_their_slice_is_read(folder: Path) -> None:
    """Here nobody can be asked, and so it fails as the read would."""
    former = landed(folder)
    former.files[-1].path.write_bytes(former.files[-1].path.read_bytes()[:-1])
    with pytest.raises(Exception, match="nobody"):
        TakenOver(slice_in(folder, "18.5"), former).run()


def test_a_slice_without_a_journal_is_nobodys_to_keep(tmp_path: Path) -> None:
    said: list[str] = []
    keeping = Resuming(KeptSlices(tmp_path), "run", said.append)
    future: Future[SliceResult] = Future()
    keeping.expect(future, 0, slice_in(tmp_path / "spool", "1"))
    future.set_result(SliceResult((), 0, 0, NOW, NOW, 1))
    keeping.landed(future)
    assert not said
    assert not list(tmp_path.iterdir())
