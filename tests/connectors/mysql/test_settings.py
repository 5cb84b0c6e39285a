"""What el.yml may say of a table holds at MySQL too: masks, filters, columns that come, go and widen, views."""

from __future__ import annotations

import hashlib

from tests.connectors.mysql.conftest import MySqlShop


def test_a_mask_is_of_all_of_a_value_and_filters_compare_it_as_its_type(shop: MySqlShop) -> None:
    shop.sql(
        "CREATE TABLE {schema}.t (id INT PRIMARY KEY, f FLOAT, b BIT(12), d VARBINARY(4), s VARCHAR(9) COLLATE "
        "latin1_swedish_ci, n INT, amount DECIMAL(10,2))",
        "INSERT INTO {schema}.t VALUES (1, 16777216, b'101000000001', X'00FF', 'Zoë', 7, 9.50), "
        "(2, 1, 1, X'01', 'x', 8, 10.00), (3, NULL, NULL, NULL, NULL, NULL, 100)",
    )
    masks = ", ".join(f"{name}: {{mask: sha256}}" for name in "fbds")
    shop.run(
        f't, columns: {{{masks}, n: {{mask: "null"}}}}, filters: [{{column: amount, op: "<", value: 10}}, '
        '{column: id, op: ">=", value: 1}]'
    )
    wanted = [hashlib.sha256(text.encode()).hexdigest() for text in ("16777216", "2561", "00FF", "Zoë")]
    assert shop.raw("SELECT f, b, d, s, n, amount FROM {raw}.t") == [(*wanted, None, shop.raw("SELECT 9.50")[0][0])]


def test_a_table_that_changes_is_followed_and_what_it_had_stays(shop: MySqlShop) -> None:
    entry = "t, strategy: cursor, cursor: id"
    shop.sql(
        "CREATE TABLE {schema}.t (id INT PRIMARY KEY, gone INT, v VARCHAR(5))",
        "INSERT INTO {schema}.t VALUES (1, 1, 'abc')",
        "CREATE VIEW {schema}.seen AS SELECT id, v FROM {schema}.t",
    )
    shop.run(entry, "seen")
    shop.sql(
        "ALTER TABLE {schema}.t DROP COLUMN gone, MODIFY v VARCHAR(50), MODIFY id BIGINT UNSIGNED, "
        "ADD COLUMN twice INT AS (LENGTH(v) * 2) VIRTUAL",
        "INSERT INTO {schema}.t (id, v) VALUES (18446744073709551615, 'abcdefghij')",
    )
    shop.run(entry, "seen")
    assert shop.raw("SELECT DISTINCT id, gone, v, twice FROM {raw}.t WHERE id > 1") == [
        (18446744073709551615, None, "abcdefghij", 20)
    ]
    assert (1, 1, "abc") in shop.raw("SELECT id, gone, v FROM {raw}.t")
    assert len(shop.raw("SELECT DISTINCT id FROM {raw}.seen")) == 2
