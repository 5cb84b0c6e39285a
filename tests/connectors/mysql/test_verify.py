"""`verify` on a real MariaDB: by the binary log, and while rows change."""

from __future__ import annotations

from typing import Any

from tests.connectors.mysql.conftest import MySqlShop
from tests.steps import once_at

ORDERS = "orders, strategy: changes"


def orders(shop: MySqlShop) -> None:
    shop.sql(
        "CREATE TABLE {schema}.orders (id INT PRIMARY KEY, v VARCHAR(20), at DATETIME(6), amount DECIMAL(20, 4))",
        "INSERT INTO {schema}.orders VALUES "
        + ", ".join(f"({n}, 'row {n}', '2024-01-01 00:00:00.123456', {n / 7})" for n in range(1, 201)),
    )
    shop.run(ORDERS)


def verified(shop: MySqlShop, says: int = 0) -> dict[str, Any]:
    (table,) = shop.run(ORDERS, command="verify", says=says)["tables"]
    return dict(table)


def test_what_the_log_tells_since_is_late_and_a_fault_is_found(shop: MySqlShop) -> None:
    orders(shop)
    assert verified(shop)["counts"]["compared"] == 200
    shop.sql(
        "UPDATE {schema}.orders SET v = 'changed' WHERE id = 1",
        "DELETE FROM {schema}.orders WHERE id = 2",
        "UPDATE {schema}.orders SET id = 300 WHERE id = 3",
    )
    done = once_at("slice begun", lambda: shop.sql("DELETE FROM {schema}.orders WHERE id BETWEEN 10 AND 19"))
    found = verified(shop)
    assert done
    assert (found["verdict"], found["counts"]["compared"], found["counts"]["late"]) == ("EQUAL", 187, 14)
    shop.raw("UPDATE {raw}.orders SET amount = amount + 0.0001 WHERE id = 7")
    shop.raw("INSERT INTO {raw}.orders SELECT * REPLACE (999 AS id) FROM {raw}.orders WHERE id = 8")
    found = verified(shop, 4)
    assert [(each["kind"], each["key"]["id"], each["columns"]) for each in found["samples"]] == [
        ("different", "7", ["amount"]),
        ("extra", "999", []),
    ]
