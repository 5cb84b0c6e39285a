"""FOR JSON's array: each object's text as it stands, wherever the blocks are cut; what is no JSON is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from el.dumps.formats import transcode
from el.dumps.formats.json_array import JsonArrayFormat
from el.errors import RecordRefused

VALUES = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text('\\"[]{},: naN\né😀'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('\\",{}x', max_size=3), inner, max_size=3),
    max_leaves=6,
)


def read(folder: Path, data: bytes, rejects: int = 0, encoding: str = "utf-8") -> tuple[list[tuple[Any, ...]], Any]:
    path = folder / "a.json"
    path.write_bytes(data)
    reading = JsonArrayFormat(encoding).read(path, rejects)
    return [tuple(row.values()) for batch in reading.batches for row in batch.to_pylist()], reading


@given(
    st.lists(st.dictionaries(st.text('\\"', max_size=3), VALUES, max_size=3), max_size=12),
    st.sampled_from([None, 1]),
    st.sampled_from([5, 17, 60]),
    st.sampled_from(["utf-8", "utf-16le"]),
)
@settings(deadline=None, max_examples=30)
def test_each_objects_text_stands_in_a_row(
    tmp_path_factory: pytest.TempPathFactory, objects: list[Any], indent: int | None, size: int, encoding: str
) -> None:
    text = json.dumps(objects, ensure_ascii=False, indent=indent)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transcode, "BLOCK", size)
        rows, reading = read(tmp_path_factory.mktemp("json"), text.encode(encoding), encoding=encoding)
    assert [(json.loads(document), row) for document, row in rows] == [(o, n) for n, o in enumerate(objects, 1)]
    assert all(document in text and document == document.strip() for document, _ in rows)
    assert reading.records == len(objects)


def test_a_text_stands_as_it_was_written(tmp_path: Path) -> None:
    rows, _ = read(tmp_path, b'\xef\xbb\xbf [ {"a": 1.10,"b":"\\u00e9"} ,\n{}]\r\n')
    assert rows == [('{"a": 1.10,"b":"\\u00e9"}', 1), ("{}", 2)]
    assert read(tmp_path, b" [ ] ")[0] == []


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'[{"a":1},{"a":1,}]', "record 2, byte 9: it is no JSON object"),
        (b'[{"a":NaN}]', "record 1, byte 1: it is no JSON object"),
        (b'[{"a":nan}]', "record 1, byte 1: it is no JSON object"),
        (b'[{"a":-Infinity}]', "record 1, byte 1: it is no JSON object"),
        (b'[{"a":1},7]', "record 2, byte 9: it is no JSON object"),
        (b'[{"a":1},]', "record 2, byte 9: it is no JSON object"),
        (b'[{"a":1}{"b":2}]', "record 1, byte 1: it is no JSON object"),
        (b'[{"a":01}]', "record 1, byte 1: it is no JSON object"),
        (b'[{"a":1}', "record 1, byte 1: the file ends within the array"),
        (b'[{"a":1},{"a":"x]', "record 2, byte 9: the file ends within the array"),
        (b'[{"a":1}] x', "record 2, byte 10: text behind the array"),
        (b'{"a":1}', "the file is no array"),
        (b"", "the file is empty"),
        (b'[{"a":"\xff"}]', "byte 7: invalid start byte in utf-8"),
    ],
)
def test_what_is_no_array_of_objects_is_refused(tmp_path: Path, data: bytes, said: str) -> None:
    with pytest.raises(RecordRefused, match=said):
        read(tmp_path, data)


def test_a_bad_object_may_be_left_out_with_its_bytes(tmp_path: Path) -> None:
    rows, reading = read(tmp_path, b'[{"a":1},{"a":1,},{"b":2}]', rejects=1)
    assert rows == [('{"a":1}', 1), ('{"b":2}', 3)]
    assert [(bad.row, bad.offset, bad.data) for bad in reading.rejects] == [(2, 9, b'{"a":1,}')]
    assert reading.records == 3
