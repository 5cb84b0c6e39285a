"""Fields that staging picks out of documents, in both warehouses: all digits, or NULL that a test counts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib.resources import files
from typing import Any

import duckdb
import jinja2
import pytest
import snowflake.connector

from tests.standins.snowflake import SnowflakeStandIn

MACROS = ("el_document_at", "el_document_field", "el_type")


class _Returned(Exception):
    """What a macro of dbt returns."""


def macros(target: str) -> Any:
    """The package's macros as dbt renders them; `return` ends one with a value."""
    environment = jinja2.Environment(extensions=["jinja2.ext.do"])

    def back(value: Any) -> None:
        raise _Returned(value)

    called: dict[str, Any] = {}

    def call(name: str) -> Any:
        def run(*arguments: Any, **named: Any) -> Any:
            try:
                return called[name](*arguments, **named)
            except _Returned as found:
                return found.args[0]

        return run

    package = files("el.codegen") / "dbt_package" / "macros"
    text = "\n".join((package / f"{name}.sql").read_text() for name in MACROS)
    names = re.findall(r"{% macro (\w+)\(", text)
    environment.globals.update({"return": back, "target": {"type": target}, "modules": {"re": re}})
    environment.globals.update({name: call(name) for name in names})
    # Under another name, so that what calls one of them gets what it returns.
    module = environment.from_string(re.sub(r"{% macro (\w+)\(", r"{% macro \1__own(", text)).module
    called.update({name: getattr(module, f"{name}__own") for name in names})
    return {name: call(name) for name in names}


@pytest.fixture(scope="module", params=["duckdb", "snowflake"])
def pick(request: pytest.FixtureRequest) -> Iterator[Any]:
    """(documents, path, type, form) -> of each the value that is picked, and whether it is a misfit."""
    made = macros(request.param)

    def sql(path: list[str], type_: str, form: str) -> str:
        field = made["el_document_field"]("document", path, type_, form)
        misfit = made["el_document_misfit"]("document", path, type_, form)
        return f"SELECT {field}, {misfit} FROM documents ORDER BY place"

    if request.param == "duckdb":
        with duckdb.connect() as connection:

            def in_duckdb(documents: list[str], *field: Any) -> Any:
                connection.execute("CREATE OR REPLACE TABLE documents (place INT, document JSON)")
                connection.executemany("INSERT INTO documents VALUES (?, ?)", list(enumerate(documents)))
                return connection.execute(sql(*field)).fetchall()

            yield in_duckdb
        return
    with SnowflakeStandIn() as server, snowflake.connector.connect(**server.connection_parameters()) as opened:
        cursor = opened.cursor()

        def in_snowflake(documents: list[str], *field: Any) -> Any:
            cursor.execute("CREATE OR REPLACE TABLE documents (place INT, document VARCHAR)")
            places = ", ".join(["(%s, %s)"] * len(documents))
            cursor.execute(
                f"INSERT INTO documents VALUES {places}", [each for pair in enumerate(documents) for each in pair]
            )
            rows = cursor.execute(sql(*field)).fetchall()
            return [tuple(bytes(each) if isinstance(each, bytearray) else each for each in row) for row in rows]

        yield in_snowflake


MONEY = "decimal(18,2)"
E, D = "extended_json", "dynamodb_json"
MISFIT = "a misfit"
CASES: list[tuple[str, str, str, Any]] = [
    ("json", "bigint", "9223372036854775807", 2**63 - 1),
    ("json", "bigint", "1.0", 1),
    ("json", "bigint", "1.5", MISFIT),
    ("json", "bigint", '"12"', 12),
    ("json", "bigint", "[1]", MISFIT),
    ("json", MONEY, "12345678901.25", Decimal("12345678901.25")),
    ("json", MONEY, '"1234567890123456.78"', Decimal("1234567890123456.78")),
    ("json", MONEY, "1.234", MISFIT),
    ("json", MONEY, "1.500", Decimal("1.50")),
    ("json", MONEY, "true", MISFIT),
    ("json", MONEY, "null", None),
    ("json", "double", "0.1", 0.1),
    ("json", "double", '"1e400"', MISFIT),
    ("json", "boolean", "true", True),
    ("json", "boolean", "1", MISFIT),
    ("json", "varchar", '"Größe\\u0041"', "GrößeA"),
    ("json", "varchar", "12", "12"),
    ("json", "varchar", "1.10", MISFIT),
    ("json", "varchar", '{"b": 1}', MISFIT),
    ("json", "date", '"2024-02-29"', date(2024, 2, 29)),
    ("json", "date", '"2023-02-29"', MISFIT),
    ("json", "date", '"0000-01-01"', MISFIT),
    ("json", "timestamp", '"2024-02-29T10:00:00.5"', datetime(2024, 2, 29, 10, 0, 0, 500000)),
    ("json", "timestamptz", '"2024-02-29T10:00:00+02:00"', datetime(2024, 2, 29, 8, tzinfo=UTC)),
    ("json", "binary", '{"$binary": {"base64": "AAH/", "subType": "00"}}', b"\x00\x01\xff"),
    ("json", "binary", '{"$binary": {"base64": "!", "subType": "00"}}', MISFIT),
    (E, "bigint", '{"$numberLong": "9223372036854775807"}', 2**63 - 1),
    (E, MONEY, '{"$numberDecimal": "1234567890123456.78"}', Decimal("1234567890123456.78")),
    (E, MONEY, '{"$numberDecimal": "NaN"}', MISFIT),
    (E, "double", '{"$numberDouble": "-Infinity"}', float("-inf")),
    (E, "varchar", '{"$oid": "0123456789abcdef01234567"}', "0123456789abcdef01234567"),
    (E, "varchar", '"text"', "text"),
    (E, "timestamptz", '{"$date": {"$numberLong": "1500"}}', datetime(1970, 1, 1, 0, 0, 1, 500000, UTC)),
    (E, "timestamptz", '{"$date": {"$numberLong": "253402300800000"}}', MISFIT),
    (E, "timestamptz", '{"$minKey": 1}', MISFIT),
    (E, "bigint", '{"$undefined": true}', MISFIT),
    (D, "bigint", '{"N": "12"}', 12),
    (D, "decimal(38,0)", '{"N": "-1234567890123456"}', -1234567890123456),
    (D, "decimal(38,0)", '{"N": "1.5"}', MISFIT),
    ("json", "decimal(9)", '"7.0"', 7),
    (D, MONEY, '{"N": "1234567890123456.78"}', Decimal("1234567890123456.78")),
    (D, MONEY, '{"S": "12.5"}', Decimal("12.50")),
    (D, MONEY, '{"SS": ["12.5"]}', MISFIT),
    (D, MONEY, '{"NULL": true}', None),
    (D, "boolean", '{"BOOL": false}', False),
    (D, "varchar", '{"S": ""}', ""),
    (D, "binary", '{"B": "AAH/"}', b"\x00\x01\xff"),
]


GROUPS = sorted({(form, type_) for form, type_, _, _ in CASES})


@pytest.mark.parametrize(("form", "type_"), GROUPS, ids=[f"{form}-{type_}" for form, type_ in GROUPS])
def test_a_picked_value_has_all_its_digits_or_is_a_misfit(pick: Any, form: str, type_: str) -> None:
    cases = {token: value for other, kind, token, value in CASES if (other, kind) == (form, type_)}
    inside = '{{"M": {{"total": {}}}}}' if form == D else '{{"total": {}}}'
    documents = [f'{{"order": {inside.format(token)}, "other": 1}}' for token in cases]
    found = {
        token: MISFIT if picked is None and misfit else _moment(picked, value) if not misfit else "both"
        for (token, value), (picked, misfit) in zip(
            cases.items(), pick(documents, ["order", "total"], type_, form), strict=True
        )
    }
    assert found == cases


def _moment(picked: Any, value: Any) -> Any:
    """The stand-in says a moment without its zone, UTC."""
    naive = isinstance(picked, datetime) and picked.tzinfo is None and value not in (None, MISFIT)
    return picked.replace(tzinfo=UTC) if naive and value.tzinfo is not None else picked


@pytest.mark.parametrize(
    ("form", "documents"),
    [
        (
            "json",
            {"{}": False, '{"order": null}': False, '{"order": "text"}': True, '{"order": [1]}': True, "null": False},
        ),
        (
            E,
            {
                '{"order": {"$numberInt": "1"}}': True,
                '{"order": {"$date": {"$numberLong": "1"}}}': True,
                '{"order": {"$binary": {"base64": "", "subType": "00"}}}': True,
                '{"order": {}}': False,
            },
        ),
        (D, {'{"order": {"NULL": true}}': False, '{"order": {"S": "text"}}': True, '{"order": {"M": {}}}': False}),
    ],
)
def test_a_path_that_ends_early_is_missing_and_one_through_a_value_a_misfit(
    pick: Any, form: str, documents: dict[str, bool]
) -> None:
    found = pick(list(documents), ["order", "total"], "bigint", form)
    assert found == [(None, misfit) for misfit in documents.values()]


def test_a_number_of_which_duckdb_would_drop_digits_is_a_misfit_there() -> None:
    """Snowflake keeps 38 digits of it; its stand-in does not, and cannot tell."""
    made = macros("duckdb")
    field = made["el_document_field"]("document", ["total"], MONEY, "json")
    misfit = made["el_document_misfit"]("document", ["total"], MONEY, "json")
    documents = [
        '{"total": 1234567890123456.78}',
        '{"total" : 12345678901234.1}',
        '{"total": 1, "a": 0.1234567890123456}',
    ]
    values = ", ".join(f"('{document}'::JSON)" for document in documents)
    found = duckdb.sql(f"SELECT {field}, {misfit} FROM (VALUES {values}) AS t (document)").fetchall()
    assert found == [(None, True), (Decimal("12345678901234.10"), False), (Decimal("1.00"), False)]


def test_a_number_under_a_name_that_can_be_written_in_several_ways_is_not_trusted_either() -> None:
    made = macros("duckdb")
    field = made["el_document_field"]("document", ["größe"], MONEY, "json")
    values = """('{"größe": 1234567890123456.78}'::JSON), ('{"gr\\u00f6\\u00dfe": 1234567890123456.78}'::JSON)"""
    assert duckdb.sql(f"SELECT {field} FROM (VALUES {values}) AS t (document)").fetchall() == [(None,), (None,)]


def test_names_with_dots_quotes_and_backslashes_are_found(pick: Any) -> None:
    name = "it's a.b"
    assert pick([f'{{"{name}": {{"c\\\\d": 5}}}}'], [name, "c\\d"], "bigint", "json") == [(5, False)]
