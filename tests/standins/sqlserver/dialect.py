"""sqlglot's T-SQL grammar with functions and types left as they were written.

sqlglot folds T-SQL functions and types into its own (GETDATE and SYSDATETIME into one, ntext into text); the stand-in
needs what was said, so every call stays a plain call, and CAST and CONVERT become calls with the type as text.
"""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar

from sqlglot import exp, tokens
from sqlglot.dialects.tsql import TSQL
from sqlglot.errors import ParseError, TokenError
from sqlglot.parsers.tsql import TSQLParser
from sqlglot.tokens import TokenType

from .errors import SqlError

CAST = "$CAST"


def _type_text(parser: TSQLParser) -> str:
    parts, depth = [], 0
    while parser._curr:
        text = parser._curr.text
        kind = parser._curr.token_type
        if depth == 0 and kind in (TokenType.COMMA, TokenType.R_PAREN):
            break
        depth += {TokenType.L_PAREN: 1, TokenType.R_PAREN: -1}.get(kind, 0)
        parts.append(text)
        parser._advance()
    return " ".join(parts)


def _cast(safe: bool):
    def parse(parser: TSQLParser) -> exp.Expression:
        value = parser._parse_disjunction()
        parser._match(TokenType.ALIAS)
        return exp.Anonymous(this=CAST, expressions=[exp.Literal.string(_type_text(parser)), value], safe=safe)

    return parse


def _convert(safe: bool):
    def parse(parser: TSQLParser) -> exp.Expression:
        kind = exp.Literal.string(_type_text(parser))
        parser._match(TokenType.COMMA)
        return exp.Anonymous(this=CAST, expressions=[kind, *parser._parse_csv(parser._parse_disjunction)], safe=safe)

    return parse


def _change_table(parser: TSQLParser) -> exp.Expression:
    kind = parser._curr.text.upper()
    parser._advance()
    table = parser._parse_table_parts()
    rest = parser._parse_csv(parser._parse_bitwise_or_list) if parser._match(TokenType.COMMA) else []
    return exp.Anonymous(this="CHANGETABLE", expressions=[exp.Literal.string(kind), table, *rest])


class StandInParser(TSQLParser):
    FUNCTIONS: ClassVar = {}
    FUNCTION_PARSERS: ClassVar = {
        "CAST": _cast(False),
        "TRY_CAST": _cast(True),
        "CONVERT": _convert(False),
        "TRY_CONVERT": _convert(True),
        "CHANGETABLE": _change_table,
    }

    def _parse_bitwise_or_list(self) -> exp.Expression | None:
        if self._match(TokenType.L_PAREN):
            items = self._parse_csv(self._parse_bitwise)
            self._match_r_paren()
            return exp.Tuple(expressions=items)
        return self._parse_bitwise()


class StandIn(TSQL):
    Parser = StandInParser

    class Tokenizer(TSQL.Tokenizer):
        QUOTES: ClassVar = ["'"]
        COMMANDS: ClassVar = set()
        KEYWORDS: ClassVar = {
            k: v
            for k, v in TSQL.Tokenizer.KEYWORDS.items()
            if v not in (TokenType.COMMAND, TokenType.CURRENT_USER)
            and k not in ("TIMESTAMP", "ROWVERSION", "XML", "IMAGE", "MONEY", "NTEXT", "TEXT", "OBJECT", "MAP", "LIST")
        }


_DIALECT = StandIn()
assert tokens


@lru_cache(maxsize=2000)
def parse(sql: str) -> exp.Expression:
    """One statement's tree. Callers must not change it."""
    try:
        found = [e for e in _DIALECT.parse(sql) if e is not None]
    except (ParseError, TokenError) as error:
        near = error.errors[0].get("highlight") if getattr(error, "errors", None) else None
        raise SqlError(102, f"Incorrect syntax near '{near or sql[-20:]}'.", 15) from error
    if len(found) != 1:
        raise SqlError(102, f"Incorrect syntax near '{sql[:40]}'.", 15)
    return found[0]


def parse_expression(sql: str) -> exp.Expression:
    """A lone expression, such as a default or a check."""
    return parse("SELECT CASE WHEN 1=1 THEN 0 END, " + sql).expressions[1]


def parse_condition(sql: str) -> exp.Expression:
    tree = parse("SELECT 1 WHERE " + sql)
    return tree.args["where"].this
