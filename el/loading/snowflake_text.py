"""How Snowflake's COPY is told to read a text, and what it tells of what it read.

By a SELECT, which alone gives a row its file and its number ("Transforming data during a load"). Then COPY checks no
number of fields, so the field behind the last one comes along, which has to be NULL. By "CREATE FILE FORMAT" and "COPY
INTO <table>": `SKIP_HEADER` cuts at line ends whatever the quotes say, so a header is read as a record; `NULL_IF`
makes NULL of a quoted word too, so words become NULL by NULLIF, of files that have none in quotes; `\\` is an escape
and `\\N` is NULL unless the opposite is said. A quoted empty field stays an empty text ("Data unloading
considerations", the example with enclosing quotes).
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Sequence

from el.loading.content_sum import NOTHING, SEPARATOR
from el.loading.express import TextForm

# "CREATE FILE FORMAT", ENCODING, by Python's names.
_ENCODINGS = {
    "utf-8": "UTF8",
    "utf-16-le": "UTF16LE",
    "utf-16-be": "UTF16BE",
    "ascii": "UTF8",
    "iso8859-1": "ISO88591",
    "iso8859-2": "ISO88592",
    "iso8859-5": "ISO88595",
    "iso8859-15": "ISO885915",
    **{f"cp{page}": f"WINDOWS{page}" for page in range(1250, 1257)},
    "koi8-r": "KOI8R",
}
_LONGEST_DELIMITER = 20
_ESCAPES = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}
MORE = "_el_express_more"


def unfit(form: TextForm) -> str | None:
    """Why COPY is not known to read texts of this form as they are meant."""
    if _encoding(form) is None:
        return f"COPY is not known to read {form.encoding} as el does"
    if form.quote not in (None, '"', "'"):
        return f"COPY takes no {form.quote} for a quote"
    ends = [end for end in (form.delimiter, form.record_end) if end is not None]
    for end in ends:
        if not end.isascii() or set(end) & {"\0", "\\", SEPARATOR, NOTHING} or len(end) > _LONGEST_DELIMITER:
            return f"COPY may take {end!r}, by which fields or records end, otherwise"
    if len(ends) == 2 and any(_overlap(*pair) for pair in (ends, ends[::-1])):
        return f"COPY may take {ends[0]!r} and {ends[1]!r} otherwise, of which one is part of the other or runs into it"
    return None


def _overlap(one: str, other: str) -> bool:
    """Whether one text is part of the other one, or ends as it begins."""
    return one in other or any(one.endswith(other[:size]) for size in range(1, len(other)))


def _encoding(form: TextForm) -> str | None:
    name = form.encoding.strip()
    return _ENCODINGS.get(codecs.lookup(f"cp{name}" if name.isdigit() else name).name.removesuffix("-sig"))


def file_format(form: TextForm) -> str:
    """Each option is said: nearly every default of COPY loses a value of some file."""
    empty = "TRUE" if "" in form.nulls else "FALSE"
    return (
        f"(TYPE = CSV COMPRESSION = {'GZIP' if form.packed else 'NONE'} "
        f"RECORD_DELIMITER = {_option(form.record_end)} FIELD_DELIMITER = {_option(form.delimiter)} "
        "MULTI_LINE = TRUE PARSE_HEADER = FALSE SKIP_HEADER = 0 SKIP_BLANK_LINES = FALSE ESCAPE = NONE "
        f"ESCAPE_UNENCLOSED_FIELD = NONE TRIM_SPACE = FALSE FIELD_OPTIONALLY_ENCLOSED_BY = {_option(form.quote)} "
        f"NULL_IF = () REPLACE_INVALID_CHARACTERS = FALSE EMPTY_FIELD_AS_NULL = {empty} "
        f"SKIP_BYTE_ORDER_MARK = TRUE ENCODING = '{_encoding(form)}')"
    )


def _option(text: str | None) -> str:
    """As the pages write it: a line end by its escape, for `\\n` is logical and takes `\\r\\n` for one too."""
    if text is None:
        return "NONE"
    if text == "'" or (len(text) == 1 and text not in _ESCAPES and not text.isprintable()):
        return f"'0x{ord(text):02x}'"
    return "'" + "".join(map(_written, text)) + "'"


def _written(character: str) -> str:
    plain = character.isprintable() and character != "'"
    return character if plain else _ESCAPES.get(character, f"\\x{ord(character):02x}")


def field(form: TextForm, number: int, literal: Callable[[str], str]) -> str:
    """What a field of the file is in raw."""
    value = f"t.${number}"
    for word in form.nulls:
        if word:
            value = f"NULLIF({value}, {literal(word)})"
    return value


def content_of(number: str, columns: Sequence[str]) -> str:
    """The number of a record, as `content_sum.py` has it. columns: in their order, MORE last."""
    fields = "".join(f", COALESCE({column}, CHR({ord(NOTHING)}))" for column in columns)
    return f"MD5_NUMBER_LOWER64(CONCAT_WS(CHR({ord(SEPARATOR)}), TO_VARCHAR({number}){fields}))"
