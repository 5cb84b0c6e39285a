"""Names of tables and columns in the raw schema: readable, the same at every run, and never two for one.

snake_case names are of a-z, 0-9 and _, so that no target needs quotes for them and dlt's own naming leaves them as they
are; other letters are transliterated. Every collision is found before anything is extracted.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from anyascii import anyascii

from el.errors import PlanError

Mode = Literal["snake_case", "preserve"]

MAX_LENGTH = 255
# Of a raw table's name in UTF-8: dlt's files are named after it, and 255 bytes are all that a file's name may have.
MAX_TABLE_BYTES = 190
# Snowflake documentation, "Reserved & limited keywords": "cannot be used as column name (reserved by ANSI)",
# and quoting does not help.
RESERVED = frozenset(
    {"CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "CURRENT_USER", "LOCALTIME", "LOCALTIMESTAMP"}
)
LANDING_PREFIXES = ("_dlt_", "_el_")
# Of a store of documents: a document's own bytes, where its text is not all of it.
RAW_BYTES = "_el_raw"

# What no file may be called everywhere: dlt names files after tables, with dots between the parts.
_NO_FILE = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]|[. ]$|^ |^(con|prn|aux|nul|clock\$|com\d|lpt\d)$', re.IGNORECASE)

_PLURAL_ACRONYM = re.compile(r"([A-Z]{2,})s(?![a-z])")
_ACRONYM_THEN_WORD = re.compile(r"([A-Z]+)([A-Z][a-z])")
_LOWER_THEN_UPPER = re.compile(r"([a-z0-9])([A-Z])")
_OTHER = re.compile(r"[^A-Za-z0-9]+")


def normalise(name: str, mode: Mode = "snake_case", most: int = MAX_LENGTH) -> str:
    """`name` as it is called in raw: itself for "preserve", else snake_case; never empty, at most `most` characters.

    OrderID, `Order ID` and order-id are order_id; HTTPServer2 is http_server2; URLs is urls; Größe is grosse;
    2019 is _2019. A name without any letter or digit, such as %, is x and the code points in hex: x25.
    Normalising twice changes nothing.
    """
    if mode == "preserve":
        return name
    ascii_name = anyascii(name)
    words = _PLURAL_ACRONYM.sub(lambda found: found[1].capitalize() + "s", ascii_name)
    words = _ACRONYM_THEN_WORD.sub(r"\1_\2", words)
    words = _LOWER_THEN_UPPER.sub(r"\1_\2", words)
    snake = _OTHER.sub("_", words).strip("_").lower()
    if not snake:
        snake = "x" + "".join(f"{ord(character):x}" for character in name)
    elif snake[0].isdigit() or ascii_name.startswith("_"):
        snake = f"_{snake}"
    if len(snake) > most:
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        snake = f"{snake[: most - 9].rstrip('_')}_{digest}"
    return snake


class Problem(NamedTuple):
    """Why some names cannot be in raw. names: whose problem it is, as at the source; clash: two became one."""

    names: tuple[str, ...]
    text: str
    clash: bool = False


def name_map(
    originals: Sequence[str], mode: Mode, renames: Mapping[str, str], what: str, *, tables: bool = False
) -> dict[str, str]:
    """Original name -> name in raw, in the order of `originals`.

    what: said first in messages, such as "columns of sales.orders". The others: see `find_names`.
    Raises `PlanError` with every problem at once.
    """
    names, problems = find_names(originals, mode, renames, tables=tables)
    if problems:
        raise PlanError(f"{what}: {'; '.join(problem.text for problem in problems)}")
    return names


def find_names(
    originals: Sequence[str], mode: Mode, renames: Mapping[str, str], *, tables: bool = False
) -> tuple[dict[str, str], list[Problem]]:
    """Original name -> name in raw, in the order of `originals`; and what is wrong with them.

    renames: original -> the user's own name for it. tables: whether they are tables, whose names have fewer bytes.
    Wrong are two names that become one (capitals do not tell names apart, as DuckDB does not), names that Snowflake
    refuses or that landing columns bear, names over 255 characters, and renames that rename nothing or that are not in
    snake_case themselves.
    """
    problems = [
        Problem((unknown,), f"rename of {unknown!r} renames nothing; there are: {', '.join(originals)}")
        for unknown in renames
        if unknown not in originals
    ]
    most = MAX_TABLE_BYTES if tables else MAX_LENGTH
    names: dict[str, str] = {}
    owners: dict[str, str] = {}
    for original in originals:
        given = renames.get(original)
        name = normalise(original, mode, most) if given is None else given
        names[original] = name
        if given is not None and (wanted := normalise(given, mode, most)) != given:
            text = f"the rename of {original!r} to {given!r} is not in {mode}: write {wanted!r}"
            problems.append(Problem((original,), text))
        setting = _setting(original, _other_name(name), tables=tables)
        problems.extend(Problem((original,), text) for text in _refusals(original, name, setting))
        if tables and (size := len(name.encode("utf-8", "surrogatepass"))) > most:
            text = (
                f"{original!r} has {size} bytes, and a raw table's name has {most} at most: give it another name, as "
                f"in {_setting(original, 'short_name', tables=tables)}"
            )
            problems.append(Problem((original,), text))
        owner = owners.setdefault(name.casefold(), original)
        if owner != original:
            text = (
                f"{owner!r} and {original!r} would both be named {name!r}: "
                f"give one of them another name, as in {setting}"
            )
            problems.append(Problem((owner, original), text, clash=True))
    return names, problems


def _setting(original: str, other: str, *, tables: bool) -> str:
    """What el.yml says for another name: in the table's own entry."""
    return f"`rename: {other}` of {original!r}" if tables else f"columns: {{{original!r}: {{rename: {other}}}}}"


def _refusals(original: str, name: str, setting: str) -> list[str]:
    hint = f"give it another name, as in {setting}"
    if not name:
        return [f"{original!r} would have no name: {hint}"]
    if len(name) > MAX_LENGTH:
        return [f"{original!r} has {len(name)} characters, and Snowflake takes {MAX_LENGTH}: {hint}"]
    if name.upper() in RESERVED:
        return [f"{original!r} would be named {name!r}, which Snowflake refuses even quoted: {hint}"]
    if name.lower().startswith(LANDING_PREFIXES) and original != RAW_BYTES:
        return [
            f"{original!r} would be named {name!r}, and {' and '.join(LANDING_PREFIXES)} begin el's own names: {hint}"
        ]
    return []


def file_refusal(name: str, *, dots: bool) -> str | None:
    """Why files cannot be named after `name`, a raw schema's or a raw table's; dots: whether it may have them."""
    too_long = len(name.encode("utf-8", "surrogatepass")) > MAX_LENGTH
    if too_long or _NO_FILE.search(name) or ("." in name and not dots):
        return f"{name!r} cannot be a file's name, and the files that are loaded are named so"
    return None


def _other_name(name: str) -> str:
    return f"{name.lstrip('_')[: MAX_LENGTH - 7] or 'column'}_source"
