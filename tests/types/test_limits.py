"""What a target cannot hold refuses the row, by its key: nothing is cut, nothing is changed, other tables go on."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from el.cli.app import main
from el.config.profiles import Output
from el.config.settings import load_config
from el.connectors.base import Connector
from el.connectors.catalog import TableName
from el.connectors.duckdb import DuckDb
from el.connectors.duckdb.config import DuckDbConfig
from el.connectors.request import ColumnRead, ReadRequest
from el.errors import RowRefused
from el.extraction.file_sizes import FileSizes
from el.extraction.slice import Slice
from el.loading.open import open_warehouse
from el.loading.snowflake import SnowflakeWarehouse
from el.types.limits import Limits, maybe_replaced, outside_calendar, refuse_misfits, which_rows
from tests.shop import EL_YML, Workspace
from tests.standins.snowflake import SnowflakeStandIn
from tests.tsql_shop import TsqlShop

MB = 1024 * 1024


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EL_TARGET", raising=False)
    return Workspace(tmp_path).create()


def reports(capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, dict[str, Any]]]:
    code = main(["run", "--json"])
    return code, {table["table"]: table for table in json.loads(capsys.readouterr().out)["tables"]}


def test_a_text_that_is_too_long_fails_its_table_by_key_and_leaves_the_others(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("el.yml").write_text(EL_YML + "limits: {text_mb: 1}\n")
    # Half a million characters, over a million bytes as UTF-8: bytes are what counts.
    shop.source("UPDATE sales.orders SET note = repeat('ß', 600000) WHERE id = 77")
    code, found = reports(capsys)
    assert code == 1
    assert found["sales.orders"]["status"] == "failed"
    assert found["sales.orders"]["error"] == (
        "sales.orders.note: the row with id = 77 has up to 1,200,000 bytes as UTF-8, and the warehouse takes "
        "1,048,576; exclude or cast the column, filter the row out, or raise limits.text_mb if your account takes more"
    )
    assert found["sales.lines"]["status"] == "loaded"
    assert shop.warehouse("SELECT count(*) FROM information_schema.tables WHERE table_name = 'orders'") == [(0,)]


def test_a_text_over_16_mb_is_refused_before_snowflake_sees_it(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.source(f"UPDATE sales.orders SET note = repeat('x', {16 * MB + 1}) WHERE id = 77")
    with SnowflakeStandIn() as standin:
        profiles = yaml.safe_load(Path("profiles.yml").read_text())
        profiles["warehouse"]["outputs"]["local"] = standin.dbt_output()
        Path("profiles.yml").write_text(yaml.safe_dump(profiles))
        code, found = reports(capsys)
        assert code == 1
        assert "sales.orders.note: the row with id = 77 has up to 16,777,217 bytes" in found["sales.orders"]["error"]
        assert found["sales.lines"]["status"] == "loaded"


def test_a_duckdb_warehouse_takes_any_length(shop: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    shop.source("UPDATE sales.orders SET note = repeat('ß', 9000000) WHERE id = 77")
    assert reports(capsys)[0] == 0
    assert shop.warehouse("SELECT max(strlen(note)) FROM shop_sales.orders") == [(18_000_000,)]


def test_snowflake_has_its_limits_unless_the_account_has_larger_ones(tmp_path: Path) -> None:
    output = Output("w", "t", {"type": "duckdb", "path": str(tmp_path / "w.duckdb")})
    assert open_warehouse(output, "snake_case").limits == Limits()
    assert SnowflakeWarehouse.own_limits.but(None, None) == Limits(16 * MB, 8 * MB, calendar=True)
    assert SnowflakeWarehouse.own_limits.but(128, 64) == Limits(128 * MB, 64 * MB, calendar=True)
    (tmp_path / "el.yml").write_text(EL_YML + "limits: {text_mb: 128, binary_mb: 64}\n")
    assert (load_config(tmp_path / "el.yml").limits.text_mb, load_config(tmp_path / "el.yml").limits.binary_mb) == (
        128,
        64,
    )


def test_larger_limits_declare_larger_columns_in_snowflake() -> None:
    from el.loading.snowflake import SnowflakeWarehouse

    def lands(**limits: int) -> list[str]:
        warehouse = SnowflakeWarehouse(DuckDb(DuckDbConfig()), "snake_case", **limits)
        from dlt.destinations import snowflake

        capabilities = snowflake().capabilities()
        mapper = warehouse._type_mapper()(capabilities)
        return [mapper.to_destination_type({"name": "c", "data_type": kind}) for kind in ("text", "binary", "bigint")]

    assert lands() == ["VARCHAR", "BINARY", "NUMBER(19,0)"]
    assert lands(text_mb=16, binary_mb=8) == ["VARCHAR", "BINARY", "NUMBER(19,0)"]
    assert lands(text_mb=128, binary_mb=64) == ["VARCHAR(134217728)", "BINARY(67108864)", "NUMBER(19,0)"]


def test_bytes_that_are_too_many_are_refused_by_key() -> None:
    column, key = pa.array([b"", None, b"12345", b"123456"]), ("id", pa.array([b"\x01", b"\x02", b"\x03", b"\xab"]))
    refuse_misfits(Limits(None, 6), "dbo.t", "c", column, [key])
    with pytest.raises(RowRefused, match=r"dbo\.t\.c: the row with id = 0xAB has up to 6 bytes, and .* takes 5;"):
        refuse_misfits(Limits(None, 5), "dbo.t", "c", column, [key])


@pytest.mark.parametrize(
    ("column", "misfits"),
    [
        (pa.array([date(1, 1, 1), None, date(9999, 12, 31)]), None),
        (pa.array([datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999)], pa.timestamp("us")), None),
        (pa.array([2**31 - 1, None, 0], pa.int32()).view(pa.date32()), [True, None, False]),
        (pa.array([-719163, -719162], pa.int32()).view(pa.date32()), [True, False]),
        (pa.array([2**63 - 1, 0, 253402300800000000], pa.int64()).view(pa.timestamp("us")), [True, False, True]),
        (pa.array([None, None], pa.date32()), None),
        (pa.array([1]), None),
    ],
)
def test_a_day_that_no_calendar_of_the_warehouse_has_is_seen(column: pa.Array, misfits: list[Any] | None) -> None:
    found = outside_calendar(column)
    assert (None if found is None else found.to_pylist()) == misfits


def test_infinity_is_refused_where_the_warehouse_has_none() -> None:
    infinity = pa.array([0, 2**31 - 1], pa.int32()).view(pa.date32())
    refuse_misfits(Limits(), "s.t", "until", infinity, [])
    with pytest.raises(RowRefused, match=r"s\.t\.until: a row \(no key\) has a day outside .* or infinity"):
        refuse_misfits(SnowflakeWarehouse.own_limits, "s.t", "until", infinity, [])


def test_rows_are_named_by_their_whole_key_and_three_of_many() -> None:
    keys = [("a", pa.array([1, 2, 3, 4, 5])), ("b", pa.array(["x", "y", None, "z", "ü"]))]
    assert which_rows(pa.array([False, True, False, None, False]), keys) == "the row with a = 2 and b = 'y' has"
    assert which_rows(pa.array([True] * 5), keys) == (
        "the rows with a = 1 and b = 'x'; a = 2 and b = 'y'; a = 3 and b = None and 2 more of its batch have"
    )
    assert which_rows(pa.array([True, True]), []) == "2 rows of a table without key have"


@given(
    st.lists(st.none() | st.text(st.sampled_from("aß￮ﻯ\ufffd日😀"), max_size=5), max_size=8),
    st.integers(0, 3),
    st.sampled_from([pa.string(), pa.large_string()]),
)
def test_the_quick_look_for_a_changed_character_misses_none(
    texts: list[str | None], skipped: int, type_: pa.DataType
) -> None:
    column = pa.array(texts, type_).slice(skipped)
    assert maybe_replaced(column) == any("\ufffd" in (text or "") for text in texts[skipped:])


class LossyDriver(DuckDb):
    """DuckDB whose texts are UTF-16 bytes, handed over as an ODBC driver does: what is no UTF-8 becomes U+FFFD."""

    reads: list[tuple[str, ...]]

    def connect(self) -> None:
        super().connect()
        decode = "as_the_driver_gives_it"
        self.connection.create_function(decode, lambda b: bytes(b).decode("utf-16-le", "replace"), ["BLOB"], "VARCHAR")

    def read_buffer(self, request: ReadRequest) -> Any:
        self.reads.append(tuple(column.name for column in request.columns))
        return super().read_buffer(request)


def utf16(*units: int) -> bytes:
    return b"".join(unit.to_bytes(2, "little") for unit in units)


@pytest.fixture
def read_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Lands rows (id, a, b) of UTF-16 bytes through a driver that cannot hand over every one of them."""

    def land(rows: list[tuple[int, bytes, bytes]], key: tuple[str, ...] = ("id",)) -> tuple[list[Any], list[Any]]:
        path = tmp_path / "texts.duckdb"
        path.unlink(missing_ok=True)
        with duckdb.connect(str(path)) as connection:
            connection.execute("CREATE TABLE t (id INTEGER, a BLOB, b BLOB)")
            connection.executemany("INSERT INTO t VALUES (?, ?, ?)", rows)
        LossyDriver.reads = []

        def opened(settings: Any, where: str) -> Connector:
            return LossyDriver(DuckDbConfig(path=str(path)))

        monkeypatch.setattr("el.extraction.sessions.open_source", opened)
        texts = [ColumnRead(name, name, "as_the_driver_gives_it({column})") for name in "ab"]
        found = Slice(
            connection=Output("s", "t", {}),
            table="main.t",
            stem="t",
            request=ReadRequest(TableName("main", "t"), columns=(ColumnRead("id", "id"), *texts), batch_rows=2048),
            schema=pa.schema({"id": pa.int32(), "a": pa.string(), "b": pa.string()}),
            load_id="1",
            op="S",
            position_column=None,
            directory=tmp_path,
            sizes=FileSizes(MB),
            retries=0,
            key=key,
            exact_bytes=tuple((name, ColumnRead(name, f"_el_bytes_{name}")) for name in "ab"),
        ).run()
        landed = [row for file in found.files for row in pq.read_table(file.path).to_pylist()]
        return [(row["id"], row["a"], row["b"]) for row in landed], LossyDriver.reads

    return land


def test_text_that_the_driver_hands_over_whole_is_read_once_and_without_its_bytes(read_texts: Any) -> None:
    rows, reads = read_texts([(1, "Größe 😀".encode("utf-16-le"), b"")])
    assert rows == [(1, "Größe 😀", "")]
    assert reads == [("id", "a", "b")]


def test_a_replacement_character_that_the_source_itself_holds_arrives(read_texts: Any) -> None:
    rows, reads = read_texts([(i, utf16(0x41, 0xFFFD), utf16(0x42)) for i in range(5000)])
    assert rows == [(i, "A\ufffd", "B") for i in range(5000)]
    assert reads == [("id", "a", "b"), ("id", "a", "b", "_el_bytes_a")]


def test_a_second_column_in_doubt_is_the_last_reason_to_read_again(read_texts: Any) -> None:
    rows, reads = read_texts([(i, utf16(0xFFFD), utf16(0xFFFD if i == 4999 else 0x42)) for i in range(5000)])
    assert rows[-1] == (4999, "\ufffd", "\ufffd")
    assert len(rows) == 5000
    assert [len(read) for read in reads] == [3, 4, 5]


@pytest.mark.parametrize("broken", [utf16(0xD83D), utf16(0x41, 0xDE00), utf16(0xDE00, 0xD83D), utf16(0xD83D, 0x41)])
def test_an_unpaired_surrogate_is_refused_by_its_key_and_leaves_no_file(
    read_texts: Any, tmp_path: Path, broken: bytes
) -> None:
    whole = [(i, utf16(0xD83D, 0xDE00), utf16(0xFFFD)) for i in range(3)]
    with pytest.raises(RowRefused, match=r"main\.t\.b: the row with id = 9 has a surrogate without its other half"):
        read_texts([*whole, (9, b"", broken)])
    assert list(tmp_path.glob("*.parquet")) == []


def test_half_a_surrogate_pair_in_sql_server_fails_its_table_by_key_and_ufffd_of_its_own_arrives(
    sqlserver: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shop = TsqlShop(tmp_path, sqlserver, capsys).create('  - {name: "dbo.*"}')
    if shop.rows("SELECT CAST(N'A' AS VARBINARY(4))") != [(b"A\x00",)]:
        pytest.skip("this engine's text is not UTF-16: it holds no half of a surrogate pair")
    shop.sql(
        "CREATE TABLE dbo.whole (id INT PRIMARY KEY, v NVARCHAR(20))",
        "INSERT INTO dbo.whole VALUES (1, CAST(0x6100FDFF AS NVARCHAR(20))), (2, CAST(0x3DD800DE AS NVARCHAR(20)))",
        "CREATE TABLE dbo.half (id INT PRIMARY KEY, v NVARCHAR(20))",
        "INSERT INTO dbo.half VALUES (1, N'fine'), (2, CAST(0x61003DD8 AS NVARCHAR(20)))",
    )
    code, found = reports(capsys)
    assert code == 1
    assert "dbo.half.v: the row with id = 2 has a surrogate without its other half" in found["dbo.half"]["error"]
    assert found["dbo.whole"]["status"] == "loaded"
    with duckdb.connect("warehouse.duckdb") as warehouse:
        rows = warehouse.execute("SELECT id, v FROM shop_dbo.whole ORDER BY id").fetchall()
    assert rows == [(1, "a\ufffd"), (2, "\U0001f600")]
