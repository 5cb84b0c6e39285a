"""Landing files: what Snowflake loads at once in files enough for all its threads, and nothing in thousands of them."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from el.extraction.file_sizes import FileSizes
from el.extraction.landing import LandedFile, LandingFiles
from el.loading.duckdb import DuckDbWarehouse
from el.loading.snowflake import SnowflakeWarehouse

MB = 1024 * 1024
SNOWFLAKE = FileSizes(128 * MB, 5 * MB)
# The same in small, so that many of them are written in no time.
SMALL = FileSizes(512 * 1024, 20 * 1024)
# A parquet file's own head and foot.
FOOT = 4096


def files_of(sizes: FileSizes, loaded: int) -> list[int]:
    """The sizes of the files of a table with so many bytes, in slices that are alike."""
    found: list[int] = []
    for each in range(sizes.slices):
        left, number = loaded // sizes.slices + (each < loaded % sizes.slices), 0
        while left > 0:
            found.append(min(left, sizes.of(number)))
            left, number = left - found[-1], number + 1
    return found


@given(loaded=st.integers(1, 10**13), slices=st.integers(1, 1000))
def test_a_load_of_40_mb_has_eight_files_and_a_huge_one_few(loaded: int, slices: int) -> None:
    found = files_of(SNOWFLAKE.among(slices), loaded)
    assert max(found) <= 250 * MB
    assert sum(1 for size in found if size < 5 * MB) <= slices
    if loaded >= 40 * MB:
        assert len(found) >= 8
    # As with files of one size, and what each slice begins with.
    assert len(found) <= loaded / (128 * MB) + slices * (1 if slices >= 208 else 9) + 32


@given(slices=st.integers(1, 1000))
def test_a_slice_that_brings_all_of_a_table_has_eight_files_by_and_by(slices: int) -> None:
    sizes = SNOWFLAKE.among(slices)
    assert sum(sizes.of(number) for number in range(7)) < (130 if slices <= 8 else 900) * MB


def batches(blocks: list[tuple[int, int]]) -> list[pa.RecordBatch]:
    """Of each block so many bytes, of which so many in 16 cannot be compressed."""
    chance = np.random.default_rng(7)
    found = []
    for size, hard in blocks:
        values = np.zeros(size // 8 + 1, dtype=np.int64)
        some = len(values) * hard // 16
        values[:some] = chance.integers(0, 2**62, some)
        found.append(pa.record_batch({"a": values}))
    return found


def landed(folder: str, sizes: FileSizes, given: list[pa.RecordBatch]) -> tuple[LandedFile, ...]:
    landing = LandingFiles(Path(folder) / "t", given[0].schema, sizes)
    for batch in given:
        landing.write(batch)
    return landing.close()


BLOCKS = st.lists(st.tuples(st.integers(0, 200_000), st.integers(0, 16)), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(blocks=BLOCKS)
def test_files_are_closed_by_their_size_on_disk_however_their_rows_come(blocks: list[tuple[int, int]]) -> None:
    given = batches(blocks)
    with tempfile.TemporaryDirectory() as folder:
        found = landed(folder, SMALL, given)
        assert pa.concat_tables([pq.read_table(file.path) for file in found]) == pa.Table.from_batches(given)
    whole = sum(file.bytes for file in found)
    for number, file in enumerate(found):
        assert file.bytes <= SMALL.of(number) * 1.5 + FOOT
        assert file.bytes >= SMALL.of(number) or number == len(found) - 1
    if whole >= 8 * (20 * 1024 * 1.5 + FOOT):
        assert len(found) >= 8


def test_forty_megabytes_are_eight_files_that_few_row_groups_make() -> None:
    given = batches([(4 * MB, 16)] * 11)
    with tempfile.TemporaryDirectory() as folder:
        found = landed(folder, SNOWFLAKE, given)
        groups = [pq.ParquetFile(file.path).num_row_groups for file in found]
    assert [file.bytes // MB for file in found[:8]] == [5] * 8
    assert max(groups) <= 2


def test_files_of_one_size_take_their_batches_whole() -> None:
    given = batches([(MB, 16)] * 8)
    with tempfile.TemporaryDirectory() as folder:
        (file,) = landed(folder, FileSizes(128 * MB), given)
        assert pq.ParquetFile(file.path).num_row_groups == 1


def test_what_el_yml_says_of_the_size_holds_for_all_files() -> None:
    assert SnowflakeWarehouse.file_sizes.unless(None) == SNOWFLAKE
    assert {SNOWFLAKE.unless(64).among(20).of(number) for number in range(100)} == {64 * MB}
    assert DuckDbWarehouse.file_sizes.least is None
