"""T-SQL text as tokens, and a batch as its statements.

T-SQL needs no semicolons: a statement ends where a word begins the next. `Scanner` is what the parsers of DDL,
SET, EXEC and control of flow walk over; queries go to sqlglot as text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import SqlError, syntax

_TOKEN = re.compile(
    r"""(?P<space>\s+|--[^\n]*)
      | (?P<comment>/\*)
      | (?P<string>[Nn]?'(?:[^']|'')*')
      | (?P<quoted>\[(?:[^\]]|\]\])*\]|"(?:[^"]|"")*")
      | (?P<hex>0[xX][0-9A-Fa-f]*)
      | (?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)
      | (?P<variable>@@?[\w$#@]+)
      | (?P<word>\#{0,2}[^\W\d][\w$#@]*)
      | (?P<op><>|<=|>=|!=|!<|!>|::|\+=|-=|\*=|/=|.)""",
    re.X | re.S,
)


@dataclass(frozen=True)
class Token:
    """`text` is upper-case for words and bare for quoted names; `start` and `end` are places in the source."""

    kind: str
    text: str
    start: int
    end: int


def tokenize(sql: str) -> list[Token]:
    out, at = [], 0
    while at < len(sql):
        found = _TOKEN.match(sql, at)
        assert found is not None
        kind = found.lastgroup or "op"
        text = found[0]
        if kind == "comment":
            depth, at = 1, at + 2
            while depth:
                nested = re.compile(r"/\*|\*/").search(sql, at)
                if nested is None:
                    raise SqlError(113, "Missing end comment mark '*/'.", 15)
                depth += 1 if nested[0] == "/*" else -1
                at = nested.end()
            continue
        if kind == "op" and text in ("'", '"'):
            raise SqlError(105, "Unclosed quotation mark after the character string.", 15)
        if kind == "quoted":
            close = "]" if text[0] == "[" else '"'
            text = text[1:-1].replace(close * 2, close)
        elif kind == "word":
            text = text.upper()
        if kind != "space":
            out.append(Token(kind, text, at, found.end()))
        at = found.end()
    return out


class Scanner:
    """A place in a list of tokens."""

    def __init__(self, sql: str, tokens: list[Token] | None = None) -> None:
        self.sql = sql
        self.tokens = tokenize(sql) if tokens is None else tokens
        self.at = 0

    @property
    def done(self) -> bool:
        return self.at >= len(self.tokens)

    def peek(self, ahead: int = 0) -> Token:
        at = self.at + ahead
        if at < len(self.tokens):
            return self.tokens[at]
        return Token("end", "", len(self.sql), len(self.sql))

    def next(self) -> Token:
        token = self.peek()
        self.at += 1
        return token

    def sees(self, *words: str) -> bool:
        return all(self.peek(i).kind in ("word", "op") and self.peek(i).text == w for i, w in enumerate(words))

    def accept(self, *words: str) -> bool:
        if self.sees(*words):
            self.at += len(words)
            return True
        return False

    def expect(self, *words: str) -> None:
        if not self.accept(*words):
            syntax(self.source(self.peek()) or "end of statement")

    def source(self, token: Token) -> str:
        return self.sql[token.start : token.end]

    def name(self) -> str:
        """One identifier."""
        token = self.next()
        if token.kind not in ("word", "quoted"):
            syntax(self.source(token) or "end of statement")
        return token.text if token.kind == "quoted" else self.source(token)

    def names(self) -> list[str]:
        """A dotted name, `a..b` with an empty part."""
        parts = [self.name()]
        while self.accept("."):
            while self.accept("."):
                parts.append("")
            parts.append(self.name())
        return parts

    def text(self) -> str:
        """A string or a bare word."""
        token = self.next()
        return (
            unquote(self.source(token))
            if token.kind == "string"
            else token.text
            if token.kind == "quoted"
            else self.source(token)
        )

    def parenthesised(self) -> str:
        """The source between the parenthesis here and the one that closes it."""
        self.expect("(")
        start, depth = self.peek().start, 1
        while depth:
            token = self.next()
            if token.kind == "end":
                syntax("end of statement")
            if token.kind == "op":
                depth += {"(": 1, ")": -1}.get(token.text, 0)
        return self.sql[start : self.tokens[self.at - 1].start]

    def until(self, *stops: str) -> str:
        """The source up to a word or operator of `stops` outside parentheses and CASE, or to the end."""
        start, depth = self.peek().start, 0
        while not self.done:
            token = self.peek()
            if token.kind in ("op", "word"):
                if depth == 0 and token.text in stops:
                    break
                depth += {"(": 1, ")": -1, "CASE": 1, "END": -1 if depth else 0}.get(token.text, 0)
            self.at += 1
        return self.sql[start : self.tokens[self.at - 1].end].strip() if self.at else ""

    def rest(self) -> str:
        """The source from here to the end."""
        if self.done:
            return ""
        start = self.peek().start
        self.at = len(self.tokens)
        return self.sql[start : self.tokens[-1].end]

    def list_of(self, stops: tuple[str, ...] = ()) -> list[str]:
        """Comma-separated sources up to a stop."""
        out = [self.until(",", *stops)]
        while self.accept(","):
            out.append(self.until(",", *stops))
        return [o for o in out if o]


def unquote(text: str) -> str:
    return text[text.index("'") + 1 : -1].replace("''", "'")


STARTS = frozenset(
    [
        "SELECT",
        "INSERT",
        "UPDATE",
        "DELETE",
        "MERGE",
        "CREATE",
        "ALTER",
        "DROP",
        "DECLARE",
        "SET",
        "IF",
        "WHILE",
        "BEGIN",
        "EXEC",
        "EXECUTE",
        "USE",
        "TRUNCATE",
        "PRINT",
        "RAISERROR",
        "THROW",
        "COMMIT",
        "ROLLBACK",
        "SAVE",
        "RETURN",
        "WAITFOR",
        "GRANT",
        "DENY",
        "REVOKE",
        "DBCC",
        "KILL",
        "CHECKPOINT",
        "GO",
        "BREAK",
        "CONTINUE",
        "ELSE",
        "END",
        "BULK",
    ]
)


def statement_end(tokens: list[Token], start: int) -> int:
    """The index after the statement that begins at `start`, for statements that hold no others."""
    first = tokens[start].text
    depth, at = 0, start + 1
    # Words that may still follow within this statement, though they also begin statements.
    queries = {"INSERT": 1, "WITH": 1, "MERGE": 0}.get(first, 0)
    in_merge = first == "MERGE"
    body = first in ("CREATE", "ALTER") and _creates_body(tokens, start)
    while at < len(tokens):
        token = tokens[at]
        text, before = token.text, tokens[at - 1].text if tokens[at - 1].kind in ("word", "op") else ""
        if token.kind == "op":
            depth += {"(": 1, ")": -1}.get(text, 0)
            if text == ";" and depth == 0:
                return at
        elif token.kind == "word" and depth <= 0:
            if text == "CASE":
                at = _after_case(tokens, at)
                continue
            if text == "MERGE" and first == "WITH":
                in_merge = True
            if (
                text == "WITH"
                and first != "WITH"
                and _cte_follows(tokens, at)
                and not (body and before in ("AS", "TABLE"))
            ):
                return at
            if text in STARTS and not _continues(first, text, before, in_merge, queries, body, tokens, at):
                return at
            if text in ("VALUES", "DEFAULT") and first == "INSERT":
                queries = 0
            if queries and text in ("SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "EXEC", "EXECUTE"):
                queries = 1 if first == "WITH" and text == "INSERT" else 0
        at += 1
    return at


def _continues(
    first: str, text: str, before: str, in_merge: bool, queries: int, body: bool, tokens: list[Token], at: int
) -> bool:
    if before in (".", "AS") and (before == "." or body):
        return True
    if text == "SELECT":
        return (
            before in ("UNION", "ALL", "EXCEPT", "INTERSECT")
            or (body and before == "RETURN")
            or queries > 0
            or (first in ("GRANT", "DENY", "REVOKE"))
        )
    if text in ("INSERT", "UPDATE", "DELETE", "MERGE"):
        return (
            (in_merge and before == "THEN")
            or before == "ON"
            or queries > 0
            or first in ("GRANT", "DENY", "REVOKE")
            or (text == "UPDATE" and before == "FOR")
            or (text in ("MERGE",) and before in ("LEFT", "INNER"))
            or before == ","
        )
    if text == "SET":
        return first in ("UPDATE", "ALTER", "MERGE", "WITH") or in_merge or before in ("DELETE", "UPDATE")
    if text in ("EXEC", "EXECUTE"):
        return queries > 0 or before in ("WITH", "GRANT") or first in ("GRANT", "DENY", "REVOKE")
    if text == "ALTER" and before == "OR":
        return True
    if text == "DROP" and at + 1 < len(tokens) and tokens[at + 1].text == "MEMBER":
        return True
    if text == "DROP" or text == "ALTER":
        return (first == "ALTER" and before not in ("",)) or first in ("GRANT", "DENY", "REVOKE")
    if text == "IF":
        return before in (
            "TABLE",
            "VIEW",
            "SCHEMA",
            "DATABASE",
            "INDEX",
            "COLUMN",
            "CONSTRAINT",
            "PROCEDURE",
            "FUNCTION",
        )
    if text in ("END", "ELSE"):
        return False
    if text == "CREATE":
        return first in ("GRANT", "DENY", "REVOKE") and tokens[at - 1].text == first
    return text == "BULK" and first == "INSERT" and before == "INSERT"


def _after_case(tokens: list[Token], at: int) -> int:
    depth = 0
    while at < len(tokens):
        if tokens[at].kind == "word":
            depth += {"CASE": 1, "END": -1}.get(tokens[at].text, 0)
        at += 1
        if depth == 0:
            break
    return at


def _cte_follows(tokens: list[Token], at: int) -> bool:
    """WITH name AS ( or WITH name (columns) AS: a table expression, not a hint or an option."""
    if at + 2 >= len(tokens) or tokens[at + 1].kind not in ("word", "quoted"):
        return False
    return tokens[at + 2].text == "AS" or (
        tokens[at + 2].text == "(" and tokens[at + 1].text not in ("CHECK", "NOCHECK")
    )


def _creates_body(tokens: list[Token], start: int) -> bool:
    return any(t.kind == "word" and t.text in ("VIEW", "FUNCTION") for t in tokens[start + 1 : start + 5])
