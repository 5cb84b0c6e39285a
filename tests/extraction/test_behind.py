"""One batch is written while the next is fetched, and a thread is begun only for a second one."""

from __future__ import annotations

import threading

import pyarrow as pa
import pytest

from el.extraction.behind import WriteBehind


def batch(number: int) -> pa.RecordBatch:
    return pa.record_batch({"n": [number]})


@pytest.mark.parametrize("batches", range(5))
def test_each_batch_is_written_once_and_in_order(batches: int) -> None:
    written: list[tuple[int, str]] = []
    writer = WriteBehind(lambda found: written.append((found["n"][0].as_py(), threading.current_thread().name)))
    for number in range(batches):
        writer.put(batch(number))
    writer.finish()
    writer.close()
    assert [number for number, _ in written] == list(range(batches))
    threads = {name for _, name in written}
    assert threads == (set() if not batches else {"MainThread"} if batches == 1 else {"el-write_0"})


@pytest.mark.parametrize("wrong", range(4))
def test_what_goes_wrong_with_a_batch_is_raised_and_no_later_one_is_written(wrong: int) -> None:
    written: list[int] = []

    def write(found: pa.RecordBatch) -> None:
        number = found["n"][0].as_py()
        if number == wrong:
            raise OSError("no space left")
        written.append(number)

    writer = WriteBehind(write)

    def all_of_them() -> None:
        for number in range(4):
            writer.put(batch(number))
        writer.finish()

    with pytest.raises(OSError, match="no space left"):
        all_of_them()
    writer.close()
    assert written == list(range(wrong))
