"""A query of the user's own, taken apart just far enough to be read within bounds; its text stays as it was written.

Guarantees: not a character of the query is rewritten, for a generated equal is not always one; what is not a single
SELECT is refused before anything runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from sqlglot import exp, parse_one, tokenize
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from el.connectors.sql.dialect import Dialect
from el.errors import PlanError

_OPENING = frozenset({TokenType.L_PAREN})
_CLOSING = frozenset({TokenType.R_PAREN})
# What a SELECT may begin behind, where it is no statement of its own.
_SET_OPERATIONS = frozenset({"UNION", "ALL", "EXCEPT", "INTERSECT"})
# In T-SQL the next statement needs no semicolon. These words begin one, or write, and are reserved: no name is one.
_WRITES = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE"})
_STATEMENTS = _WRITES | {
    *("INTO", "EXEC", "EXECUTE", "DROP", "ALTER", "CREATE", "TRUNCATE", "GRANT", "REVOKE", "DENY", "USE", "DECLARE"),
    *("SET", "BEGIN", "COMMIT", "ROLLBACK", "SAVE", "IF", "WHILE", "GOTO", "RETURN", "WAITFOR", "PRINT", "RAISERROR"),
    *("KILL", "BACKUP", "RESTORE", "BULK", "DBCC", "CHECKPOINT", "RECONFIGURE", "SHUTDOWN", "DEALLOCATE"),
}


def split_query(query: str, dialect: Dialect) -> tuple[str, str]:
    """(WITH clause, SELECT): T-SQL allows no WITH inside a derived table, so it has to stand before the outer SELECT.

    The WITH clause is empty where the query has none. Raises `PlanError` for more than one statement, and for
    anything that does not begin with SELECT or WITH.
    """
    try:
        tokens = tokenize(query, read=dialect.name)
    except SqlglotError as error:
        first = str(error).splitlines()[0]
        raise PlanError(f"this query cannot be read as {dialect.name}: {first}") from None
    while tokens and tokens[-1].token_type is TokenType.SEMICOLON:
        tokens.pop()
    if not tokens or tokens[0].token_type not in (TokenType.SELECT, TokenType.WITH):
        raise PlanError("a stream's query must be one SELECT")
    if any(token.token_type is TokenType.SEMICOLON for token in tokens):
        raise PlanError("a stream's query must be one SELECT, and this one has a second statement after its semicolon")
    # As they stand in the query: a quoted name or a text has its quotes, and is no keyword.
    words = [query[token.start : token.end + 1].upper() for token in tokens]
    begin = 0 if tokens[0].token_type is TokenType.SELECT else _select_after_with(tokens, words)
    _refuse_writes_of_with(words)
    if dialect.bare_statements:
        _refuse_statements(tokens[begin:], words[begin:])
    end = tokens[-1].end + 1
    return query[tokens[0].start : tokens[begin].start].rstrip(), query[tokens[begin].start : end]


@dataclass(frozen=True, slots=True)
class DerivedQuery:
    """A query to be read as a table: SELECT stands in the derived table, WITH before the statement, OPTION behind."""

    with_: str
    select: str
    option: str = ""


def derived_query(query: str, dialect: Dialect) -> DerivedQuery:
    """`query` in parts that can stand around and in a derived table; its text is not rewritten.

    Raises `PlanError` as `split_query`, and for what SQL Server takes in no derived table: ORDER BY without TOP or
    OFFSET (Microsoft Learn, "ORDER BY clause": error 1033), FOR XML, FOR JSON and FOR BROWSE.
    """
    with_, select = split_query(query, dialect)
    if not dialect.bare_statements:
        return DerivedQuery(with_, select)
    outside, depth = [], 0
    for token in tokenize(select, read=dialect.name):
        depth -= token.token_type in _CLOSING
        if not depth:
            # ORDER BY is one token.
            outside.append((" ".join(select[token.start : token.end + 1].upper().split()), token.start))
        depth += token.token_type in _OPENING
    words = [word for word, _ in outside]
    for word, following in pairwise(words):
        if word == "FOR" and following in ("XML", "JSON", "BROWSE"):
            raise PlanError(f"FOR {following} makes no rows that could be read as a table: leave it out of the query")
    if "ORDER BY" in words and "OFFSET" not in words and not _is_top(words):
        raise PlanError(
            "the query ends with ORDER BY, which no derived table takes and which orders "
            "nothing in raw: leave it out, or say TOP or OFFSET"
        )
    for (word, start), (following, _) in pairwise(outside):
        if word == "OPTION" and following == "(":
            return DerivedQuery(with_, select[:start].rstrip(), select[start:])
    return DerivedQuery(with_, select)


def _is_top(words: list[str]) -> bool:
    """Whether the rows are limited by TOP; in a union it is a part's own, and no ORDER BY of the whole may stand."""
    after = [word for word in words[1:3] if word not in ("ALL", "DISTINCT")]
    return after[:1] == ["TOP"] and not any(word in ("UNION", "EXCEPT", "INTERSECT") for word in words)


def places_of(query: str, dialect: str, database: str) -> frozenset[str]:
    """The other databases and linked servers that a query names; none where sqlglot cannot read it."""
    try:
        parsed = parse_one(query, read=dialect)
    except SqlglotError:
        return frozenset()
    found = set()
    for table in parsed.find_all(exp.Table):
        if table.this.name.lower() in ("openquery", "openrowset", "opendatasource"):
            found.add(table.this.name.upper())
        elif len(table.parts) > 3:
            found.add(f"{table.parts[0].name} (a linked server)")
        elif table.catalog and table.catalog.lower() != database.lower():
            found.add(table.catalog)
    return frozenset(found)


def _select_after_with(tokens: list[Token], words: list[str]) -> int:
    """Where the SELECT begins: right behind the last of the WITH's own SELECTs, or it is another statement."""
    depth = 0
    of_with = False
    for number, token in enumerate(tokens):
        if token.token_type in _OPENING:
            if depth == 0:
                of_with = words[number - 1] in ("AS", "MATERIALIZED")
            depth += 1
        elif token.token_type in _CLOSING:
            depth -= 1
            following = words[number + 1] if number + 1 < len(words) else ""
            if depth == 0 and of_with and following == "SELECT":
                return number + 1
            if depth == 0 and of_with and following != ",":
                break
    raise PlanError("a stream's query must be one SELECT, and no SELECT follows this WITH")


def _refuse_writes_of_with(words: list[str]) -> None:
    """DuckDB lets a WITH write, wherever it stands: `WITH a AS (INSERT INTO t ... RETURNING x) SELECT`."""
    for number, word in enumerate(words):
        before = words[max(0, number - 2) : number]
        if word in _WRITES and (before[-1:] == [")"] or before in (["AS", "("], ["MATERIALIZED", "("])):
            raise PlanError(f"a stream's query must be one SELECT, and this one has {word} in its WITH")


def _refuse_statements(tokens: list[Token], words: list[str]) -> None:
    depth = 0
    for number, (token, word) in enumerate(zip(tokens, words, strict=True)):
        depth += (token.token_type in _OPENING) - (token.token_type in _CLOSING)
        if depth or number == 0:
            continue
        hint = word == "MERGE" and words[number + 1 : number + 2] == ["JOIN"]
        another = word == "SELECT" and words[number - 1] not in _SET_OPERATIONS
        if another or (word in _STATEMENTS and not hint):
            raise PlanError(f"a stream's query must be one SELECT, and in this one {word} stands behind it")
