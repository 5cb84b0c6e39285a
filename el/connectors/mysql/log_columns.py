"""The columns of a read out of rows of the binary log: as `read_buffer` gives them of the table itself.

Guarantee: what the server alone knows (a character set, a mask or a cast of el.yml, an address) the server is asked
for, each value once; the rest is made here of the bytes, as Arrow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pymysql.constants import FIELD_TYPE

from el.connectors.buffer import Buffer
from el.connectors.catalog import SourceType
from el.connectors.mysql.log_changes import Piece
from el.connectors.mysql.log_json import parts_of
from el.connectors.mysql.log_rows import Numbers
from el.connectors.mysql.log_table import BLOB_COMPRESSED, VARCHAR_COMPRESSED, WHOLE, LogColumn
from el.connectors.mysql.log_values import BINARY, Values
from el.connectors.mysql.types import RULES
from el.connectors.request import ColumnRead, ReadRequest, SqlText
from el.connectors.sql.select import Statement
from el.errors import PositionLost, ReadError, RowRefused
from el.types.rule import TypeKind, decide

_AS_IT_IS = frozenset({"utf8mb4", "utf8mb3", "utf8", "ascii"})
_CHARSETS = {
    True: "SELECT id, character_set_name FROM information_schema.collation_character_set_applicability",
    False: "SELECT id, character_set_name FROM information_schema.collations",
}
_TEXTS = frozenset({FIELD_TYPE.STRING, FIELD_TYPE.VAR_STRING, FIELD_TYPE.VARCHAR, FIELD_TYPE.BLOB})
_LABELS = frozenset({FIELD_TYPE.ENUM, FIELD_TYPE.SET})
_REFUSED = {
    **dict.fromkeys((BLOB_COMPRESSED, VARCHAR_COMPRESSED), "is COMPRESSED, which el does not read in the binary log"),
}
# So many values are asked for in one statement, of so many bytes as hex.
_AT_ONCE, _BYTES = 200, 1024 * 1024
# Behind the bytes of the rows, so that a value of fixed length can be taken where none is.
_BEHIND = bytes(64)


class Server(Protocol):
    """Whoever can be asked beside the log."""

    def stream(self, statement: Statement, request: ReadRequest) -> Buffer: ...

    def fetch(self, statement: Statement) -> list[tuple[object, ...]]: ...


class Columns:
    """Of one table. types: as its catalog declares them."""

    def __init__(self, server: Server, types: Mapping[str, SourceType], *, is_mariadb: bool) -> None:
        self._server, self._is_mariadb = server, is_mariadb
        self._types = {name.lower(): type_ for name, type_ in types.items()}
        self._charsets: dict[int, str] = {}
        self._data: tuple[Piece, np.ndarray[tuple[int], np.dtype[np.uint8]]] | None = None

    def of(self, piece: Piece, read: ColumnRead, rows: Numbers | None = None) -> pa.Array:
        """One column of these rows, all where none are named; NULL where the table had no such column yet."""
        names = [column.name.lower() for column in piece.table.columns]
        name = read.source.lower()
        count = piece.rows.count if rows is None else len(rows)
        if name not in names:
            return pa.nulls(count, read.arrow)
        place = names.index(name)
        column, type_ = piece.table.columns[place], self._types[name]
        self._refuse(column, type_)
        starts, ends, there = piece.rows.places(place)
        if rows is not None:
            starts, ends, there = starts[rows], ends[rows], there[rows]
        values = Values(self._bytes(piece), starts, ends, there)
        try:
            return self._wanted(values, column, type_, read)
        except pa.ArrowInvalid as error:
            raise PositionLost(
                f"column {read.source!r} does not fit {read.arrow} in the binary log ({error}): it was of another type "
                "when this was written; run --full-refresh begins anew"
            ) from None

    def _refuse(self, column: LogColumn, type_: SourceType) -> None:
        if column.type in _REFUSED:
            raise ReadError(f"column {column.name!r} {_REFUSED[column.type]}; or exclude it")
        rule = decide(RULES, type_)
        whole = column.type in WHOLE and rule is not None and rule.kind is TypeKind.WHOLE
        if whole and column.unsigned != type_.name.endswith(" unsigned"):
            raise PositionLost(
                f"column {column.name!r} ({type_}) has another sign in the binary log: it was of another type when "
                "this was written; run --full-refresh begins anew"
            )

    def _bytes(self, piece: Piece) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
        if self._data is None or self._data[0] is not piece:
            self._data = piece, np.frombuffer(bytes(piece.rows.data) + _BEHIND, np.uint8)
        return self._data[1]

    def _wanted(self, values: Values, column: LogColumn, type_: SourceType, read: ColumnRead) -> pa.Array:
        rule = decide(RULES, type_)
        ways = [way.read_as for way in (rule.exact, rule.lossy) if way is not None] if rule is not None else []
        exact, lossy = (*ways, None, None)[:2]
        found = self._known(values.of(column), column, type_)
        moments = rule is not None and rule.kind in (TypeKind.DATE, TypeKind.MOMENT, TypeKind.INSTANT)
        as_null = moments and read.read_as is not None and read.read_as == lossy
        if read.read_as is None or read.read_as == exact or as_null:
            if moments and (odd := values.odd_text(column, only_invalid=as_null)) is not None:
                raise RowRefused(
                    f"column {read.source!r} has {odd!r}, which is no {found.type}: `lossy: true` makes it NULL, a "
                    "cast to char(26) carries its text"
                )
            return found if read.arrow is None else found.cast(read.arrow)
        if moments:
            found = values.shown(column)
        said = _LITERALS.get(rule.kind, _text) if rule is not None else _text
        made = self._asked(found, lambda value: str(read.read_as).replace("{column}", said(value, type_)), read.arrow)
        return made if read.arrow is None else made.cast(read.arrow)

    def _known(self, found: pa.Array, column: LogColumn, type_: SourceType) -> pa.Array:
        """Text as text, and what MariaDB keeps as bytes as it writes it."""
        if column.type == FIELD_TYPE.JSON:
            return self._documents(found)
        if type_.name == "uuid" and pa.types.is_binary(found.type):
            return _uuids(found)
        if type_.name in ("inet4", "inet6") and pa.types.is_binary(found.type):
            return self._asked(found, lambda value: f"INET6_NTOA({_bytes_literal(value)})", pa.string())
        is_text = column.type in _LABELS or (column.type in _TEXTS and column.collation != BINARY)
        return self._text(found, column.collation) if is_text else found

    def _documents(self, found: pa.Array) -> pa.Array:
        """MySQL's JSON; how it writes a number with a fraction, it is asked for."""
        coded = found.dictionary_encode()
        said = [list(parts_of(each)) for each in coded.dictionary.to_pylist()]
        numbers = list({part.hex(): part for parts in said for part in parts if isinstance(part, float)}.values())
        written: dict[str, str] = {}
        if numbers:
            asked = [f"CAST(CAST({number:.17e} AS JSON) AS CHAR)" for number in numbers]
            texts = [text for part in _parts(asked) for text in self._answers(part, pa.string()).to_pylist()]
            written = dict(zip((number.hex() for number in numbers), texts, strict=True))
        made = ["".join(written[part.hex()] if isinstance(part, float) else part for part in parts) for parts in said]
        return pa.array(made, pa.string()).take(coded.indices)

    def _text(self, found: pa.Array, collation: int) -> pa.Array:
        if not self._charsets:
            rows = self._server.fetch(Statement(_CHARSETS[self._is_mariadb]))
            self._charsets = {int(str(number)): str(name) for number, name in rows if number is not None}
        charset = self._charsets.get(collation)
        if charset is None:
            raise ReadError(f"the binary log names a collation {collation} that the server does not know")
        if charset in _AS_IT_IS or charset == "binary":
            return found.cast(pa.string())

        def said(value: object) -> str:
            return "NULL" if value is None else f"CONVERT(_{charset} {_bytes_literal(value)} USING utf8mb4)"

        return self._asked(found, said, pa.string())

    def _asked(self, found: pa.Array, said: Callable[[object], str], arrow: pa.DataType | None) -> pa.Array:
        """What the server makes of each value, asked once of values that are equal."""
        coded = found.dictionary_encode()
        # One more, for NULL.
        values = [*coded.dictionary.to_pylist(), None]
        expressions = [said(value) for value in values]
        made = pa.concat_arrays([self._answers(part, arrow) for part in _parts(expressions)])
        return made.take(coded.indices.fill_null(len(values) - 1))

    def _answers(self, expressions: Sequence[str], arrow: pa.DataType | None) -> pa.Array:
        sql = " UNION ALL ".join(f"SELECT {number} AS n, {each} AS v" for number, each in enumerate(expressions))
        columns = (ColumnRead("n", "n"), ColumnRead("v", "v", None, arrow))
        with self._server.stream(Statement(sql), ReadRequest(query=SqlText(sql), columns=columns)) as buffer:
            answers = buffer.to_arrow().sort_by("n").column("v").combine_chunks()
        return answers if arrow is None else answers.cast(arrow)


def _parts(expressions: Sequence[str]) -> Iterator[list[str]]:
    part: list[str] = []
    size = 0
    for each in expressions:
        if part and (len(part) >= _AT_ONCE or size + len(each) > _BYTES):
            yield part
            part, size = [], 0
        part.append(each)
        size += len(each)
    yield part


def _uuids(found: pa.Array) -> pa.Array:
    text = pa.array([None if value is None else value.hex() for value in found.to_pylist()], pa.string())
    return pc.replace_substring_regex(text, "^(.{8})(.{4})(.{4})(.{4})(.{12})$", r"\1-\2-\3-\4-\5")


def _bytes_literal(value: object) -> str:
    return "NULL" if value is None else f"X'{bytes(value).hex()}'"  # type: ignore[call-overload]


def _text(value: object, type_: SourceType) -> str:
    return "NULL" if value is None else f"_utf8mb4 X'{str(value).encode().hex()}'"


def _as_bytes(value: object, type_: SourceType) -> str:
    return _bytes_literal(value) if value is None or isinstance(value, bytes) else _text(value, type_)


def _plain(value: object, type_: SourceType) -> str:
    if value is None:
        return "NULL"
    return f"'{value:04d}'" if type_.name == "year" else str(value)


def _uuid(value: object, type_: SourceType) -> str:
    return f"CAST({_text(value, type_)} AS {type_.name})"


def _number(value: object, type_: SourceType) -> str:
    return "NULL" if value is None else f"CAST({value:.17e} AS {type_.name})"


def _of(before: str) -> Callable[[object, SourceType], str]:
    return lambda value, type_: "NULL" if value is None else f"{before}'{value}'"


# A value as SQL that has its type.
_LITERALS: dict[TypeKind, Callable[[object, SourceType], str]] = {
    TypeKind.WHOLE: _plain,
    TypeKind.DECIMAL: _plain,
    TypeKind.FLOAT: _number,
    TypeKind.BITS: lambda value, type_: "NULL" if value is None else f"b'{value:b}'",
    TypeKind.BOOL: lambda value, type_: "NULL" if value is None else f"b'{value:b}'",
    TypeKind.DATE: _of("DATE"),
    TypeKind.MOMENT: _of("TIMESTAMP"),
    TypeKind.INSTANT: _of("TIMESTAMP"),
    TypeKind.DURATION: _of("TIME"),
    TypeKind.UUID: _uuid,
    TypeKind.BYTES: _as_bytes,
    TypeKind.OTHER: _as_bytes,
}
