"""What information_schema says, and what of it is no key, no table, or no moment."""

from __future__ import annotations

from el.connectors.catalog import Column, Table, TableName
from el.connectors.request import Op
from tests.connectors.mysql.conftest import MySqlShop


def table(shop: MySqlShop, name: str, *, brief: bool = False) -> Table:
    found = shop.server.describe([shop.schema], brief=brief).table(TableName(shop.schema, name))
    assert found is not None
    return found


def column(found: Table, name: str) -> Column:
    known = found.column(name)
    assert known is not None
    return known


def test_an_index_over_the_beginning_of_a_text_is_no_key(shop: MySqlShop) -> None:
    shop.sql(
        "CREATE TABLE {schema}.t (id INT PRIMARY KEY, v TEXT, w INT, UNIQUE p (v(3)), UNIQUE u (w, id), KEY k (w))"
    )
    found = table(shop, "t")
    assert [key.name for key in found.uniques] == ["u"]
    assert {key.name: key.columns for key in found.indexes} == {"u": ("w", "id"), "k": ("w",)}


def test_columns_that_nobody_writes_or_sees_are_told(shop: MySqlShop) -> None:
    shop.sql(
        "CREATE TABLE {schema}.t (id INT PRIMARY KEY, secret INT INVISIBLE, sum_ INT AS (id + 1) PERSISTENT, "
        "v VARCHAR(9) DEFAULT 'x' COLLATE utf8mb4_bin) WITH SYSTEM VERSIONING",
    )
    found = table(shop, "t")
    assert found.temporal == "system_versioned"
    assert column(found, "secret").hidden
    assert column(found, "sum_").is_computed
    assert column(found, "v").collation == "utf8mb4_bin"
    assert "x" in str(column(found, "v").default)


def test_what_a_read_sees_is_said_of_each_table(shop: MySqlShop) -> None:
    shop.sql(
        "CREATE TABLE {schema}.inno (id INT PRIMARY KEY)",
        "CREATE TABLE {schema}.isam (id INT PRIMARY KEY) ENGINE = MyISAM",
        "CREATE VIEW {schema}.seen AS SELECT * FROM {schema}.isam",
        "CREATE SEQUENCE {schema}.numbers",
    )
    found = {each.name.name: each for each in shop.server.describe([shop.schema]).tables}
    assert set(found) == {"inno", "isam", "seen"}
    assert found["inno"].consistency.snapshot
    assert not found["isam"].consistency.snapshot
    assert "MyISAM has no transactions" in found["isam"].consistency.no_snapshot
    assert found["seen"].kind == "view"
    assert found["seen"].consistency.doubt
    plan = shop.run("inno", "isam", "seen")
    assert plan["exit_code"] == 0


def test_a_brief_look_has_keys_and_no_constraints(shop: MySqlShop) -> None:
    shop.sql(
        "CREATE TABLE {schema}.t (id INT PRIMARY KEY, v INT CHECK (v > 0), FOREIGN KEY (v) REFERENCES {schema}.t (id))"
    )
    whole, brief = table(shop, "t"), table(shop, "t", brief=True)
    assert (len(whole.checks), len(whole.foreign_keys)) == (1, 1)
    assert (brief.checks, brief.foreign_keys) == ((), ())
    assert whole.primary_key == brief.primary_key
    assert brief.bytes is not None


def test_names_of_any_letters_are_read_and_described(shop: MySqlShop) -> None:
    shop.sql(
        "CREATE TABLE {schema}.`Größe 日本` (`id``x` INT PRIMARY KEY)", "INSERT INTO {schema}.`Größe 日本` VALUES (1)"
    )
    assert [each.name for each in table(shop, "Größe 日本").columns] == ["id`x"]
    catalog = shop.server.describe([shop.schema])
    assert catalog.case_sensitive
    assert catalog.version.startswith("MariaDB 1")
    assert shop.server.describe([]).tables == ()
    assert all(shop.server.supports(op, column(table(shop, "Größe 日本"), "id`x")) for op in Op)
