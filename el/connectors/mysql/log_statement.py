"""What a statement in the binary log does to the rows of a table without an event of each row.

Guarantee: what is not known to leave the rows alone is told, in words; who reads the log stops there.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from sqlglot import tokenize
from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import TokenType

from el.connectors.catalog import TableName

# What stands in such a comment is run.
_RUN_COMMENT = re.compile(r"/\*M?!\d*(.*?)\*/", re.DOTALL)
_ROWS_AS_STATEMENT = frozenset({"INSERT", "UPDATE", "DELETE", "REPLACE", "LOAD", "WITH", "IMPORT"})
_NO_COLUMN = frozenset({"INDEX", "KEY", "CONSTRAINT", "FOREIGN", "PRIMARY", "CHECK", "UNIQUE", "FULLTEXT", "SPATIAL"})
# Clauses of ALTER TABLE that leave every row as it is, by their first word.
_HARMLESS = frozenset(
    {
        *("ADD", "ALGORITHM", "ALTER", "ANALYZE", "AUTO_INCREMENT", "AVG_ROW_LENGTH"),
        *("CHARACTER", "CHARSET", "CHECK", "CHECKSUM", "COALESCE", "COLLATE"),
        *("COMMENT", "COMPRESSION", "DEFAULT", "DELAY_KEY_WRITE", "DISABLE", "ENABLE"),
        *("ENGINE", "FORCE", "KEY_BLOCK_SIZE", "LOCK", "MAX_ROWS", "MIN_ROWS"),
        *("NOWAIT", "OPTIMIZE", "ORDER", "PACK_KEYS", "PAGE_CHECKSUM", "PAGE_COMPRESSED"),
        *("PARTITION", "REBUILD", "REMOVE", "REORGANIZE", "REPAIR", "ROW_FORMAT"),
        *("SECONDARY_LOAD", "STATS_AUTO_RECALC", "STATS_PERSISTENT", "STATS_SAMPLE_PAGES", "TABLESPACE", "WAIT"),
        *("WITH", "WITHOUT"),
    }
)


@dataclass(frozen=True, slots=True)
class Followed:
    """The table that is followed."""

    table: TableName
    columns: Collection[str]  # those that are taken, in lower case
    folded: bool = True  # names of tables compare without case

    def is_named(self, schema: str, name: str) -> bool:
        ours = (self.table.schema, self.table.name)
        if self.folded:
            return (schema.lower(), name.lower()) == (ours[0].lower(), ours[1].lower())
        return (schema, name) == ours


@dataclass(frozen=True, slots=True)
class Effect:
    """What a statement does to the table that is followed."""

    harm: str | None = None  # what happened to its rows, in words
    added: frozenset[str] = frozenset()  # columns that it has from here on, in lower case


NOTHING = Effect()


def effect_of(sql: str, schema: str, followed: Followed, *, strict: bool = True) -> Effect:
    """schema: of names without one. strict: under a strict `sql_mode`, which cuts no value."""
    try:
        words = list(_words(_RUN_COMMENT.sub(r" \1 ", sql)))
    except TokenError:
        named = followed.table.name.lower() in sql.lower()
        return Effect("a statement that el cannot read names it") if named else NOTHING
    return _Statement(words, schema, followed, strict).effect() if words else NOTHING


def _words(sql: str) -> Iterator[str]:
    # Behind a first word such as RENAME nothing would be taken apart.
    for token in tokenize(f"SELECT {sql}", read="mysql")[1:]:
        quoted = token.token_type in (TokenType.IDENTIFIER, TokenType.STRING)
        yield from [token.text] if quoted else token.text.split()


class _Statement:
    def __init__(self, words: Sequence[str], schema: str, followed: Followed, strict: bool) -> None:
        self.words, self.schema, self.followed, self.strict = words, schema, followed, strict
        self.upper = [word.upper() for word in words]

    def effect(self) -> Effect:
        verb = self.upper[0]
        if verb in _ROWS_AS_STATEMENT:
            return self._rows()
        if verb == "ALTER" and "TABLE" in self.upper[1:4]:
            return self._alter(self.upper.index("TABLE") + 1)
        if verb == "TRUNCATE":
            return self._said("it was emptied (TRUNCATE)", self._behind("TABLE", at=1))
        if verb == "RENAME" and self.upper[1:2] in (["TABLE"], ["TABLES"]):
            return self._said("it was renamed, or another table was given its name (RENAME)", 2)
        if verb not in ("CREATE", "DROP") or "TEMPORARY" in self.upper[1:4]:
            return NOTHING
        kind = next((word for word in self.upper[1:4] if word not in ("OR", "REPLACE")), "")
        if kind in ("TABLE", "TABLES"):
            if verb == "CREATE" and "IF" in self.upper[2:5]:
                return NOTHING
            return self._said(f"it was {'made anew' if verb == 'CREATE' else 'dropped'}", self.upper.index(kind) + 1)
        if verb == "DROP" and kind in ("DATABASE", "SCHEMA"):
            ours = self.words[-1].lower() == self.followed.table.schema.lower()
            return Effect("its schema was dropped") if ours else NOTHING
        return NOTHING

    def _rows(self) -> Effect:
        """Rows as a statement: only a table in memory, which is emptied at the server's start, is told so."""
        at = self._behind("FROM", at=1)
        schema, name, end = self._name(at)
        emptied = self.upper[0] == "DELETE" and end == len(self.words)
        if emptied and not self.followed.is_named(schema, name):
            return NOTHING
        return Effect("a session logged a statement and not its rows (binlog_format)")

    def _said(self, what: str, at: int) -> Effect:
        """Where one of the tables that are listed from here on is ours."""
        for name in self._names(at):
            if self.followed.is_named(*name):
                return Effect(what)
            if self.upper[0] in ("CREATE", "TRUNCATE"):
                break
        return NOTHING

    def _names(self, at: int) -> Iterator[tuple[str, str]]:
        while at < len(self.words):
            if self.upper[at] in ("IF", "NOT", "EXISTS", "TO", ",", "WAIT", "NOWAIT") or self.words[at].isdigit():
                at += 1
                continue
            schema, name, at = self._name(at)
            yield schema, name

    def _name(self, at: int) -> tuple[str, str, int]:
        """The table that is named here, and what stands behind it."""
        if at >= len(self.words):
            return "", "", at
        if self.words[at + 1 : at + 2] == ["."] and at + 2 < len(self.words):
            return self.words[at], self.words[at + 2], at + 3
        return self.schema, self.words[at], at + 1

    def _behind(self, *words: str, at: int) -> int:
        while self.upper[at : at + 1] and self.upper[at] in words:
            at += 1
        return at

    def _alter(self, at: int) -> Effect:
        schema, name, at = self._name(self._behind("IF", "EXISTS", at=at))
        if not self.followed.is_named(schema, name):
            takes = any(self.followed.is_named(*self._name(each)[:2]) for each in range(at, len(self.words)))
            moves = {"EXCHANGE", "RENAME", "CONVERT"} & set(self.upper[at:])
            return Effect("another table's rows or name were given to it (ALTER TABLE)") if takes and moves else NOTHING
        added: set[str] = set()
        for clause in self._clauses(at):
            if (harm := self._harm(clause)) is not None:
                return Effect(f"{harm} (ALTER TABLE)")
            added |= self._added(clause)
        return Effect(added=frozenset(added))

    def _clauses(self, at: int) -> Iterator[list[str]]:
        clause: list[str] = []
        deep = 0
        for word in self.words[at:]:
            deep += (word == "(") - (word == ")")
            if word == "," and not deep:
                yield clause
                clause = []
            else:
                clause.append(word)
        if clause:
            yield clause

    def _harm(self, clause: Sequence[str]) -> str | None:
        said = [word.upper() for word in clause]
        first, second = said[0], said[1] if len(said) > 1 else ""
        bare = [word.lower() for word, upper in zip(clause[1:], said[1:], strict=True) if upper not in _OPTIONAL]
        taken = self.followed.columns
        if first == "DROP" and second not in _NO_COLUMN:
            if second == "PARTITION":
                return "a partition was dropped"
            return f"its column {bare[0]} was dropped" if bare and bare[0] in taken else None
        if first in ("CHANGE", "MODIFY") and bare:
            name = bare[1] if first == "CHANGE" else bare[0]
            if name != bare[0] and name in taken:
                return f"its column {bare[0]} became {name}"
            loose = name in taken and not self.strict
            return f"its column {name} was changed under an sql_mode that is not strict" if loose else None
        if first == "RENAME":
            if second in ("INDEX", "KEY"):
                return None
            if second == "COLUMN":
                return f"its column {bare[0]} became {bare[-1]}" if bare[-1] in taken else None
            return "it was renamed"
        if first == "CONVERT" and second == "TO" and any(word.startswith("utf8") for word in bare):
            return None
        harmless = first in _HARMLESS or (first == "DROP" and second in _NO_COLUMN)
        return None if harmless else f"its rows were touched by {' '.join(said[:3])}"

    def _added(self, clause: Sequence[str]) -> set[str]:
        said = [word.upper() for word in clause]
        if said[0] != "ADD" or (len(said) > 1 and said[1] in (_NO_COLUMN | {"PARTITION"})):
            return set()
        # Of several in brackets, whichever words they are: only names that a row lacks are looked for among them.
        return {word.lower() for word in clause[1:]}


_OPTIONAL = frozenset({"COLUMN", "IF", "EXISTS", "TO"})
