"""Format files of bcp, as text and as XML: how each field of a data file is stored.

Microsoft Learn: "Non-XML format files", "XML format files", "Schema syntax for XML format files".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from el.errors import ConfigError

_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')
_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "0": "\0", "\\": "\\", '"': '"', "'": "'"}
_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"


@dataclass(frozen=True, slots=True)
class FileField:
    """A field of the data file.

    name: of the column that it goes to; None: it goes to none. stored_as: bcp's word, such as "SQLINT". length: in
    bytes, at most; 0: not limited. precision, scale: only an XML file may say them.
    """

    name: str | None
    stored_as: str
    prefix: int
    length: int
    terminator: bytes
    precision: int | None = None
    scale: int | None = None


def read_format_file(path: Path) -> list[FileField]:
    """The fields in the order of the data file. Raises `ConfigError` where the file is not what it should be."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"format file {path}: {error.strerror}") from None
    text = _decoded(data)
    fields = _xml(text, path) if text.lstrip().startswith("<") else _plain(text, path)
    names = [field.name for field in fields if field.name is not None]
    twice = {name for name in names if names.count(name) > 1}
    if twice or not names:
        raise ConfigError(f"format file {path.name}: {'column ' + min(twice) + ' twice' if twice else 'no column'}")
    return fields


def _decoded(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16")
    return data.decode("utf-8-sig")


def _plain(text: str, path: Path) -> list[FileField]:
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) < 3 or not re.fullmatch(r"\d+\.\d+", lines[0].strip()) or not lines[1].strip().isdigit():
        raise ConfigError(f"format file {path.name} does not begin with a version and a number of fields")
    wanted = int(lines[1])
    if len(lines) != wanted + 2:
        raise ConfigError(f"format file {path.name} has {len(lines) - 2} fields, but says {wanted}")
    return [_plain_field(line, number, path) for number, line in enumerate(lines[2:], 1)]


def _plain_field(line: str, number: int, path: Path) -> FileField:
    tokens = [quoted if bare == "" else bare for quoted, bare in _TOKEN.findall(line)]
    # order, storage type, prefix length, length, terminator, order and name of the column, collation
    if len(tokens) not in (7, 8) or tokens[0] != str(number) or not all(tokens[n].isdigit() for n in (2, 3, 5)):
        raise ConfigError(
            f"format file {path.name}: field {number} is not of the form of a format file: {line.strip()}"
        )
    name = _unescaped(tokens[6]) if tokens[5] != "0" else None
    return FileField(name, tokens[1].upper(), int(tokens[2]), int(tokens[3]), _unescaped(tokens[4]).encode())


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[0]), text)


def _xml(text: str, path: Path) -> list[FileField]:
    try:
        root = ElementTree.fromstring(
            text.encode() if "encoding=" not in text[:200] else re.sub(r"^<\?.*?\?>", "", text)
        )
    except ElementTree.ParseError as error:
        raise ConfigError(f"format file {path.name} is no XML: {error}") from None
    columns = {e.get("SOURCE"): e for e in root.iter() if e.tag.endswith("}COLUMN")}
    return [_xml_field(e, columns.get(e.get("ID")), path) for e in root.iter() if e.tag.endswith("}FIELD")]


def _xml_field(element: ElementTree.Element, column: ElementTree.Element | None, path: Path) -> FileField:
    kind = element.get(_TYPE, "").rpartition(":")[2]
    number = element.get("ID")
    if kind not in ("NativeFixed", "NativePrefix", "CharFixed", "CharPrefix", "NCharPrefix", "CharTerm", "NCharTerm"):
        raise ConfigError(
            f"format file {path.name}: field {number} is a {kind or 'field of no type'}, which el cannot read"
        )
    said = {word: int(value) for word, value in element.attrib.items() if value.isdigit()}
    prefix = said.get("PREFIX_LENGTH", said.get("LENGTH", 0)) if kind.endswith("Prefix") else 0
    length = said.get("LENGTH", 0) if kind.endswith("Fixed") else said.get("MAX_LENGTH", 0)
    terminator = _unescaped(element.get("TERMINATOR", "")).encode()
    stored_as = column.get(_TYPE, "").rpartition(":")[2].upper() if column is not None else "SQLBINARY"
    if not kind.startswith("Native"):
        stored_as = "SQLNCHAR" if kind.startswith("NChar") else "SQLCHAR"
    digits = {} if column is None else {w: int(v) for w in ("PRECISION", "SCALE") if (v := column.get(w, "")).isdigit()}
    name = None if column is None else column.get("NAME")
    return FileField(name, stored_as, prefix, length, terminator, digits.get("PRECISION"), digits.get("SCALE"))
