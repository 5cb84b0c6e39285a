"""The text that was written in el.yml is the text that is compared; what could be read two ways is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from el.cli.app import main
from el.config.filter_value import filter_value
from el.config.settings import load_config
from el.connectors.catalog import Column, SourceType, TableName
from el.connectors.duckdb.types import RULES
from el.connectors.request import Value
from el.errors import ConfigError, PlanError
from el.types.rule import facts_of
from tests.shop import Workspace, inside


def compared(type_: SourceType, text: str) -> Value:
    return filter_value(TableName("s", "t"), Column("c", type_), facts_of(RULES, type_), text)


HEAD = "version: 1\nsource: shop\ndestination: warehouse\ndefaults: {workers: 1, retries: 0}\ntables:\n"
CODES = [
    "NO",
    "007",
    "7",
    "1.10",
    "1.1",
    "0.12345678901234567890123456789",
    "12:30:00",
    "0x10",
    "1e3",
    "yes",
    "2024-01-05",
]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workspace]:
    shop = Workspace(tmp_path).create()
    values = ", ".join(f"('{code}')" for code in [*CODES, "0", "16", "1000.0", "45000", "true"])
    shop.source(
        f"CREATE SCHEMA s; CREATE TABLE s.codes (code VARCHAR); INSERT INTO s.codes VALUES {values};"
        "CREATE TABLE s.kinds (n INTEGER, d DECIMAL(10, 2), day DATE, t TIMESTAMP, c TIME, b BOOLEAN, f DOUBLE);"
        "INSERT INTO s.kinds VALUES (7, 1.10, '2024-01-05', '2024-01-05 12:30:00.5', '12:30:00', true, 0.1),"
        "(8, 2.20, '2024-05-01', '2024-05-01 00:00:00', '00:00:00', false, 0.2)"
    )
    with inside(tmp_path):
        yield shop


def settings(shop: Workspace, table: str, condition: str) -> None:
    (shop.path / "el.yml").write_text(f"{HEAD}  - {{name: s.{table}, filters: [{condition}]}}\n", encoding="utf-8")


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("quote", ["", "'"])
def test_a_filter_takes_the_row_whose_text_was_written(shop: Workspace, code: str, quote: str) -> None:
    settings(shop, "codes", f"{{column: code, op: '=', value: {quote}{code}{quote}}}")
    assert main(["run", "--json"]) == 0
    assert shop.warehouse("SELECT code FROM shop_s.codes") == [(code,)]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("n", "7"),
        ("d", "1.10"),
        ("d", "1.100"),
        ("day", "2024-01-05"),
        ("t", "2024-01-05 12:30:00.500"),
        ("t", "2024-01-05T12:30:00.5"),
        ("c", "12:30:00"),
        ("b", "true"),
        ("f", "0.1"),
        ("f", "1e-1"),
    ],
)
def test_a_value_is_compared_as_the_columns_type(shop: Workspace, column: str, value: str) -> None:
    settings(shop, "kinds", f"{{column: {column}, op: '=', value: {value}}}")
    assert main(["run", "--json"]) == 0
    assert shop.warehouse("SELECT n FROM shop_s.kinds") == [(7,)]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("n", "007"),
        ("n", "0x10"),
        ("n", "7.4"),
        ("n", "1_000"),
        ("n", "NO"),
        ("d", "1.104"),
        ("d", "01.10"),
        ("day", "01/05/2024"),
        ("day", "2024-1-5"),
        ("day", "2024-01-05 12:00:00"),
        ("t", "05.01.2024"),
        ("c", "45000"),
        ("b", "NO"),
        ("f", "0,1"),
    ],
)
def test_what_could_be_read_two_ways_is_refused_with_table_and_column(
    shop: Workspace, capsys: pytest.CaptureFixture[str], column: str, value: str
) -> None:
    settings(shop, "kinds", f"{{column: {column}, op: '=', value: '{value}'}}")
    assert main(["run"]) != 0
    said = capsys.readouterr()
    assert f"s.kinds.{column}: the filter's value {value!r}" in said.out + said.err


PRINTABLE = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="﻿\u2028\u2029\x85")
)


@given(PRINTABLE)
@example("NO")
@example("~")
@example("2024-01-01 12:00:00")
@example(" padded ")
def test_a_quoted_text_is_read_as_it_is_and_compared_so(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("written") / "el.yml"
    condition = f"{{column: code, op: '=', value: {json.dumps(text, ensure_ascii=False)}}}"
    path.write_text(f"{HEAD}  - {{name: s.codes, filters: [{condition}]}}\n", encoding="utf-8")
    wanted = load_config(path).tables[0].filters[0]
    assert compared(SourceType("varchar"), wanted.text).text == text


@given(st.from_regex(r"[A-Za-z0-9_.+:-]{1,30}", fullmatch=True))
@example("0o17")
@example("1_000")
@example("190:20:30")
@example(".5")
@example("Off")
@example("=")
def test_a_plain_word_is_its_own_text_or_no_value_at_all(tmp_path_factory: pytest.TempPathFactory, word: str) -> None:
    path = tmp_path_factory.mktemp("written") / "el.yml"
    path.write_text(
        f"{HEAD}  - name: s.codes\n    rename: x\n    key: [x{word}x, y]\n    cursor: c{word}\n", encoding="utf-8"
    )
    try:
        entry = load_config(path).tables[0]
    except ConfigError:
        # A colon at the end begins a mapping.
        assume(not word.endswith(":"))
        raise
    assert entry.cursor == f"c{word}"


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**6), max_value=10**6))
def test_every_digit_of_a_number_is_compared_or_the_number_is_refused(number: object) -> None:
    text = f"{number:f}"
    for scale in (0, 2, 4):
        try:
            found = compared(SourceType("decimal", precision=18, scale=scale), text)
        except PlanError:
            assert len(text.partition(".")[2].rstrip("0")) > scale
        else:
            assert found.text == text


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("defaults: {workers: 010}", "line 6: defaults.workers: '010' is not a number"),
        ("defaults: {workers: 1_0}", "line 6: defaults.workers: '1_0' is not a number"),
        ("defaults: {trim: 1}", "line 6: defaults.trim: '1' is neither true nor false"),
        ("limits: {text_mb: 0x10}", "line 6: limits.text_mb: '0x10' is not a number"),
    ],
)
def test_a_setting_that_could_be_read_two_ways_is_refused_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], where: str, says: str
) -> None:
    (tmp_path / "el.yml").write_text(
        f"version: 1\nsource: a\ndestination: b\ntables:\n  - {{name: s.t}}\n{where}\n", encoding="utf-8"
    )
    assert main(["plan", "--config", str(tmp_path / "el.yml")]) == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_el_yml_may_have_a_byte_order_mark(shop: Workspace, encoding: str) -> None:
    text = f"{HEAD}  - {{name: s.codes, filters: [{{column: code, op: '=', value: NO}}]}}  # größer\n"
    (shop.path / "el.yml").write_text(text, encoding=encoding)
    assert main(["run", "--json"]) == 0
    assert shop.warehouse("SELECT code FROM shop_s.codes") == [("NO",)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_query_file_may_have_a_byte_order_mark(shop: Workspace, encoding: str) -> None:
    (shop.path / "q.sql").write_text("SELECT n, 'größer' AS word FROM s.kinds WHERE n = 7", encoding=encoding)
    (shop.path / "el.yml").write_text(f"{HEAD}  - {{name: s.own, query_file: q.sql}}\n")
    assert main(["run", "--json"]) == 0
    assert shop.warehouse("SELECT n, word FROM shop_s.own") == [(7, "größer")]


@pytest.mark.parametrize("file", ["el.yml", "profiles.yml", "q.sql"])
@pytest.mark.parametrize("encoding", ["cp1252", "utf-16-le"])
def test_another_encoding_is_one_line_with_file_and_line(
    shop: Workspace, capsys: pytest.CaptureFixture[str], file: str, encoding: str
) -> None:
    (shop.path / "q.sql").write_text("SELECT n FROM s.kinds")
    (shop.path / "el.yml").write_text(f"{HEAD}  - {{name: s.own, query_file: q.sql}}\n")
    path = shop.path / file
    comment = "-- größer" if file == "q.sql" else "# größer"
    path.write_text(f"{path.read_text()}\n{comment}\n", encoding=encoding)
    # What a query's file is, is its own table's matter: it is in the report, and other tables are taken.
    assert main(["run", "--json"]) == (1 if file == "q.sql" else 2)
    told = capsys.readouterr()
    said = told.out if file == "q.sql" else told.err
    assert f"{file} line " in said
    assert "UTF-8" in said
    assert said.count("\n") == 1
