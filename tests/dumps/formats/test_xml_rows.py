"""FOR XML: the text of each row's element as it stands, and nothing that is not well-formed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from el.dumps.formats import transcode
from el.dumps.formats.xml_rows import XmlFormat
from el.errors import RecordRefused

ROWS = [
    '<row id="1" a="&lt;x>"/>',
    "<row><a>é <b/>\n</a></row>",
    "<row ></row >",
    '<row t="]]&gt;"><![CDATA[<row>]]></row>',
]


def read(folder: Path, data: bytes, **how: Any) -> list[tuple[Any, ...]]:
    path = folder / "a.xml"
    path.write_bytes(data)
    reading = XmlFormat(**how).read(path)
    rows = [tuple(row.values()) for batch in reading.batches for row in batch.to_pylist()]
    assert reading.records == len(rows)
    return rows


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
@pytest.mark.parametrize("between", ["", "\r\n", "<!-- > -->", "<?a b?>\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16le"])
def test_each_rows_text_stands_in_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, between: str, encoding: str
) -> None:
    monkeypatch.setattr(transcode, "BLOCK", size)
    expected = [(text, number) for number, text in enumerate(ROWS, 1)]
    body = between.join(["", *ROWS, ""])
    assert read(tmp_path, body.encode(encoding), encoding=encoding) == expected
    whole = f'<?xml version="1.0" encoding="utf-16"?>\n<rows a="b">{body}</rows>\n'
    assert read(tmp_path, whole.encode(encoding), encoding=encoding, root="rows") == expected
    declared = f'<?xml version="1.0"?>{body}'
    assert read(tmp_path, declared.encode(encoding), encoding=encoding) == expected


def test_a_file_without_rows_has_none(tmp_path: Path) -> None:
    assert read(tmp_path, b"") == []
    assert read(tmp_path, b"<rows/>", root="rows") == []


@pytest.mark.parametrize(
    ("data", "root", "said"),
    [
        (b"<row/><row>", None, "record 2, byte 11: mismatched tag"),
        (b"<row/>x", None, "record 1, byte 6: text between rows"),
        (b"<row/><row", None, "record 1, byte 10: not well-formed"),
        (b"<rows><row/>", "rows", "no element found"),
        (b"<rows></rows>", "orders", "the root is rows, not orders"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "a", "document type declaration"),
        (b"<row a='\xff'/>", None, "byte 8: invalid start byte in utf-8"),
    ],
)
def test_what_is_not_well_formed_is_refused(tmp_path: Path, data: bytes, root: str | None, said: str) -> None:
    with pytest.raises(RecordRefused, match=said):
        read(tmp_path, data, root=root)
