"""Every type over its range: what the binary log has of a row is what a read of the table gives."""

from __future__ import annotations

import pyarrow as pa
import pytest

from el.connectors.catalog import TableName
from el.connectors.request import OP_READ, ColumnRead, ReadRequest
from el.connectors.type_rules import map_type
from el.errors import ElError, RowRefused
from tests.connectors.mysql.conftest import MySqlShop, as_planned

INTS = {"TINYINT": 7, "SMALLINT": 15, "MEDIUMINT": 23, "INT": 31, "BIGINT": 63}
TYPES: dict[str, list[str]] = {
    **{name: [str(-(2**bits)), str(2**bits - 1), "0", "-1", "1"] for name, bits in INTS.items()},
    **{f"{name} UNSIGNED": ["0", str(2 ** (bits + 1) - 1), str(2**bits)] for name, bits in INTS.items()},
    "INT(8) ZEROFILL": ["7", "4294967295"],
    "YEAR": ["0", "1901", "2155"],
    "DECIMAL(1,0)": ["-9", "9"],
    "DECIMAL(5,2)": ["-999.99", "0.01", "-0.01", "0"],
    "DECIMAL(2,2)": ["-0.99", "0.99", "0"],
    "DECIMAL(20,10)": ["-1234567890.0123456789", "1234567890.9876543210", "0.0000000001"],
    "DECIMAL(38,0)": ["9" * 38, "-" + "9" * 38],
    "DECIMAL(38,37)": ["-9." + "9" * 37, "0." + "0" * 36 + "1"],
    "DECIMAL(65,30)": ["9" * 35 + "." + "9" * 30, "-0." + "0" * 29 + "1", "0", "-12"],
    "DECIMAL(65,0)": ["9" * 65, "-1", "0"],
    "DECIMAL(38,38)": ["-0." + "9" * 38],
    "FLOAT": ["16777216", "-3.4028234e38", "1.17549435e-38", "0.1", "1e-45"],
    "DOUBLE": ["1.7976931348623157e308", "5e-324", "-0.1", "0.30000000000000004"],
    "BIT(1)": ["b'0'", "b'1'"],
    "BIT(9)": ["b'100000001'", "0", "511"],
    "BIT(64)": ["18446744073709551615", "1", "9223372036854775808"],
    "DATE": ["'1000-01-01'", "'9999-12-31'", "'0001-01-01'", "'2024-02-29'", "'1970-01-01'", "'1969-12-31'"],
    "DATETIME": ["'1000-01-01 00:00:00'", "'9999-12-31 23:59:59'", "'1969-12-31 23:59:59'"],
    "DATETIME(1)": ["'2024-01-01 00:00:00.9'", "'0001-01-01 00:00:00'"],
    "DATETIME(3)": ["'2024-01-01 00:00:00.999'", "'1969-12-31 23:59:59.001'"],
    "DATETIME(6)": ["'1000-01-01 00:00:00.000001'", "'9999-12-31 23:59:59.999999'", "'1969-12-31 23:59:59.999999'"],
    "TIMESTAMP NULL": ["'1970-01-01 00:00:01'", "'2038-01-19 03:14:07'"],
    "TIMESTAMP(6) NULL": ["'1970-01-01 00:00:01.000001'", "'2038-01-19 03:14:07.999999'", "'2024-03-31 02:30:00.5'"],
    "TIMESTAMP(2) NULL": ["'2024-10-27 01:30:00.25'"],
    "TIME": ["'-838:59:59'", "'838:59:59'", "'00:00:00'", "'-00:00:01'"],
    "TIME(1)": ["'-838:59:58.9'", "'-00:00:00.1'", "'00:00:00.1'"],
    "TIME(3)": ["'-838:59:58.999'", "'-00:00:00.001'", "'25:00:00.500'"],
    "TIME(6)": ["'-838:59:59.000001'", "'838:59:58.999999'", "'-00:00:00.000001'", "'-00:00:01'"],
    "CHAR(5)": ["''", "'abc'", "'日本語'", "'😀😀'", "'  a'"],
    "CHAR(255)": ["REPEAT('ä', 255)", "''"],
    "VARCHAR(63)": ["''", "'a '", "REPEAT('😀', 63)"],
    "VARCHAR(64)": ["REPEAT('😀', 64)"],
    "VARCHAR(5000)": ["REPEAT('x', 5000)", "REPEAT('y', 300)"],
    "VARCHAR(20) CHARACTER SET latin1": ["'é€ÿ'", "''", "X'8081'", "'x'"],
    "CHAR(20) CHARACTER SET latin1": ["'Größe'"],
    "TEXT CHARACTER SET latin1": ["'naïve'", "REPEAT('ü', 60000)"],
    "VARCHAR(20) CHARACTER SET utf8mb3": ["'日本'"],
    "VARCHAR(20) CHARACTER SET ucs2": ["'日本'", "''"],
    "VARCHAR(20) CHARACTER SET utf16": ["'😀'"],
    "VARCHAR(20) CHARACTER SET gbk": ["'中文'"],
    "VARCHAR(20) CHARACTER SET sjis": ["'日本'"],
    "VARCHAR(20) CHARACTER SET cp1251": ["'Привет'"],
    "VARCHAR(20) CHARACTER SET ascii": ["'abc'"],
    "VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_uca1400_as_ci": ["'Straße'"],
    "TINYTEXT": ["'a'", "REPEAT('a', 255)"],
    "MEDIUMTEXT": ["'b'", "REPEAT('b', 70000)"],
    "LONGTEXT": ["'c\\0d'", "''"],
    "ENUM('x','ä','z z') CHARACTER SET latin1": ["'ä'", "'z z'", "1"],
    "SET('a','ö','c') CHARACTER SET latin1": ["''", "'a,c'", "'a,ö,c'", "'ö'"],
    f"ENUM({','.join(repr(f'e{n}') for n in range(300))})": ["'e0'", "'e299'"],
    f"SET({','.join(repr(f's{n}') for n in range(64))})": ["'s63,s0'", "''"],
    "JSON": ['\'{"b": 1.10, "a": [1e400, null]}\'', "'[]'"],
    "BINARY(4)": ["X'01020000'", "X'00000000'", "X'FFFFFFFF'", "X'01'"],
    "BINARY(255)": ["X'01'"],
    "VARBINARY(300)": ["X''", "X'0000'", "REPEAT(X'FF', 300)"],
    "TINYBLOB": ["X'00'", "X''"],
    "BLOB": ["X'FF00'", "REPEAT(X'00', 60000)"],
    "MEDIUMBLOB": ["X'01'"],
    "LONGBLOB": ["X'02'", "REPEAT(X'AB', 100000)"],
    "GEOMETRY": ["ST_GeomFromText('POINT(1 2)', 4326)", "ST_GeomFromText('LINESTRING(0 0, 1 1)')"],
    "POINT": ["POINT(1.5, -2)"],
    "UUID": [
        "'a1b2c3d4-e5f6-1a2b-8c3d-0123456789ab'",
        "'a1b2c3d4-e5f6-4a2b-8c3d-000000000000'",
        "'a1b2c3d4-e5f6-7a2b-8c3d-0123456789ab'",
        "'00000000-0000-0000-0000-000000000000'",
    ],
    "INET4": ["'1.2.3.0'", "'0.0.0.0'", "'255.255.255.255'"],
    "INET6": ["'::'", "'2001:db8::1'", "'::ffff:1.2.3.4'", "'2001:db8::'"],
}


def test_each_value_of_each_type_comes_as_the_table_has_it(shop: MySqlShop) -> None:
    names = {f"c{number}": declared for number, declared in enumerate(TYPES)}
    columns = ", ".join(f"{name} {declared}" for name, declared in names.items())
    shop.sql(f"CREATE TABLE {{schema}}.wide (id INT PRIMARY KEY, {columns}) ROW_FORMAT = DYNAMIC")
    since = shop.server.binary_log.now().text
    most = max(map(len, TYPES.values()))
    for row in range(most):
        values = ", ".join(said[row] if row < len(said) else "NULL" for said in TYPES.values())
        shop.sql(f"INSERT INTO {{schema}}.wide VALUES ({row}, {values})")
    table = shop.server.describe([shop.schema]).table(TableName(shop.schema, "wide"))
    assert table is not None
    read = shop.server.read_buffer(ReadRequest(table=table.name, columns=as_planned(table))).to_arrow().sort_by("id")
    found = shop.logged("wide", since)
    assert found.column(OP_READ).to_pylist() == ["U"] * most
    differ = {
        declared: (read.column(name).to_pylist(), found.column(name).to_pylist())
        for name, declared in names.items()
        if not read.column(name).cast(found.column(name).type).equals(found.column(name))
    }
    assert differ == {}


def test_a_mask_or_a_cast_of_el_yml_gives_what_it_gives_of_the_table(shop: MySqlShop) -> None:
    kinds = {
        "a": ("VARCHAR(20) CHARACTER SET latin1", "'é'"),
        "b": ("DECIMAL(10,3)", "-1.500"),
        "c": ("DATETIME(3)", "'2024-01-01 00:00:00.120'"),
        "d": ("TIME(1)", "'-00:00:00.1'"),
        "e": ("BINARY(4)", "X'0102'"),
        "f": ("TIMESTAMP(6) NULL", "'2024-01-01 00:00:00.5'"),
        "g": ("BIT(9)", "300"),
        "h": ("YEAR", "0"),
        "i": ("DATE", "'0000-00-00'"),
        "j": ("DATETIME(2)", "'2024-00-15 01:02:03.04'"),
        "k": ("FLOAT", "0.1"),
        "l": ("ENUM('x', 'y')", "'y'"),
        "m": ("UUID", "'a1b2c3d4-e5f6-1a2b-8c3d-0123456789ab'"),
        "n": ("TIMESTAMP(3) NULL", "0"),
        "o": ("INT UNSIGNED", "4294967295"),
    }
    columns = ", ".join(f"{name} {declared}" for name, (declared, _) in kinds.items())
    shop.sql(f"CREATE TABLE {{schema}}.masked (id INT PRIMARY KEY, {columns})")
    since = shop.server.binary_log.now().text
    shop.sql(
        f"INSERT INTO {{schema}}.masked VALUES (1, {', '.join(value for _, value in kinds.values())})",
        f"INSERT INTO {{schema}}.masked VALUES (2, {', '.join('NULL' for _ in kinds)})",
    )
    table = shop.server.describe([shop.schema]).table(TableName(shop.schema, "masked"))
    assert table is not None
    for said in ("SHA2(CAST({column} AS CHAR), 256)", "CAST({column} AS CHAR(26))", "COALESCE({column}, 'none')"):
        asked = as_planned(table, **dict.fromkeys(kinds, said))
        read = shop.server.read_buffer(ReadRequest(table=table.name, columns=asked)).to_arrow().sort_by("id")
        found = shop.logged("masked", since, asked).select(read.column_names)
        differ = {
            kinds[name][0]: (read.column(name).to_pylist(), found.column(name).to_pylist())
            for name in kinds
            if not read.column(name).cast(pa.string()).equals(found.column(name))
        }
        assert (said, differ) == (said, {})


@pytest.mark.parametrize("value", ["'0000-00-00'", "'2024-00-15'", "'2024-02-00'"])
@pytest.mark.parametrize("declared", ["DATE", "DATETIME(3)"])
def test_a_date_that_is_none_is_refused_as_a_read_refuses_it(shop: MySqlShop, declared: str, value: str) -> None:
    shop.sql(f"CREATE TABLE {{schema}}.zero (id INT PRIMARY KEY, v {declared})")
    since = shop.server.binary_log.now().text
    shop.sql(f"INSERT INTO {{schema}}.zero VALUES (1, '2024-01-01'), (2, {value})")
    table = shop.server.describe([shop.schema]).table(TableName(shop.schema, "zero"))
    assert table is not None
    with pytest.raises(RowRefused) as read:
        shop.server.read_buffer(ReadRequest(table=table.name, columns=as_planned(table))).to_arrow()
    with pytest.raises(RowRefused) as found:
        shop.logged("zero", since)
    assert str(found.value) == str(read.value)
    lossy = tuple(
        ColumnRead(
            each.name, each.name, map_type("mysql", each.type, lossy=True).read_as, map_type("mysql", each.type).arrow
        )
        for each in table.columns
    )
    as_null = shop.logged("zero", since, lossy)
    assert as_null.column("v").is_valid().to_pylist() == [True, False]


def test_a_compressed_column_is_refused_by_name_and_can_be_left_out(shop: MySqlShop) -> None:
    shop.sql(
        "CREATE TABLE {schema}.odd (id INT PRIMARY KEY, v VARCHAR(100) COMPRESSED, w VARCHAR(300) COMPRESSED, "
        "x TEXT COMPRESSED CHARACTER SET latin1, y VARCHAR(20) CHARACTER SET latin1)"
    )
    since = shop.server.binary_log.now().text
    shop.sql(
        "INSERT INTO {schema}.odd VALUES (1, REPEAT('a', 100), REPEAT('b', 300), REPEAT('c', 900), 'é'), "
        "(2, 'a', 'b', 'c', 'd'), (3, NULL, '', NULL, 'e')"
    )
    with pytest.raises(ElError, match="'v' is COMPRESSED"):
        shop.logged("odd", since)
    table = shop.server.describe([shop.schema]).tables[0]
    left = tuple(read for read in as_planned(table) if read.name in ("id", "y"))
    assert shop.logged("odd", since, left).column("y").to_pylist() == ["é", "d", "e"]


def test_a_time_in_the_old_format_is_refused_whether_it_is_taken_or_not(shop: MySqlShop) -> None:
    shop.sql("SET GLOBAL mysql56_temporal_format = OFF")
    try:
        shop.sql("CREATE TABLE {schema}.old (id INT PRIMARY KEY, v DATETIME(6), w INT)")
    finally:
        shop.sql("SET GLOBAL mysql56_temporal_format = DEFAULT")
    since = shop.server.binary_log.now().text
    shop.sql("INSERT INTO {schema}.old VALUES (1, '2024-01-01 00:00:00.5', 7)")
    table = shop.server.describe([shop.schema]).tables[0]
    for columns in ((), tuple(read for read in as_planned(table) if read.name == "id")):
        with pytest.raises(ElError, match=r"v is a time in the format of before MySQL 5\.6"):
            shop.logged("old", since, columns)


def test_a_log_with_and_without_checksums_is_read(shop: MySqlShop) -> None:
    shop.sql("CREATE TABLE {schema}.summed (id INT PRIMARY KEY, v INT)")
    since = shop.server.binary_log.now().text
    try:
        for id_, kind in enumerate(("NONE", "CRC32", "NONE")):
            shop.sql(f"SET GLOBAL binlog_checksum = {kind}", f"INSERT INTO {{schema}}.summed VALUES ({id_}, 1)")
            assert shop.logged("summed", since).column("id").to_pylist() == list(range(id_ + 1))
    finally:
        shop.sql("SET GLOBAL binlog_checksum = DEFAULT")
