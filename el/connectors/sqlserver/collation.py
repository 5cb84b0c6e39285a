"""How SQL Server compares the text of a column: what its collation's name says.

Microsoft Learn: "Collation and Unicode support", "Windows Collation Name", "SQL Server Collation Name". Blanks at the
end never count (ANSI/ISO SQL-92, as "LEN" and "SET ANSI_PADDING" say). A SQL_ collation compares char and varchar by a
simple table of its code page, and nchar and nvarchar as Windows does: there N'ß' = N'ss', and 'ß' <> 'ss'.
"""

from __future__ import annotations

import re

from el.connectors.catalog import Column
from el.types.key_text import Case, TextRule

TEXTS = ("char", "varchar", "nchar", "nvarchar", "text", "ntext")
_NATIONAL = ("nchar", "nvarchar", "ntext")
_NAME = re.compile(
    r"(?P<language>.+?)(?:_\d+)?(?P<options>(?:_(?:C[IS]|A[IS]|KS|WS|SC|VSS|UTF8|BIN2?))+)", re.IGNORECASE
)
# Where letters with accents are letters of their own to no one.
_PLAIN_ACCENTS = ("latin1_general", "french")
_SHARP_S = ("latin1_general", "german_phonebook")
_DOTLESS = ("turkish", "azeri_latin")


def text_rule(column: Column) -> TextRule | None:
    """What plays no part where this column is compared; None: it is no text."""
    if column.type.name not in TEXTS:
        return None
    found = _NAME.fullmatch(column.collation or "")
    if found is None:
        return TextRule(unsure="its collation is not known, its case counts")
    options = set(found["options"].upper().split("_"))
    if options & {"BIN", "BIN2"}:
        return TextRule()
    language = found["language"].lower()
    of_sql = language.startswith("sql_")
    if of_sql and column.type.name not in _NATIONAL:
        return _by_code_page(language, options)
    language = "latin1_general" if language.startswith("sql_latin1_general") else language
    case: Case = "turkish" if language in _DOTLESS else "all"
    accents = "AI" in options and language in _PLAIN_ACCENTS
    return TextRule(
        case=case if "CI" in options else None,
        accents=accents,
        width="WS" not in options,
        kana="KS" not in options,
        sharp_s=language in _SHARP_S,
        unsure="its collation ignores accents, by letters that el does not know"
        if "AI" in options and not accents
        else None,
        accents_unsure="AI" in options and not accents,
    )


def _by_code_page(language: str, options: set[str]) -> TextRule:
    latin1 = re.fullmatch(r"sql_latin1_general(?:_pref)?_cp1", language) is not None
    case: Case = "latin1" if latin1 else "ascii"
    missing = [name for name, option in (("case beyond ASCII too", "CI"), ("accents", "AI")) if option in options]
    return TextRule(
        case=case if "CI" in options else None,
        accents=latin1 and "AI" in options,
        unsure=f"its collation ignores {' and '.join(missing)}" if missing and not latin1 else None,
        accents_unsure="AI" in options and not latin1,
    )
