"""What el.yml changes of a column or leaves out of a table, in PostgreSQL's own SQL."""

from __future__ import annotations

import hashlib

from tests.connectors.postgres.conftest import PostgresShop


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_a_mask_is_the_digest_of_the_columns_text_whatever_its_type(shop: PostgresShop) -> None:
    """Whatever the server's own settings are: they write days, bytes and numbers otherwise."""
    shop.sql(
        "CREATE TABLE {schema}.t (id int PRIMARY KEY, a text, b numeric, c timestamptz, d bytea, e real, f int[], "
        "g text)",
        "INSERT INTO {schema}.t VALUES (1, 'Zoë', 1.50, '2024-02-29 12:00:00+05:30', '\\x00ff', 0.1, '{1,NULL}', 'x')",
        "INSERT INTO {schema}.t (id) VALUES (2)",
    )
    masks = ", ".join(f"{name}: {{mask: sha256}}" for name in "abcdef")
    shop.run(f"t, columns: {{{masks}, g: {{mask: 'null'}}}}")
    found = shop.raw("SELECT a, b, c, d, e, f, g FROM {raw}.t ORDER BY id")
    texts = ("Zoë", "1.50", "2024-02-29 06:30:00+00", "\\x00ff", "0.1", "{1,NULL}")
    assert found == [(*map(digest, texts), None), (None,) * 7]


def test_a_row_that_leaves_the_filters_is_deleted_by_its_key_and_enters_again(shop: PostgresShop) -> None:
    shop.sql(
        "CREATE TYPE {schema}.state AS ENUM ('new', 'done')",
        "CREATE TABLE {schema}.t (id int PRIMARY KEY, v int, s {schema}.state, at timestamp)",
        "INSERT INTO {schema}.t VALUES (1, 1, 'new', '2024-01-01'), (2, 2, 'done', '2024-01-01'), (3, 0, 'new', NULL)",
    )
    since = '{column: at, op: ">=", value: "2024-01-01 00:00:00"}'
    entry = f't, cursor: v, filters: [{{column: s, op: "=", value: new}}, {since}]'
    shop.run(entry)
    assert shop.raw("SELECT id FROM {raw}.t ORDER BY id") == [(1,)]
    shop.sql(
        "UPDATE {schema}.t SET s = 'done', v = 4 WHERE id = 1", "UPDATE {schema}.t SET s = 'new', v = 5 WHERE id = 2"
    )
    shop.run(entry)
    found = shop.raw("SELECT id, _el_op, s FROM {raw}.t WHERE _el_op <> 'S' AND id < 3 ORDER BY id")
    assert found == [(1, "D", None), (2, "U", "new")]
