"""What the catalog says, and what of it is no key, no table, or no moment."""

from __future__ import annotations

from el.connectors.catalog import Column, Table, TableName
from tests.connectors.postgres.conftest import PostgresShop


def table(shop: PostgresShop, name: str, *, brief: bool = False) -> Table:
    found = shop.server.describe([shop.schema], brief=brief).table(TableName(shop.schema, name))
    assert found is not None
    return found


def column(found: Table, name: str) -> Column:
    known = found.column(name)
    assert known is not None
    return known


def test_an_index_over_some_rows_or_an_expression_is_no_key(shop: PostgresShop) -> None:
    shop.sql(
        "CREATE TABLE {schema}.t (id int PRIMARY KEY, v text, w int)",
        "CREATE UNIQUE INDEX partial_ ON {schema}.t (v) WHERE w > 0",
        "CREATE UNIQUE INDEX lowered ON {schema}.t (lower(v))",
        "CREATE UNIQUE INDEX u ON {schema}.t (w, id) INCLUDE (v)",
        "CREATE INDEX k ON {schema}.t (w)",
    )
    found = table(shop, "t")
    assert {key.name: key.columns for key in found.uniques} == {"u": ("w", "id")}
    assert {key.name: key.columns for key in found.indexes} == {"k": ("w",)}


def test_columns_are_told_as_they_were_declared(shop: PostgresShop) -> None:
    shop.sql(
        "CREATE DOMAIN {schema}.small AS numeric(4,1)",
        "CREATE DOMAIN {schema}.smaller AS {schema}.small NOT NULL",
        "CREATE TABLE {schema}.t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, gone int, "
        "sum_ int GENERATED ALWAYS AS (1 + 1) STORED, v varchar(9) DEFAULT 'x' COLLATE \"C\", d {schema}.smaller, "
        "hundreds numeric(3,-2), tiny numeric(2,4), t timestamp(3))",
        "ALTER TABLE {schema}.t DROP COLUMN gone",
        "COMMENT ON COLUMN {schema}.t.v IS 'said'",
    )
    found = table(shop, "t")
    assert [(each.name, str(each.type)) for each in found.columns] == [
        ("id", "integer"),
        ("sum_", "integer"),
        ("v", "varchar(9)"),
        ("d", "numeric(4,1)"),
        ("hundreds", "numeric(5,0)"),
        ("tiny", "numeric(4,4)"),
        ("t", "timestamp(3)"),
    ]
    assert column(found, "sum_").is_computed
    assert (column(found, "v").collation, column(found, "v").comment) == ("C", "said")
    assert "x" in str(column(found, "v").default)


def test_a_partitioned_table_is_one_table_and_a_partition_that_comes_or_goes_is_told(shop: PostgresShop) -> None:
    shop.sql(
        "CREATE TABLE {schema}.p (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)",
        "CREATE TABLE {schema}.p1 PARTITION OF {schema}.p FOR VALUES FROM ('2024-01-01') TO ('2024-02-01')",
        "CREATE TABLE {schema}.p2 PARTITION OF {schema}.p FOR VALUES FROM ('2024-02-01') TO ('2024-03-01') "
        "PARTITION BY LIST (id)",
        "CREATE TABLE {schema}.p2a PARTITION OF {schema}.p2 DEFAULT",
        "INSERT INTO {schema}.p VALUES (1, '2024-01-01'), (2, '2024-02-01')",
        "ANALYZE {schema}.p",
    )
    assert [each.name.name for each in shop.server.describe([shop.schema]).tables] == ["p"]
    before = table(shop, "p")
    assert (before.rows, before.primary_key and before.primary_key.columns) == (2, ("id", "at"))
    assert before.bytes
    shop.sql("ALTER TABLE {schema}.p DETACH PARTITION {schema}.p1")
    assert table(shop, "p").partitions not in (None, before.partitions)
    assert [each.name.name for each in shop.server.describe([shop.schema]).tables] == ["p", "p1"]
    assert table(shop, "p1").partitions is None


def test_views_are_read_and_what_is_elsewhere_is_told(shop: PostgresShop) -> None:
    shop.sql(
        "CREATE EXTENSION IF NOT EXISTS file_fdw SCHEMA public",
        "CREATE SERVER IF NOT EXISTS files FOREIGN DATA WRAPPER file_fdw",
        "CREATE TABLE {schema}.t (id int PRIMARY KEY)",
        "INSERT INTO {schema}.t VALUES (1)",
        "CREATE VIEW {schema}.v AS SELECT * FROM {schema}.t",
        "CREATE MATERIALIZED VIEW {schema}.m AS SELECT * FROM {schema}.t",
        "CREATE FOREIGN TABLE {schema}.f (line text) SERVER files OPTIONS (filename '/etc/hostname')",
        "CREATE SEQUENCE {schema}.s",
    )
    found = {each.name.name: each for each in shop.server.describe([shop.schema]).tables}
    assert {name: each.kind for name, each in found.items()} == {
        "t": "table",
        "v": "view",
        "m": "view",
        "f": "table",
    }
    assert found["f"].aside == "an external table, whose rows are elsewhere"
    assert not found["f"].consistency.snapshot
    taken = shop.run("t", "v", "m")["tables"]
    assert {each["table"].partition(".")[2]: each["rows"] for each in taken} == {"t": 1, "v": 1, "m": 1}


def test_a_policy_that_hides_rows_from_this_login_is_named(shop: PostgresShop) -> None:
    shop.sql(
        "CREATE TABLE {schema}.t (id int)",
        "ALTER TABLE {schema}.t ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY mine ON {schema}.t USING (id > 0)",
        "DROP ROLE IF EXISTS el_seer",
        "CREATE ROLE el_seer LOGIN PASSWORD 'p'",
        "GRANT USAGE ON SCHEMA {schema} TO el_seer",
        "GRANT SELECT ON {schema}.t TO el_seer",
    )
    # An owner sees all.
    assert table(shop, "t").row_security == ()
    with shop.another(user="el_seer", password="p") as session:
        found = session.describe([shop.schema]).tables[0]
    assert found.row_security == ("mine",)
    shop.sql("DROP OWNED BY el_seer", "DROP ROLE el_seer")


def test_a_brief_look_has_keys_and_no_constraints(shop: PostgresShop) -> None:
    shop.sql(
        "CREATE TABLE {schema}.t (id int PRIMARY KEY, v int CHECK (v > 0))",
        "ALTER TABLE {schema}.t ADD FOREIGN KEY (v) REFERENCES {schema}.t (id) NOT VALID",
    )
    whole, brief = table(shop, "t"), table(shop, "t", brief=True)
    assert (len(whole.checks), len(whole.foreign_keys), whole.foreign_keys[0].enforced) == (1, 1, False)
    assert (brief.checks, brief.foreign_keys) == ((), ())
    assert whole.primary_key == brief.primary_key


def test_a_database_is_known_under_whatever_address(shop: PostgresShop) -> None:
    with shop.another(host="127.0.0.1") as other:
        first, second = shop.server.describe([]), other.describe([])
    assert first.identity == second.identity
    assert first.identity is not None
    assert first.tables == ()
    with shop.another(dbname="template1") as another:
        assert another.describe([]).identity != first.identity


def test_a_table_that_was_made_anew_begins_a_new_snapshot(shop: PostgresShop) -> None:
    for value in (1, 2):
        shop.sql(
            "DROP TABLE IF EXISTS {schema}.t",
            "CREATE TABLE {schema}.t (id int PRIMARY KEY, v int)",
            f"INSERT INTO {{schema}}.t VALUES (1, {value})",
        )
        (taken,) = shop.run("t, cursor: v")["tables"]
        assert taken["kind"] == "snapshot"


def test_a_check_is_told_as_it_was_written_and_not_with_the_casts_that_the_server_adds(shop: PostgresShop) -> None:
    """Else most of them could not become a test: `(amount >= (0)::numeric)`."""
    written = {
        "amount numeric(12,2) CHECK (amount >= 0)": "amount >= 0",
        "st varchar(5) CHECK (st IN ('a', 'b'))": "st IN ('a', 'b')",
        "n int CHECK (n NOT IN (1, 2))": "NOT n IN (1, 2)",
        "d double precision CHECK (d > -1)": "d > -1",
        "note text CHECK (note <> '')": "note <> ''",
        # Without its cast it would be compared with its blanks, and a time as a text.
        "c char(3) CHECK (c IN ('x', 'y'))": "c IN (CAST('x' AS BPCHAR), CAST('y' AS BPCHAR))",
        "at date CHECK (at > '2024-01-01')": "at > CAST('2024-01-01' AS DATE)",
        "w numeric CHECK (w::int > 5)": "CAST(w AS INT) > 5",
    }
    for number, column_ in enumerate(written):
        shop.sql(f"CREATE TABLE {{schema}}.t{number} ({column_})")
    found = shop.server.describe([shop.schema])
    said = [table.checks[0].expression.strip("()") for table in found.tables]
    assert [each.replace("(w)", "w") for each in said] == [each.strip("()") for each in written.values()]
