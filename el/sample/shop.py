"""The sample source: a small shop in a DuckDB file, standing in for SQL Server. The same rows every time.

Tables of the schema `sales`: customers, products, orders, order_lines, payments; with keys, foreign keys, checks,
NULLs, Unicode, decimals and timestamps. All but order_lines have an `updated_at` that grows with every change.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import duckdb

FIRST_DAY = date(2024, 3, 1)

_TABLES = """
CREATE SCHEMA sales;

CREATE TABLE sales.customers (
    customer_id INTEGER PRIMARY KEY,
    name VARCHAR NOT NULL,
    email VARCHAR UNIQUE,
    country VARCHAR NOT NULL CHECK (length(country) = 2),
    is_company BOOLEAN NOT NULL DEFAULT false,
    credit_limit DECIMAL(12, 2) CHECK (credit_limit >= 0),
    born_on DATE,
    updated_at TIMESTAMP NOT NULL
);
COMMENT ON TABLE sales.customers IS 'People and companies who buy';
COMMENT ON COLUMN sales.customers.credit_limit IS 'NULL: no limit was agreed';

CREATE TABLE sales.products (
    product_id INTEGER PRIMARY KEY,
    sku VARCHAR NOT NULL UNIQUE,
    name VARCHAR NOT NULL,
    price DECIMAL(12, 4) NOT NULL CHECK (price >= 0),
    weight_kg DOUBLE,
    updated_at TIMESTAMP NOT NULL
);

CREATE TABLE sales.orders (
    order_id INTEGER PRIMARY KEY,
    customer_id INTEGER NOT NULL REFERENCES sales.customers (customer_id),
    ordered_at TIMESTAMP NOT NULL,
    status VARCHAR NOT NULL CHECK (status IN ('open', 'paid', 'shipped', 'cancelled')),
    note VARCHAR,
    updated_at TIMESTAMP NOT NULL
);

CREATE TABLE sales.order_lines (
    order_id INTEGER NOT NULL REFERENCES sales.orders (order_id),
    line_no SMALLINT NOT NULL,
    product_id INTEGER NOT NULL REFERENCES sales.products (product_id),
    quantity INTEGER NOT NULL CHECK (quantity > 0),
    unit_price DECIMAL(12, 4) NOT NULL,
    discount DECIMAL(5, 4),
    PRIMARY KEY (order_id, line_no)
);

CREATE TABLE sales.payments (
    payment_id INTEGER PRIMARY KEY,
    order_id INTEGER NOT NULL REFERENCES sales.orders (order_id),
    method VARCHAR NOT NULL CHECK (method IN ('card', 'transfer', 'cash')),
    amount DECIMAL(14, 2) NOT NULL CHECK (amount > 0),
    paid_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL
);
"""

# Each INSERT takes the rows [$first, $last) of one table, all of them written on $moment.
_CUSTOMERS = """
INSERT INTO sales.customers
SELECT i,
       ['Zoë Ångström', '李小龙', 'Олена Шевченко', 'Nguyễn An', 'O''Brien & Sons', 'María 🌵', 'محمد'][i % 7 + 1]
           || ' ' || i,
       if(i % 11 = 0, NULL, 'customer' || i || '@example.com'),
       ['DE', 'FR', 'US', 'JP', 'UA', 'BR', 'IN', 'SE'][i % 8 + 1],
       i % 5 = 0,
       if(i % 3 = 0, NULL, (i * 37 % 10000) + 0.25),
       if(i % 5 = 0, NULL, DATE '1950-01-01' + (i * 97 % 20000)::INTEGER),
       $moment::TIMESTAMP + INTERVAL (i) SECOND
FROM range($first, $last) AS t (i)
"""

_PRODUCTS = """
INSERT INTO sales.products
SELECT i,
       'SKU-' || lpad(i::VARCHAR, 6, '0'),
       ['Teapot', 'Lamp “Ø”', 'Chair', 'Schreibtisch', '布団', 'Mug ☕'][i % 6 + 1] || ' ' || i,
       (i * 7919 % 100000) / 100 + 0.0099,
       if(i % 4 = 0, NULL, i / 7),
       $moment::TIMESTAMP + INTERVAL (i) SECOND
FROM range($first, $last) AS t (i)
"""

_ORDERS = """
INSERT INTO sales.orders
SELECT i,
       i * 31 % 2000 + 1,
       $moment::TIMESTAMP + INTERVAL (i) SECOND,
       ['open', 'paid', 'shipped', 'cancelled'][i % 4 + 1],
       if(i % 6 = 0, 'ring twice,' || chr(10) || 'then "knock" — ' || i, NULL),
       $moment::TIMESTAMP + INTERVAL (i) SECOND + INTERVAL (i % 1000000) MICROSECOND
FROM range($first, $last) AS t (i)
"""

_LINES = """
INSERT INTO sales.order_lines
SELECT i, n, (i * 13 + n * 17) % 300 + 1, (i + n) % 9 + 1, ((i * 13 + n * 17) % 300 * 7919 % 100000) / 100 + 0.0099,
       if((i + n) % 3 = 0, 0.05, NULL)
FROM range($first, $last) AS t (i), range(1, 5) AS l (n)
WHERE n <= i % 4 + 1
"""

_PAYMENTS = """
INSERT INTO sales.payments
SELECT i, i, ['card', 'transfer', 'cash'][i % 3 + 1], (i * 53 % 90000) / 100 + 0.01,
       $moment::TIMESTAMP + INTERVAL (i) SECOND, $moment::TIMESTAMP + INTERVAL (i) SECOND
FROM range($first, $last) AS t (i)
WHERE i % 4 <> 3
"""


def create(path: Path) -> None:
    """Make the shop at `path`, in place of one that is there: 2,000 customers, 300 products, 8,000 orders."""
    path.unlink(missing_ok=True)
    with duckdb.connect(str(path)) as shop:
        shop.execute(_TABLES)
        _insert(shop, _CUSTOMERS, 1, 2001, FIRST_DAY)
        _insert(shop, _PRODUCTS, 1, 301, FIRST_DAY)
        _insert(shop, _ORDERS, 1, 8001, FIRST_DAY)
        _insert(shop, _LINES, 1, 8001, FIRST_DAY)
        _insert(shop, _PAYMENTS, 1, 8001, FIRST_DAY)


def business_day(path: Path, day: int) -> None:
    """Let day number `day` (1, 2, ...) happen: new customers and orders, changed prices and states, deleted lines."""
    morning = FIRST_DAY + timedelta(days=day)
    orders, customers = 8001 + 120 * (day - 1), 2001 + 15 * (day - 1)
    with duckdb.connect(str(path)) as shop:
        _insert(shop, _CUSTOMERS, customers, customers + 15, morning)
        _insert(shop, _ORDERS, orders, orders + 120, morning)
        _insert(shop, _LINES, orders, orders + 120, morning)
        _insert(shop, _PAYMENTS, orders, orders + 120, morning)
        for change in (
            "UPDATE sales.customers SET credit_limit = coalesce(credit_limit, 0) + 100, updated_at = {now} "
            "WHERE customer_id % 97 = {day} % 97",
            "UPDATE sales.products SET price = price * 1.05, updated_at = {now} WHERE product_id % 23 = {day} % 23",
            "UPDATE sales.orders SET status = 'shipped', note = NULL, updated_at = {now} "
            "WHERE status = 'paid' AND order_id % 41 = {day} % 41",
            "UPDATE sales.payments SET method = 'transfer', updated_at = {now} WHERE payment_id % 211 = {day} % 211",
            "DELETE FROM sales.order_lines WHERE line_no = 4 AND order_id % 59 = {day} % 59",
        ):
            now = f"TIMESTAMP '{morning} 18:00:00'"
            shop.execute(change.replace("{now}", now).replace("{day}", str(day)))


def _insert(shop: duckdb.DuckDBPyConnection, sql: str, first: int, last: int, moment: date) -> None:
    values: dict[str, object] = {"first": first, "last": last}
    if "$moment" in sql:
        values["moment"] = moment.isoformat()
    shop.execute(sql, values)
