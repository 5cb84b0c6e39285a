"""CHECK constraints translate where they mean the same in both warehouses, and are refused elsewhere."""

from __future__ import annotations

import duckdb
import pytest

from el.codegen.checks import Translated, translate
from el.codegen.table_design import ColumnDesign, TypeName
from el.connectors.catalog import Column, SourceType
from el.connectors.duckdb import DuckDb
from el.connectors.sqlserver import SqlServer
from el.connectors.sqlserver.collation import text_rule
from el.types.rule import facts_of

TYPES = {
    "Amount": (TypeName("decimal(12,2)", "number(12,2)"), None),
    "Status": (TypeName("varchar", "varchar"), "Latin1_General_CI_AS"),
    "Code": (TypeName("varchar", "varchar"), "Latin1_General_BIN2"),
    "IsOpen": (TypeName("boolean", "boolean"), None),
    "StartedOn": (TypeName("date", "date"), None),
    "EndedAt": (TypeName("timestamp", "timestamp_ntz(3)"), None),
    "Exactly": (TypeName("varchar", "timestamp_ntz(7)"), None),
    "Email": (TypeName("varchar", "varchar"), "Latin1_General_BIN2"),
    "Order": (TypeName("integer", "number(10,0)"), None),
    "Guid": (TypeName("varchar", "varchar"), None),
    "Tiny": (TypeName("decimal(38,38)", "varchar"), None),
    "Paid": (TypeName("double", "float"), None),
}
SOURCE_TYPES = {"Guid": "uniqueidentifier", "Tiny": "decimal", "Paid": "real", "Exactly": "datetime2"}
NAMES = {"Amount": "amount", "Status": "status", "Code": "code", "IsOpen": "is_open", "StartedOn": "started_on"} | {
    "EndedAt": "ended_at",
    "Exactly": "exactly",
    "Email": "email",
    "Order": "order_",
    "Guid": "guid",
    "Tiny": "tiny",
    "Paid": "paid",
}


def columns(source: type[SqlServer] | type[DuckDb]) -> dict[str, ColumnDesign]:
    return {
        name.lower(): ColumnDesign(
            source=Column(name, SourceType(SOURCE_TYPES.get(name, type_.duckdb)), collation=collation),
            raw=NAMES[name].rstrip("_"),
            name=NAMES[name],
            type=type_,
            facts=facts_of(source.rules, SourceType(SOURCE_TYPES.get(name, type_.duckdb))),
            compared=text_rule(Column(name, SourceType(SOURCE_TYPES.get(name, type_.duckdb)), collation=collation))
            if source is SqlServer
            else None,
            text=type_.common == "varchar",
            exact=True,
            masked=name == "Email",
        )
        for name, (type_, collation) in TYPES.items()
    }


def translated(expression: str, source: type[SqlServer] | type[DuckDb] = SqlServer) -> Translated:
    return translate(expression, source.dialect, columns(source))


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("([Amount]>(0))", "amount > 0"),
        ("([Amount]>=(0) AND [Amount]<=(100.5))", "amount >= 0 and amount <= 100.5"),
        ("([Status]='Paid' OR [Status]='open ')", "lower(rtrim(status)) = 'paid' or lower(rtrim(status)) = 'open'"),
        ("([Code]=N'Ünïcode' OR [Code] IS NULL)", "rtrim(code) = 'Ünïcode' or code is null"),
        ("([Code]<>(N'X'))", "rtrim(code) <> 'X'"),
        ("([Code] IN ('A','B '))", "rtrim(code) in ('A', 'B')"),
        ("([Status] like 'A %')", "lower(status) like 'a %'"),
        ("([Paid]>=(0))", "paid >= 0"),
        ("([IsOpen]=(1))", "is_open = true"),
        ("([StartedOn]>='19000101')", "started_on >= cast('1900-01-01' as timestamp)"),
        ("([EndedAt]>[StartedOn])", "ended_at > started_on"),
        ("(len([Code])>=(2))", "length(rtrim(code)) >= 2"),
        ("([Code] like 'A%')", "code like 'A%'"),
        ("([Order] between (1) and (9))", "order_ between 1 and 9"),
        ("(isnull([Amount],(0))*(2)<(9))", "coalesce(amount, 0) * 2 < 9"),
    ],
)
def test_a_condition_is_said_in_the_names_and_types_of_the_schema_table(expression: str, expected: str) -> None:
    found = translated(expression)
    assert found.why is None
    assert found.expression == expected


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("([dbo].[IsValid]([Code])=(1))", "may mean something else"),
        ("([StartedOn]<=getdate())", "may mean something else"),
        ("([Code] like '[A-Z]%')", "set of characters"),
        ("([Missing]>(0))", "not taken"),
        ("([Email] like '%@%')", "does not arrive as it is"),
        ("([StartedOn]>='1.2.2000')", "form of its own"),
        ("([Exactly]>='2000-01-01')", "arrives as text, and is none"),
        ("([Exactly]<=[Exactly])", "arrives as text, and is none"),
        ("([Guid]='0a')", "arrives as text, and is none"),
        ("([Tiny]>=(0))", "arrives as text, and is none"),
        ("(upper([Status])='A' OR upper([Status])='B')", "upper and lower"),
        ("([Code]>='A' AND [Code]<='Z')", "the order of text"),
        ("([Status] between 'a' and 'z')", "the order of text"),
        ("([Code] like 'A_')", "trailing blanks"),
        ("([Paid]<=(0.1))", "32-bit"),
        ("([Paid]<=[Amount])", "32-bit"),
        ("([IsOpen]=[Order])", "several types"),
        ("([StartedOn]>='991231')", "form of its own"),
        ("([StartedOn]>='2024-W01-1')", "form of its own"),
        ("([Code]+[Status]<>'ab')", "calculates"),
        ("([Amount]/(2)>(1))", "may mean something else"),
        ("(this is no condition", "cannot be parsed"),
    ],
)
def test_what_may_mean_something_else_is_named_as_not_translated(expression: str, why: str) -> None:
    found = translated(expression)
    assert found.expression is None
    assert why in str(found.why)


def test_a_condition_without_case_holds_and_fails_as_at_the_source() -> None:
    found = translated("([Status]='Paid')").expression
    query = f"SELECT ({found}) FROM (VALUES ('PAID'), ('paid '), ('unpaid'), (NULL)) AS t (status)"
    assert [row[0] for row in duckdb.sql(query).fetchall()] == [True, True, False, None]


def test_duckdbs_own_checks_are_read_in_its_own_words() -> None:
    assert translated("(\"Status\" IN ('open', 'paid'))", DuckDb).expression == "status in ('open', 'paid')"
