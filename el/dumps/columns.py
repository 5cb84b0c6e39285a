"""The columns of a file as raw has them: their names, and types that both warehouses hold without a loss."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from el.errors import FileRefused, RecordRefused
from el.planning.naming import LANDING_PREFIXES, RESERVED, Mode, normalise


def raw_names(header: Sequence[str], mode: Mode) -> tuple[list[str], list[str]]:
    """A name in raw for each column of a header, in its order, and what was done to blank and equal ones, in words.

    The same name has the same one in raw in every file: a later file may have its columns in another order. Of those
    that become equal, the one that is written so itself keeps the name, and the others follow by their spelling.
    """
    plain = [_plain_name(written, number, mode) for number, written in enumerate(header, 1)]
    order = sorted(range(len(header)), key=lambda i: (not header[i].strip(), header[i] != plain[i], header[i], i))
    owners: dict[str, int] = {}
    for place in order:
        owners.setdefault(plain[place].casefold(), place)
    taken = set(owners)
    names = list(plain)
    for place in order:
        copy = 1
        while owners[plain[place].casefold()] != place and names[place].casefold() in taken:
            copy += 1
            names[place] = f"{plain[place]}_{copy}"
        taken.add(names[place].casefold())
    notes = []
    for number, (written, first, name) in enumerate(zip(header, plain, names, strict=True), 1):
        if not written.strip():
            notes.append(f"column {number} has no name: {name} in raw")
        elif name != first:
            notes.append(f"{written!r} stands more than once: {name} in raw")
    return names, notes


def _plain_name(written: str, number: int, mode: Mode) -> str:
    name = normalise(written, mode) if written.strip() else f"column_{number}"
    if name.lower().startswith(LANDING_PREFIXES) or name.upper() in RESERVED:
        return f"source_{name.lstrip('_')}"
    return name


def names_of_captures(captures: Sequence[str], columns: Sequence[str], mode: Mode) -> list[str]:
    """Their names in raw. Raises `FileRefused` where the file has such a column itself: other files may have none."""
    names, _ = raw_names(captures, mode)
    there = {column.casefold() for column in columns}
    for written, name in zip(captures, names, strict=True):
        if name.casefold() in there:
            raise FileRefused(
                f"the file has a column {name}, and so has its name by {{{written}}}: give {{{written}}} another name "
                "in `files`, or write * in its place"
            )
    return names


def landing_type(name: str, type_: pa.DataType) -> pa.DataType:
    """As what a column lands. Raises `RecordRefused` for a type that raw does not hold as it is."""
    if pa.types.is_dictionary(type_):
        return landing_type(name, type_.value_type)
    if _is_one_of(type_, "string", "large_string", "string_view"):
        return pa.string()
    if _is_one_of(type_, "binary", "large_binary", "binary_view", "fixed_size_binary"):
        return pa.binary()
    if pa.types.is_signed_integer(type_) or pa.types.is_unsigned_integer(type_):
        return pa.int64() if type_ != pa.uint64() else pa.decimal128(20, 0)
    if pa.types.is_floating(type_):
        return pa.float64()
    if pa.types.is_boolean(type_) or pa.types.is_decimal128(type_):
        return type_
    if _is_one_of(type_, "decimal32", "decimal64"):
        return pa.decimal128(type_.precision, type_.scale)
    if pa.types.is_date(type_):
        return pa.date32()
    if pa.types.is_timestamp(type_):
        # A zone's name is lost, the instant is not.
        return pa.timestamp("us", "UTC" if type_.tz is not None else None)
    if pa.types.is_time(type_):
        return pa.time64("us")
    raise RecordRefused(f"column {name} is {type_}, which raw does not hold as it is")


def _is_one_of(type_: pa.DataType, *names: str) -> bool:
    return any(getattr(pa.types, f"is_{name}", lambda _: False)(type_) for name in names)


def landed(name: str, column: pa.Array, wanted: pa.DataType) -> pa.Array:
    """The column in this type. Raises `RecordRefused` where a value would not stay what it is."""
    if column.type == wanted:
        return column
    try:
        return column.cast(wanted, safe=True)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise RecordRefused(f"column {name}: {column.type} does not fit {wanted}: {error}") from None
