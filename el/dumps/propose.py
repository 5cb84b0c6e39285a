"""A `format` for el.yml, proposed by a look at the beginning of one file. A run never asks for it."""

from __future__ import annotations

import codecs
import tempfile
from pathlib import Path

import duckdb

from el.dumps.compression import broken_is_refused, decompressing, suffix_of
from el.dumps.file_version import FileVersion
from el.dumps.formats.refused import unreadable
from el.dumps.stores.base import Store
from el.errors import PlanError

_LOOKED_AT = 1024 * 1024
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def proposal(store: Store, file: FileVersion) -> str:
    """The setting as it would stand in el.yml."""
    with store.open(file) as opened:
        suffix = suffix_of(file.member or file.uri)
        with broken_is_refused(file):
            data = (opened if suffix is None else decompressing(opened, suffix)).read(_LOOKED_AT)
    name = (file.member or file.uri).rpartition("/")[2]
    if why := unreadable(name, data):
        raise PlanError(why)
    if data.startswith(b"PAR1"):
        return "`format: parquet`"
    if data.startswith(b"PK"):
        return "`format: {type: bacpac, table: schema.table}`" if name.endswith(".bacpac") else "`format: xlsx`"
    encoding = next((name for mark, name in _BOMS if data.startswith(mark)), None) or _encoding(data)
    text = data.decode(encoding, "replace").lstrip("\ufeff")
    if text.lstrip().startswith("{"):
        return "`format: ndjson`"
    wide = "utf-16be" if data.startswith(codecs.BOM_UTF16_BE) else "utf-16le"
    exactly = f", encoding: {wide if encoding.startswith('utf-16') else encoding}" if encoding != "utf-8" else ""
    if text.lstrip().startswith("["):
        return f"`format: {{type: json{exactly}}}`"
    if text.lstrip().startswith("<"):
        return f"`format: {{type: xml{exactly}}}`, with `root: NAME` if one element holds all rows"
    found = _sniffed(text)
    # With the defaults of el.yml left out.
    told = ["type: csv"]
    delimiter, quote, escape, newline, header, columns = found
    told += [f"delimiter: {_quoted(delimiter)}"] if delimiter != "," else []
    if quote in ("", "\0"):
        # Where none was seen, none may have been there so far.
        told += ["quote: none"] if '"' in text else []
    elif quote != '"':
        told.append(f"quote: {_quoted(quote)}")
    told += [f"escape: {_quoted(escape)}"] if escape not in ("", "\0", quote) else []
    told += ['newline: "\\r\\n"'] if newline == "\\r\\n" else []
    told += [f"encoding: {encoding}"] if encoding != "utf-8" else []
    if not header:
        told += ["header: false", f"columns: [{', '.join(columns)}]"]
    return f"`format: {{{', '.join(told)}}}`"


def _encoding(data: bytes) -> str:
    """UTF-8 where it is that, but for a character that the end of the data cuts."""
    if data[1:20:2] == b"\0" * len(data[1:20:2]) and len(data) > 3:
        return "utf-16-le"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _sniffed(text: str) -> tuple[str, str, str, str, bool, list[str]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "beginning.csv"
        # Whole lines alone.
        whole = text if len(text) < _LOOKED_AT // 2 else text[: text.rfind("\n") + 1]
        path.write_text(whole, encoding="utf-8", newline="")
        try:
            with duckdb.connect() as connection:
                row = connection.execute(
                    "SELECT Delimiter, Quote, Escape, NewLineDelimiter, HasHeader, Columns FROM sniff_csv(?)",
                    [str(path)],
                ).fetchone()
        except duckdb.InvalidInputException:
            row = None
    if row is None:
        return ",", '"', "", "", True, []
    delimiter, quote, escape, newline, header, columns = row
    names = [str(column["name"]) for column in columns]
    return str(delimiter), _plain(quote), _plain(escape), str(newline), bool(header), names


def _plain(text: object) -> str:
    return "" if text in (None, "(empty)") else str(text)


def _quoted(text: str) -> str:
    return "'\"'" if text == '"' else '"' + text.replace("\\", "\\\\").replace("\t", "\\t") + '"'
