"""A query of the user's own, taken apart just far enough to be read within bounds; its text stays as it was written.

Guarantees: not a character of the query is rewritten, for a generated equal is not always one; what is not a single
SELECT is refused before anything runs.
"""

from __future__ import annotations

from sqlglot import tokenize
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from el.errors import PlanError

_OPENING = frozenset({TokenType.L_PAREN})
_CLOSING = frozenset({TokenType.R_PAREN})


def split_query(query: str, dialect: str) -> tuple[str, str]:
    """(WITH clause, SELECT): T-SQL allows no WITH inside a derived table, so it has to stand before the outer SELECT.

    The WITH clause is empty where the query has none. Raises `PlanError` for more than one statement, and for
    anything that does not begin with SELECT or WITH.
    """
    try:
        tokens = tokenize(query, read=dialect)
    except SqlglotError as error:
        first = str(error).splitlines()[0]
        raise PlanError(f"this query cannot be read as {dialect}: {first}") from None
    while tokens and tokens[-1].token_type is TokenType.SEMICOLON:
        tokens.pop()
    if not tokens or tokens[0].token_type not in (TokenType.SELECT, TokenType.WITH):
        raise PlanError("a stream's query must be one SELECT")
    if any(token.token_type is TokenType.SEMICOLON for token in tokens):
        raise PlanError("a stream's query must be one SELECT, and this one has a second statement after its semicolon")
    end = tokens[-1].end + 1
    if tokens[0].token_type is TokenType.SELECT:
        return "", query[tokens[0].start : end]
    select = _select_after_with(tokens)
    return query[tokens[0].start : select.start].rstrip(), query[select.start : end]


def _select_after_with(tokens: list[Token]) -> Token:
    depth = 0
    for token in tokens:
        depth += (token.token_type in _OPENING) - (token.token_type in _CLOSING)
        if depth == 0 and token.token_type is TokenType.SELECT:
            return token
    raise PlanError("a stream's query must be one SELECT, and no SELECT follows this WITH")
