"""CSV: what tools lose, pad, guess or swallow is here as it stands, or refused with record and byte."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from el.dumps.formats.base import Reading
from el.dumps.formats.csv import CsvFormat
from el.dumps.formats.csv_dialect import Dialect
from el.dumps.formats.csv_strict import StrictReader
from el.errors import RecordRefused


def read(folder: Path, data: str | bytes, *, rejects: int = 0, **dialect: Any) -> tuple[Reading, list[tuple[Any, ...]]]:
    path = folder / "a.csv"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    columns = dialect.pop("columns", ())
    reading = CsvFormat(Dialect(**dialect), not columns, columns).read(path, rejects)
    rows = [tuple(row.values()) for batch in reading.batches for row in _rows(batch)]
    assert reading.records == len(rows) + len(reading.rejects)
    return reading, rows


def _rows(batch: Any) -> list[dict[int, Any]]:
    columns = [column.to_pylist() for column in batch.columns]
    return [dict(enumerate(values)) for values in zip(*columns, strict=True)]


# Each with what readers that guess make of it.
KEPT = {
    "an empty field is NULL and a quoted one is not": ('id,a\n1,\n2,""\n', [("1", None, 1), ("2", "", 2)]),
    "a number sign begins no comment": ("id,a\n#1,x\n2,y\n", [("#1", "x", 1), ("2", "y", 2)]),
    "a line feed may follow a line with both": ("id,a\r\n1,x\n2,y\r\n", [("1", "x", 1), ("2", "y", 2)]),
    "the last line may lack its end": ("id,a\n1,x", [("1", "x", 1)]),
    "nor does an empty field at the end become a text": ('id,a\n"",', [("", None, 1)]),
    "quotes in a last line without its end": ('id,a\n"x\ny","a ""b"""', [("x\ny", 'a "b"', 1)]),
    "a blank line is no row of several columns": ("id,a\n\n1,x\n\r\n2,y\n\n", [("1", "x", 1), ("2", "y", 2)]),
    "a blank line is a row of one column": ("a\n1\n\n2\n", [("1", 1), (None, 2), ("2", 3)]),
    "a line end within quotes": ('id,a\n1,"x\r\ny\nz"\n2,b\n', [("1", "x\r\ny\nz", 1), ("2", "b", 2)]),
    "a carriage return in a value": ("id,a\n1,x\ry\n2,z\n", [("1", "x\ry", 1), ("2", "z", 2)]),
    "a doubled quote": ('id,a\n1,"a ""b"""\n', [("1", 'a "b"', 1)]),
    "a quote within a value without quotes": ('id,a\n1,5" pipe\n2,y\n', [("1", '5" pipe', 1), ("2", "y", 2)]),
    "spaces around values": ("id,a\n 1 , x\n", [(" 1 ", " x", 1)]),
    "leading zeros, dates, numbers with commas": ('id,a\n007,"1,5"\n', [("007", "1,5", 1)]),
    "what looks like NULL": ("id,a\nNULL,nan\n\\N,NA\n", [("NULL", "nan", 1), ("\\N", "NA", 2)]),
    "a mark of the byte order": ("\ufeffid,a\n1,x\n", [("1", "x", 1)]),
    "a character of code 0": ("id,a\n1,a\0b\n", [("1", "a\0b", 1)]),
    "no row at all": ("id,a\n", []),
}


@pytest.mark.parametrize("case", KEPT)
def test_kept_as_it_stands(tmp_path: Path, case: str) -> None:
    data, expected = KEPT[case]
    assert read(tmp_path, data)[1] == expected


REFUSED = {
    "a short row is not padded": ("id,a\n1,x\n2\n", "record 2, byte 9: 1 field instead of 2"),
    "a long row is not cut": ("id,a\n1,2,3\n", "record 1, byte 5: 3 fields instead of 2"),
    "a quote that is never closed": ('id,a\n1,x\n2,"y\n3,z\n',
        "record 2, byte 9: the quote in field 2 is never closed"),
    "text behind a closing quote": ('id,a\n1,"x"y\n', "record 1, byte 5: field 2 goes on behind its closing quote"),
    "bytes that are no text": (b"id,a\n1,caf\xe9\n",
        "record 1, byte 5: field 2 holds the byte 0xE9, which is no utf-8"),
    "a file without one byte": ("", "it is empty"),
    "line ends that would make all of the file its header": ("id,a\r1,x\r2,y\r",
        r"header, byte 0: the character '\\r' stands among the names: .*`newline`"),
    "a blank line in place of the header": ("\nid\n1\n", "header, byte 0: the first line has no names"),
    "a row of commas in place of the header": (",\nid,a\n1,x\n", "header, byte 0: the first line has no names"),
    "UTF-16 without a mark as UTF-8": ("id\n1\n".encode("utf-16-le"), "header, byte 0: the character .*`encoding`"),
    "UTF-16 as UTF-8": ("\ufeffid\n1\n".encode("utf-16-le"), "mark of utf-16-le.*say `encoding: utf-16-le`"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_record_and_byte(tmp_path: Path, case: str) -> None:
    data, message = REFUSED[case]
    with pytest.raises(RecordRefused, match=message):
        read(tmp_path, data)


DIALECTS = {
    "a word for NULL, unless it is in quotes": (
        'id,a\n1,NULL\n2,"NULL"\n3,\n',
        {"null": ("NULL",)},
        [("1", None, 1), ("2", "NULL", 2), ("3", "", 3)],
    ),
    "no word for NULL": ("id,a\n1,\n", {"null": ()}, [("1", "", 1)]),
    "an escaped quote": ('id,a\n1,"a\\"b\\\\c"\n', {"escape": "\\"}, [("1", 'a"b\\c', 1)]),
    "no quotes": ('id,a\n1,"x\n', {"quote": None}, [("1", '"x', 1)]),
    "UTF-16 with its mark": ("\ufeffid,a\n1,ä😀\n".encode("utf-16-le"), {"encoding": "utf-16"}, [("1", "ä😀", 1)]),
    "UTF-16 the other way round": ("\ufeffid,a\n1,ä\n".encode("utf-16-be"), {"encoding": "utf-16"}, [("1", "ä", 1)]),
    "UTF-16 in capitals": ("\ufeffid,a\n1,ä\n".encode("utf-16-be"), {"encoding": "UTF-16"}, [("1", "ä", 1)]),
    "UTF-32 with its mark": ("\ufeffid,a\n1,ä\n".encode("utf-32-le"), {"encoding": "utf-32"}, [("1", "ä", 1)]),
    "UTF-32 the other way round": ("\ufeffid,a\n1,ä\n".encode("utf-32-be"), {"encoding": "utf-32"}, [("1", "ä", 1)]),
    "a code page": ("id;a\n1;“é€”\n".encode("cp1252"), {"encoding": "cp1252", "delimiter": ";"}, [("1", "“é€”", 1)]),
    "line ends of two characters alone": (
        "id,a\r\n1,x\ny\r\n2,z\r\n",
        {"newline": "\r\n"},
        [("1", "x\ny", 1), ("2", "z", 2)],
    ),
    "line feeds alone": ("id,a\n1,x\r\n", {"newline": "\n"}, [("1", "x\r", 1)]),
    "carriage returns alone": ("id,a\r1,x\r2,y", {"newline": "\r"}, [("1", "x", 1), ("2", "y", 2)]),
    "a quoted value before the last carriage return": (
        'id,a\r1,"x"\r2,"y"\r',
        {"newline": "\r"},
        [("1", "x", 1), ("2", "y", 2)],
    ),
    "a line feed in the last value, where carriage returns end lines": (
        "id,a\r1,x\n",
        {"newline": "\r"},
        [("1", "x\n", 1)],
    ),
    "names with line ends in quotes": ('"id\r\nx",a\n1,x\n', {}, [("1", "x", 1)]),
    "a delimiter that is no character to see": ("id\x01a\n1\x01x\n", {"delimiter": "\x01"}, [("1", "x", 1)]),
    "no header": ("1,x\n2,y", {"columns": ("id", "a")}, [("1", "x", 1), ("2", "y", 2)]),
}


@pytest.mark.parametrize("case", DIALECTS)
def test_read_as_it_is_written(tmp_path: Path, case: str) -> None:
    data, dialect, expected = DIALECTS[case]
    assert read(tmp_path, data, **dialect)[1] == expected


def test_where_quotes_are_escaped_a_doubled_one_is_refused(tmp_path: Path) -> None:
    """Whether the file has an escape anywhere or not."""
    for more in ("", '2,"\\""\n'):
        with pytest.raises(RecordRefused, match="record 1, byte 5: field 2 goes on behind its closing quote"):
            read(tmp_path, f'id,a\n1,"a""b"\n{more}', escape="\\")


def test_a_byte_that_a_code_page_has_not_is_named_as_it_stands_in_the_file(tmp_path: Path) -> None:
    reading, rows = read(tmp_path, b"id;a\n1;\x81x\n2;b\n", rejects=1, encoding="cp1252", delimiter=";")
    assert rows == [("2", "b", 2)]
    (reject,) = reading.rejects
    assert (reject.row, reject.offset, reject.data) == (1, 5, b"1;\x81x\n")
    assert "0x81" in reject.reason


def test_an_open_quote_is_refused_whatever_may_be_rejected(tmp_path: Path) -> None:
    """One record would be all the rest of the file."""
    with pytest.raises(RecordRefused, match="never closed"):
        read(tmp_path, 'id,a\n1,"x\n2,y\n3,z\n', rejects=100)


def test_a_file_that_is_cut_within_a_character_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordRefused, match="utf-16"):
        read(tmp_path, "id\n1".encode("utf-16-le") + b"\0", encoding="utf-16-le")


@pytest.mark.parametrize("line", ["\n", "\r\n"])
def test_records_that_chunks_cut_are_whole(tmp_path: Path, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With chunks of every small size: each byte is once the end of one."""
    text = line.join(['id,"a b"', '1,"x, ""y"""', "", f'2,"two{line}lines"', '3,""', "4,", '5,5" pipe', "6,é€", "7,z"])
    expected = [
        ("1", 'x, "y"', 1), ("2", f"two{line}lines", 2), ("3", "", 3), ("4", None, 4), ("5", '5" pipe', 5),
        ("6", "é€", 6), ("7", "z", 7),
    ]  # fmt: skip
    for size in range(1, 60):
        monkeypatch.setattr("el.dumps.formats.csv_chunks.CHUNK", size)
        reading, rows = read(tmp_path, text)
        assert rows == expected, size
        assert reading.blank_lines == 1


@pytest.mark.parametrize("seed", range(3))
def test_random_files_are_read_as_the_standard_library_reads_them(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    import csv
    import io

    chance = random.Random(seed)
    pieces = ["a", "é", ",", '"', "\n", "\r\n", " ", "0", ""]
    for _ in range(60):
        width = chance.randint(2, 4)
        values = [
            ["".join(chance.choices(pieces, k=chance.randint(0, 4))) for _ in range(width)]
            for _ in range(chance.randint(1, 30))
        ]
        out = io.StringIO()
        csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator=chance.choice(["\n", "\r\n"])).writerows(values)
        monkeypatch.setattr("el.dumps.formats.csv_chunks.CHUNK", chance.randint(1, 300))
        names = tuple(f"c{number}" for number in range(width))
        _, rows = read(tmp_path, out.getvalue(), columns=names)
        assert [list(row[:-1]) for row in rows] == values


@pytest.mark.parametrize("seed", range(3))
def test_what_is_read_depends_neither_on_the_parser_nor_on_where_chunks_are_cut(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any text in any dialect, against a reading field by field."""
    chance = random.Random(seed)
    for _ in range(60):
        dialect = _dialect(chance)
        pieces = ["a", "é", " ", "", ",", dialect.quote or '"', "\\", "\0", "NULL", "\n", "\r", "\r\n"]
        end = {"any": "\n"}.get(dialect.newline, dialect.newline)
        lines = ["".join(chance.choices(pieces, [6, *[2] * 11], k=chance.randint(0, 8))) for _ in range(12)]
        data = end.join(lines).encode()
        told = {name: getattr(dialect, name) for name in ("quote", "escape", "newline", "null")}
        columns = tuple("abc"[: chance.randint(1, 3)])
        expected = [r for r in StrictReader(dialect, len(columns)).records(data) if len(columns) == 1 or not r.blank]
        for size in (8 * 1024 * 1024, chance.randint(1, 40)):
            monkeypatch.setattr("el.dumps.formats.csv_chunks.CHUNK", size)
            if any(record.fatal for record in expected):
                with pytest.raises(RecordRefused):
                    read(tmp_path, data, rejects=99, columns=columns, **told)
                continue
            reading, rows = read(tmp_path, data, rejects=99, columns=columns, **told)
            good = [(*r.fields, number) for number, r in enumerate(expected, 1) if r.reason is None]
            assert rows == good, (data, dialect, size)
            assert [r.data for r in reading.rejects] == [data[r.start : r.end] for r in expected if r.reason]


def _dialect(chance: random.Random) -> Dialect:
    quote = chance.choice(['"', "'", None])
    escape = chance.choice(["\\", None, None]) if quote else None
    newline = chance.choice(["any", "\n", "\r\n", "\r"])
    return Dialect(quote=quote, escape=escape, newline=newline, null=chance.choice([("",), ("NULL",), ()]))  # type: ignore[arg-type]
