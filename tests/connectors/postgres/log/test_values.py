"""A value that comes through the log is the value that a snapshot reads, for every type over its range."""

from __future__ import annotations

import math
from typing import Any

import pytest

from el.connectors.postgres.types import RULES
from el.types.rule import decide
from tests.connectors.postgres.log.shop import Follower, PostgresShop
from tests.connectors.postgres.test_types import EXACT

TYPES = (
    "CREATE EXTENSION citext",
    "CREATE EXTENSION hstore",
    "CREATE TYPE mood AS ENUM ('b', 'a', '日')",
    "CREATE TYPE pair AS (a int, b text)",
    "CREATE DOMAIN euros AS numeric(12,2) CHECK (VALUE >= 0)",
)
TEXTS = (
    "'a''b'",
    "E'back\\\\slash'",
    "E'tab\\tline\\nquote\"'",
    "'{\"c0\": null}'",
    "'$1 % ? :x'",
    "E'\\x01\\u2028😀'",
    "''",
)


def same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    return repr(one) == repr(other)


@pytest.fixture
def types(shop: PostgresShop) -> list[tuple[str, tuple[str, ...]]]:
    shop.sql(*TYPES)
    found = [(declared.replace("{schema}.", ""), literals) for declared, literals, _ in EXACT]
    return [*found, ("text", TEXTS)]


def test_every_type_comes_through_the_log_as_a_snapshot_reads_it(
    shop: PostgresShop, types: list[tuple[str, tuple[str, ...]]]
) -> None:
    columns = ", ".join(f"c{number} {declared}" for number, (declared, _) in enumerate(types))
    shop.sql(f"CREATE TABLE t (id int PRIMARY KEY, {columns})")
    shop.sql("ALTER TABLE t REPLICA IDENTITY FULL", "CREATE PUBLICATION el FOR TABLE t")
    follower = Follower(shop)
    follower.load()
    longest = max(len(literals) for _, literals in types)
    for row in range(longest + 1):
        values = ", ".join(literals[row] if row < len(literals) else "NULL" for _, literals in types)
        shop.sql(f"INSERT INTO t VALUES ({row}, {values})")
    logged = follower.load()
    follower.position = None
    read = {row[0]: row for row in follower.load()}
    assert len(logged) == longest + 1
    wrong = [
        (types[number - 1][0], logged_value, read_value)
        for row in logged
        for number, (logged_value, read_value) in enumerate(zip(row[:-1], read[row[0]][:-1], strict=True))
        if not same(logged_value, read_value)
    ]
    assert wrong == []
    kinds = {rule.names[0] for rule in RULES if any(decide((rule,), t) for t in follower.types())}
    assert len(kinds) >= 25


def test_a_row_that_is_gone_has_no_value_of_a_domain_that_takes_no_null(shop: PostgresShop) -> None:
    shop.sql("CREATE DOMAIN whole AS int NOT NULL", "CREATE TABLE t (id whole PRIMARY KEY, v whole)")
    shop.sql("CREATE PUBLICATION el FOR TABLE t", "INSERT INTO t VALUES (1, 1)")
    follower = Follower(shop)
    follower.load()
    shop.sql("DELETE FROM t")
    assert follower.load() == [(1, None, "D")]


def test_names_of_all_kinds_are_quoted(shop: PostgresShop) -> None:
    shop.sql('CREATE TABLE t (id int PRIMARY KEY, "c0" int, "Größe ""x""" text, "select" int, "o" int, "p" int)')
    shop.sql("CREATE PUBLICATION el FOR TABLE t", "ALTER TABLE t REPLICA IDENTITY FULL")
    follower = Follower(shop)
    follower.load()
    shop.sql("INSERT INTO t VALUES (1, 2, 'x', 3, 4, 5)")
    assert follower.load() == [(1, 2, "x", 3, 4, 5, "U")]
