"""A file of text as people have them: UTF-8, or UTF-8 and UTF-16 with a byte order mark.

Guarantee: what is in another encoding is one line that names file and line, and none of its content.
"""

from __future__ import annotations

import codecs
from pathlib import Path

from el.errors import ConfigError

_MARKS = (
    # The mark of UTF-32 begins with that of UTF-16.
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def read_text(path: Path) -> str:
    """The file's text without its mark. Raises `OSError` where it is not there, `ConfigError` where it is no text."""
    data = path.read_bytes()
    mark, encoding = _mark(data)
    body = data.removeprefix(mark)
    try:
        text = body.decode(encoding)
    except UnicodeDecodeError as error:
        line = body[: error.start].decode(encoding, "replace").count("\n") + 1
        raise ConfigError(f"{path} line {line}: this is not {encoding.upper()}: save the file as UTF-8") from None
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise ConfigError(f"{path} line {line}: this is not UTF-8 (a zero byte stands in it): save the file as UTF-8")
    return text


def decoded(data: bytes) -> str:
    """Text for a search: what cannot be read in its encoding is another letter."""
    mark, encoding = _mark(data)
    return data.removeprefix(mark).decode(encoding, "replace")


def _mark(data: bytes) -> tuple[bytes, str]:
    return next(((mark, encoding) for mark, encoding in _MARKS if data.startswith(mark)), (b"", "utf-8"))
