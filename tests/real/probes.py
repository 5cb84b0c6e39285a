"""What is documented thinly, or known by hearsay only, asked of a real server: questions with the answer hoped for.

Each probe is named, runs by itself in a schema or with objects of its own, and says what it expects.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from el.connectors.request import ReadRequest
from el.connectors.sql.connector import SqlConnector
from el.connectors.sql.select import Statement
from el.errors import ElError


@dataclass(frozen=True)
class Probe:
    """Statements, the last of which gives rows. expected: the rows, or a text that the refusal has in it.

    streamed: the last one is read as tables are, in batches. either: el rests on no answer, and any is worth knowing.
    """

    name: str
    why: str
    statements: tuple[str, ...]
    expected: list[tuple[Any, ...]] | str | None = None
    parameters: tuple[object, ...] = ()
    streamed: bool = False
    either: bool = False


@dataclass(frozen=True)
class Finding:
    probe: Probe
    answer: str
    as_expected: bool


def ask(connector: SqlConnector, probe: Probe) -> Finding:
    """Never raises: what the server refuses is an answer too."""
    try:
        for sql in probe.statements[:-1]:
            connector.execute(Statement(sql))
        last = Statement(probe.statements[-1], probe.parameters)
        if probe.streamed:
            with connector.stream(last, ReadRequest(query=last.sql)) as buffer:
                rows = [tuple(row.values()) for row in buffer.to_arrow().to_pylist()]
        else:
            rows = [tuple(row) for row in connector.fetch(last)]
    except ElError as error:
        told = isinstance(probe.expected, str) and probe.expected in str(error)
        return Finding(probe, str(error), told or probe.either)
    same = probe.expected is None or [tuple(map(str, row)) for row in rows] == [
        tuple(map(str, row)) for row in probe.expected
    ]
    return Finding(probe, str(rows[:5]), same and not isinstance(probe.expected, str))


def report(findings: list[Finding], title: str, hide: list[str]) -> str:
    """Markdown; of what signs in, and where, nothing is in it."""
    lines = [f"# {title}", "", "| probe | as expected | answer | why it is asked |", "|---|---|---|---|"]
    for finding in findings:
        answer = " ".join(finding.answer.split())[:300].replace("|", "\\|")
        for secret in hide:
            answer = answer.replace(secret, "***") if secret else answer
        verdict = "yes" if finding.as_expected else "NO"
        lines.append(f"| {finding.probe.name} | {verdict} | {answer} | {finding.probe.why} |")
    return "\n".join(lines) + "\n"


_PLACE = "el_probes"
_ROWS = f"CREATE OR REPLACE TABLE {_PLACE}.t AS SELECT * FROM VALUES (1, 'a'), (2, 'b'), (3, 'c') AS v (id, name)"
SNOWFLAKE = (
    Probe("version", "which server this is", ("SELECT CURRENT_VERSION()",)),
    Probe(
        "make a schema",
        "the other probes work in it",
        (f"CREATE TRANSIENT SCHEMA IF NOT EXISTS {_PLACE}", "SELECT 1"),
        [(1,)],
    ),
    Probe(
        "IN (subquery) within an aggregate",
        "documented for WHERE only; no model asks so any more",
        (_ROWS, f"SELECT MIN(CASE WHEN id IN (SELECT id FROM {_PLACE}.t WHERE id > 1) THEN id END) FROM {_PLACE}.t"),
        [(2,)],
        either=True,
    ),
    Probe(
        "correlated EXISTS OR EXISTS",
        "correlated subqueries are supported in part; no model asks so any more",
        (
            f"SELECT COUNT(*) FROM {_PLACE}.t AS a WHERE EXISTS (SELECT 1 FROM {_PLACE}.t AS b WHERE b.id = a.id + 1)"
            f" OR EXISTS (SELECT 1 FROM {_PLACE}.t AS c WHERE c.id = a.id - 2)",
        ),
        [(3,)],
        either=True,
    ),
    Probe(
        "the owner is told of policies",
        "el asks POLICY_REFERENCES before it reads raw",
        (
            "SELECT policy_kind, ref_column_name FROM TABLE(information_schema.policy_references("
            f"ref_entity_name => '\"{_PLACE.upper()}\".\"T\"', ref_entity_domain => 'TABLE'))",
        ),
        [],
    ),
    Probe(
        "a column takes another's name",
        "so raw is widened",
        (
            f"ALTER TABLE {_PLACE}.t ADD COLUMN wider VARCHAR",
            f"UPDATE {_PLACE}.t SET wider = TO_VARCHAR(id)",
            f"ALTER TABLE {_PLACE}.t RENAME COLUMN id TO narrow",
            f"ALTER TABLE {_PLACE}.t RENAME COLUMN wider TO id",
            f"ALTER TABLE {_PLACE}.t DROP COLUMN narrow",
            f"SELECT MAX(id) FROM {_PLACE}.t",
        ),
        [("3",)],
    ),
    Probe(
        "clean up",
        "nothing is left behind",
        (f"DROP SCHEMA IF EXISTS {_PLACE}", "SELECT 1"),
        [(1,)],
    ),
)

SQLSERVER = (
    Probe("version", "which server this is", ("SELECT @@VERSION",)),
    Probe(
        "rows counted after a read with a parameter",
        "a read is whole when ROWCOUNT_BIG says so; if that is another statement's count, every read fails",
        ("SELECT a FROM (VALUES (1), (2)) AS v (a) WHERE a > ? ORDER BY a",),
        [(1,), (2,)],
        (0,),
        streamed=True,
    ),
    Probe(
        "a counter of row versions",
        "the upper bound of rowversion",
        ("SELECT CASE WHEN MIN_ACTIVE_ROWVERSION() IS NULL THEN 0 ELSE 1 END",),
        [(1,)],
    ),
    Probe(
        "which database this is",
        "a restored one begins a new snapshot; documented for the box only",
        ("SELECT COUNT(*) FROM sys.database_recovery_status WHERE database_id = DB_ID()",),
        [(1,)],
    ),
    Probe(
        "may values be seen unmasked",
        "else masked columns are refused",
        ("SELECT CAST(HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'UNMASK') AS INT)",),
    ),
    Probe("language of messages", "errors are told by number, not by text", ("SELECT @@LANGUAGE",)),
)

PROBES: dict[str, tuple[Probe, ...]] = {"snowflake": SNOWFLAKE, "sqlserver": SQLSERVER}
