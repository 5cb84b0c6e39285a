"""What el takes for one key, the server takes for equal: it is asked for each letter that el folds."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

from el.connectors.catalog import Column, SourceType, TableName
from el.connectors.postgres import Postgres
from el.connectors.postgres.collation import text_rule
from el.connectors.postgres.config import PostgresConfig
from el.connectors.sql.select import Statement
from el.types.key_text import TextRule, fold
from tests.connectors.postgres.conftest import PostgresShop
from tests.servers.postgres import shared

LETTERS = "".join(chr(code) for code in (*range(0x41, 0x250), *range(0x370, 0x590), *range(0x1E00, 0x1F00)))


def differ(server: Postgres, rule: TextRule, comparison: str) -> list[tuple[object, ...]]:
    """The pairs that are one key to el, and two to the server."""
    texts = [letter for letter in LETTERS if letter.isprintable()]
    texts += [text + end for text in ("a", "ß", "É") for end in (" ", "  ", "\t")] + ["ss", "a b", "æ", "ae"]
    pairs = [(a, b) for a, b in zip(texts, fold(rule, pa.array(texts)).to_pylist(), strict=True) if a != b]
    assert pairs
    asked = f"SELECT a, b FROM json_to_recordset(CAST(? AS json)) AS x (a text, b text) WHERE NOT ({comparison})"
    return server.fetch(Statement(asked, (json.dumps([{"a": a, "b": b} for a, b in pairs]),)))


def test_two_texts_of_citext_that_are_one_key_are_equal_at_the_source(shop: PostgresShop) -> None:
    shop.sql("CREATE EXTENSION IF NOT EXISTS citext SCHEMA public", "CREATE TABLE {schema}.t (v citext, c char(9))")
    table = shop.server.describe([shop.schema]).table(TableName(shop.schema, "t"))
    assert table is not None
    found, padded = (text_rule(column) for column in table.columns)
    assert found is not None
    assert (found.case, found.pads) == ("all", False)
    assert differ(shop.server, found, "CAST(a AS citext) = CAST(b AS citext)") == []
    assert padded is not None
    assert (padded.case, padded.pads) == (None, True)
    assert differ(shop.server, padded, "CAST(a AS bpchar) = CAST(b AS bpchar)") == []


@pytest.mark.parametrize(
    ("locale", "case", "accents"),
    [
        ("und-u-ks-level1", "all", True),
        ("und-u-ks-level2", "all", False),
        ("und-u-ks-level1-kc-true", None, True),
        ("@colStrength=secondary", "all", False),
        ("und-u-ks-level3", None, False),
        ("de", None, False),
    ],
)
def test_two_texts_of_a_collation_of_levels_that_are_one_key_are_equal_at_the_source(
    locale: str, case: str | None, accents: bool
) -> None:
    with Postgres(PostgresConfig.model_validate(shared(15))) as server:
        server.execute(Statement("DROP SCHEMA IF EXISTS levels CASCADE"))
        server.execute(Statement("CREATE SCHEMA levels"))
        made = f"CREATE COLLATION levels.ci (provider = icu, locale = '{locale}', deterministic = false)"
        server.execute(Statement(made))
        server.execute(Statement("CREATE TABLE levels.t (v text COLLATE levels.ci)"))
        table = server.describe(["levels"]).table(TableName("levels", "t"))
        assert table is not None
        rule = text_rule(table.columns[0])
        assert rule is not None
        assert (rule.case, rule.accents, rule.pads) == (case, accents, False)
        assert rule.unsure
        if case or accents:
            assert differ(server, rule, "a = b COLLATE levels.ci") == []


def test_text_is_compared_by_its_bytes_unless_something_says_otherwise() -> None:
    for name in ("text", "varchar", "name", "integer", "uuid"):
        assert text_rule(Column("v", SourceType(name), collation="de-x-icu")) is None
    assert text_rule(Column("v", SourceType("numeric", precision=38, scale=0))) is None
    # 1.0 is 1.00, and stands in raw as another text.
    assert "more than one way" in str((text_rule(Column("v", SourceType("numeric"))) or TextRule()).unsure)
    of_c = text_rule(Column("v", SourceType("citext"), collation="citext C"))
    assert of_c is not None
    assert of_c.case == "ascii"


def test_keys_that_the_source_takes_for_equal_are_one_row_and_others_are_two(shop: PostgresShop) -> None:
    """A key that changes its case is an update of one row; a blank at the end makes another key."""
    shop.sql(
        "CREATE EXTENSION IF NOT EXISTS citext SCHEMA public",
        "CREATE TABLE {schema}.t (k citext PRIMARY KEY, v int)",
        "INSERT INTO {schema}.t VALUES ('a', 1), ('a ', 2)",
    )
    shop.run("t, cursor: v, deletes: keys")
    assert shop.raw("SELECT count(DISTINCT _el_key) FROM {raw}.t") == [(2,)]
    shop.sql("UPDATE {schema}.t SET k = 'A', v = 3 WHERE v = 1")
    shop.run("t, cursor: v, deletes: {every: 0s}")
    keys = dict(shop.raw("SELECT v, _el_key FROM {raw}.t WHERE _el_op <> 'D'"))
    assert keys[3] == keys[1]
    assert keys[3] != keys[2]
