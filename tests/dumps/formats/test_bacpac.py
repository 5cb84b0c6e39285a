"""Tables out of a bacpac: every value as it was, every byte some field's, and what is not certain stopped by name."""

from __future__ import annotations

import io
import os
import zipfile
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from el.connectors.sqlserver.types import RULES
from el.dumps.formats import framed, lanes
from el.dumps.formats.bacpac import Bacpac, BacpacFormat
from el.dumps.formats.bacpac_model import field_of, tables_of
from el.dumps.formats.base import Reading
from el.dumps.formats.stored_types import stored
from el.errors import PlanError, RecordRefused
from el.types.rule import decide
from el.types.source_type import SourceType
from tests.standins.bacpac import Table, write_bacpac
from tests.standins.bcp import Column
from tests.standins.stored_values import ALL_KINDS, column_of, columns, read_as, values

TIMES = ("time", "datetime2", "datetimeoffset")
ORDERS = (Column("id", "int", nullable=False), Column("note", "nvarchar", length=20), Column("paid", "money"))


def rows(reading: Reading) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for batch in reading.batches for row in batch.to_pylist()]


def orders(folder: Path, many: int = 3000, **how: Any) -> Path:
    found = [(n, f"note {n}" if n % 3 else None, Decimal(n) / 4) for n in range(many)]
    return write_bacpac(folder / "shop.bacpac", [Table("dbo", "orders", ORDERS, found)], **how)


def test_a_tables_rows_come_typed_in_order_and_numbered_over_its_parts(tmp_path: Path) -> None:
    path = orders(tmp_path)
    bacpac = Bacpac(path)
    [table] = bacpac.tables()
    assert (table.name, len(table.parts), table.refused) == ("dbo.orders", 3, None)
    reading = bacpac.read("dbo.orders")
    assert str(reading.schema.field("paid").type) == "decimal128(19, 4)"
    found = rows(reading)
    assert found[:2] == [(0, None, Decimal("0.0000"), 1), (1, "note 1", Decimal("0.2500"), 2)]
    assert [row[-1] for row in found] == list(range(1, 3001))
    assert reading.records == 3000
    assert bacpac.check_total()
    assert rows(BacpacFormat("dbo.orders").read(path)) == found


@st.composite
def tables(draw: st.DrawFn, kind: str) -> Table:
    shape = [draw(column_of(kind)), *draw(st.lists(columns(), max_size=3))]
    shape = [Column(f"c{n}", c.type, c.nullable, c.length, c.precision, c.scale) for n, c in enumerate(shape)]
    few = [tuple(draw(values(column)) for column in shape) for _ in range(draw(st.integers(0, 6)))]
    return Table("dbo", "t", shape, few * draw(st.integers(1, 8)), part_rows=draw(st.integers(1, 20)))


@pytest.mark.parametrize("kind", ALL_KINDS)
@given(st.data(), st.sampled_from([64, 1 << 20]))
@settings(max_examples=8, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_every_type_reads_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject, chunk: int
) -> None:
    table = data.draw(tables(kind))
    path = write_bacpac(tmp_path_factory.mktemp("bacpac") / "a.bacpac", [table])
    bacpac = Bacpac(path, accept=TIMES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(framed, "CHUNK", chunk)
        patch.setattr(lanes, "_ROUNDS_A_LANE", 2)
        patch.setattr(lanes, "_FIRST_ROUNDS", 2)
        reading = bacpac.read("dbo.t")
        found = rows(reading)
    expected = [tuple(read_as(c, v) for c, v in zip(table.columns, row, strict=True)) for row in table.rows]
    assert found == [(*row, number) for number, row in enumerate(expected, 1)]
    assert reading.records == len(expected)
    assert bacpac.check_total()


@given(columns())
@settings(deadline=None)
def test_a_type_becomes_the_same_in_arrow_as_from_the_live_table(column: Column) -> None:
    declared = SourceType(column.type, column.length, column.precision, column.scale)
    rule, found = decide(RULES, declared), stored(declared)
    assert rule is not None
    assert found is not None
    assert rule.exact is not None
    arrow = rule.exact.arrow
    assert found.arrow == (arrow(declared) if callable(arrow) else arrow)


def test_computed_columns_are_not_in_the_data_and_names_may_hold_anything(tmp_path: Path) -> None:
    table = Table("sales dept", "a]b.c%d", [Column("x", "int")], [(1,), (None,)], computed=["twice"])
    bacpac = Bacpac(write_bacpac(tmp_path / "a.bacpac", [table, Table("dbo", "empty", ORDERS, [])]))
    assert rows(bacpac.read("sales dept.a]b.c%d")) == [(1, 1), (None, 2)]
    assert rows(bacpac.read("dbo.empty")) == []


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (Column("at", "time", scale=7), "column at is time"),
        (Column("at", "datetime2", nullable=False), "column at is datetime2 NOT NULL"),
        (Column("at", "datetime2", scale=3), r"column at is datetime2\(3\)"),
        (Column("where", "geography"), "column where is geography"),
        (Column("any", "sql_variant"), "column any is sql_variant"),
        (Column("long", "varchar", length=5000), r"column long is varchar\(5000\)"),
    ],
)
def test_a_type_that_no_file_showed_stops_its_table_alone(tmp_path: Path, column: Column, said: str) -> None:
    tables = [Table("dbo", "odd", [column], []), Table("dbo", "plain", [Column("x", "int")], [(1,)])]
    bacpac = Bacpac(write_bacpac(tmp_path / "a.bacpac", tables))
    with pytest.raises(PlanError, match=f"dbo.odd: {said}.*restore it and read it as a source"):
        bacpac.read("dbo.odd")
    assert rows(bacpac.read("dbo.plain")) == [(1, 1)]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ('<Property Name="EncryptionType" Value="1" />', "column id is encrypted"),
        ('<Property Name="IsColumnSet" Value="True" />', "column id is a column set"),
    ],
)
def test_a_column_whose_data_is_not_what_its_type_says_is_refused(tmp_path: Path, said: str, why: str) -> None:
    with zipfile.ZipFile(orders(tmp_path)) as archive:
        model = archive.read("model.xml").decode()
    nullable = '<Property Name="IsNullable" Value="False" />'
    assert nullable in model
    [table] = tables_of(io.BytesIO(model.replace(nullable, nullable + said).encode()))
    assert field_of(table.columns[0], frozenset()) == why


def test_an_alias_type_is_one_that_no_bacpac_was_seen_with(tmp_path: Path) -> None:
    with zipfile.ZipFile(orders(tmp_path)) as archive:
        model = archive.read("model.xml").decode()
    alias = (
        '<Element Type="SqlUserDefinedDataType" Name="[dbo].[Id]"><Relationship Name="Type"><Entry>'
        '<References ExternalSource="BuiltIns" Name="[int]" /></Entry></Relationship></Element>'
    )
    own = model.replace('Name="[int]"', 'Name="[dbo].[Id]"').replace("<Model>", f"<Model>{alias}")
    [table] = tables_of(io.BytesIO(own.encode()))
    assert "column id is dbo.Id, an alias of int" in str(field_of(table.columns[0], frozenset()))
    accepted = field_of(table.columns[0], frozenset({"dbo.Id"}))
    assert not isinstance(accepted, str)
    assert accepted.frame.width == 4


def test_a_total_other_than_origin_xmls_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordRefused, match=r"it has 3000 rows, but its Origin.xml says 2999"):
        Bacpac(orders(tmp_path, rows_stated=2999)).check_total()
    assert not Bacpac(orders(tmp_path, rows_stated=None)).check_total()


def test_a_model_other_than_the_one_that_was_exported_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordRefused, match=r"model\.xml is not the one whose checksum Origin"):
        Bacpac(orders(tmp_path, checksum="0" * 64))


def other_part(path: Path, change: Any) -> Path:
    """The same bacpac with another last part."""
    out = path.with_name("other.bacpac")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w") as new:
        for info in old.infolist():
            data = old.read(info)
            new.writestr(info.filename, change(data) if "TableData-002" in info.filename else data)
    return out


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: data[:-1], r"TableData-002-00000.BCP: record 3000, byte \d+: the file ends within this row"),
        (lambda data: data + b"\0", "record 3001, byte .*the file ends within this row"),
        (lambda data: b"\0\0\0\0\x15\0" + data, r"record 2001, byte 4: column note: a length of 21, where at most 40"),
        (
            lambda data: b"\0\0\0\0\0\0\7" + data,
            r"record 2001, byte 6: column paid: a length of 7, where 8 is possible",
        ),
        (lambda data: b"\0\0\0\0\2\0\0\xd8\xff" + data, "record 2001, byte 6: column note: an unpaired surrogate"),
    ],
)
def test_data_that_does_not_fit_is_refused_with_part_record_and_byte(tmp_path: Path, change: Any, said: str) -> None:
    bacpac = Bacpac(other_part(orders(tmp_path), change))
    with pytest.raises(RecordRefused, match=said):
        rows(bacpac.read("dbo.orders"))


def test_a_part_that_ends_within_a_row_is_seen_although_the_next_one_goes_on(tmp_path: Path) -> None:
    whole = write_bacpac(tmp_path / "a.bacpac", [Table("dbo", "t", [Column("x", "int", False)], [(1,), (2,)], 1)])
    torn = tmp_path / "torn.bacpac"
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(torn, "w") as new:
        for info in old.infolist():
            data = old.read(info)
            if "TableData-000" in info.filename:
                data = data[:2]
            if "TableData-001" in info.filename:
                data = b"\0\0" + data
            new.writestr(info.filename, data)
    with pytest.raises(
        RecordRefused, match=r"TableData-000-00000\.BCP: record 1, byte 1: the file ends within this row"
    ):
        rows(Bacpac(torn).read("dbo.t"))


def test_a_value_out_of_its_types_range_is_refused(tmp_path: Path) -> None:
    late = write_bacpac(tmp_path / "a.bacpac", [Table("dbo", "t", [Column("b", "bit")], [(1,), (2,)])])
    with pytest.raises(RecordRefused, match="record 2, byte 3: column b: a bit that is neither 0 nor 1"):
        rows(Bacpac(late).read("dbo.t"))


def test_what_is_no_bacpac_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.bacpac"
    path.write_bytes(b"PK no zip")
    with pytest.raises(RecordRefused, match="it is no whole bacpac"):
        Bacpac(path)


REAL = sorted(Path(os.environ.get("EL_TEST_BACPACS", "/nowhere")).rglob("*.bacpac"))


@pytest.mark.skipif(not REAL, reason="no real bacpacs (EL_TEST_BACPACS=folder)")
@pytest.mark.parametrize("path", REAL, ids=lambda path: path.name)
def test_real_bacpacs_are_read_whole(path: Path) -> None:
    bacpac = Bacpac(path)
    read = 0
    for table in bacpac.tables():
        if table.refused:
            continue
        reading = bacpac.read(table.name)
        found = sum(batch.num_rows for batch in reading.batches)
        assert found == reading.records == bacpac.count(table.name)
        read += found
    refused = [table.name for table in bacpac.tables() if table.refused and table.parts]
    assert bacpac.rows_stated is None or refused or read == bacpac.rows_stated


def test_a_datetimes_ticks_are_shown_as_the_server_shows_them(tmp_path: Path) -> None:
    column = Column("at", "datetime")
    shown = [datetime(1999, 12, 31, 23, 59, 59, micros) for micros in (0, 3000, 7000, 10_000, 997_000)]
    bacpac = Bacpac(write_bacpac(tmp_path / "a.bacpac", [Table("dbo", "t", [column], [(at,) for at in shown])]))
    assert [row[0] for row in rows(bacpac.read("dbo.t"))] == shown
