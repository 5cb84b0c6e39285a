"""`describe()` finds what was created."""

from __future__ import annotations

import pytest

from el.connectors.catalog import Catalog, Table, TableName
from tests.conformance.conftest import Place


@pytest.fixture
def catalog(place: Place) -> Catalog:
    for sql in place.facts.ddl:
        place.run(sql.replace("{schema}", place.schema))
    return place.connector.describe([place.schema])


def table(catalog: Catalog, place: Place, name: str) -> Table:
    found = catalog.table(TableName(place.schema, name))
    assert found is not None
    return found


def test_describe_finds_tables_of_the_schemas_that_are_asked_for(catalog: Catalog, place: Place) -> None:
    assert sorted(t.name.name for t in catalog.tables) == ["child", "parent"]
    assert {t.name.schema for t in catalog.tables} == {place.schema}
    assert {t.kind for t in catalog.tables} == {"table"}
    everything = place.connector.describe()
    assert {t.name for t in catalog.tables} <= {t.name for t in everything.tables}
    assert place.connector.describe(["no_such_schema"]).tables == ()


def test_describe_finds_columns_in_order_and_whether_they_may_be_null(catalog: Catalog, place: Place) -> None:
    parent, child = (table(catalog, place, name) for name in ("parent", "child"))
    assert [(c.name, c.nullable) for c in parent.columns] == [("b", False), ("a", False), ("u", False)]
    nullable = {c.name: c.nullable for c in child.columns}
    assert (nullable["id"], nullable["pb"], nullable["amount"]) == (False, True, False)


def test_describe_finds_declared_digits(catalog: Catalog, place: Place) -> None:
    amount = table(catalog, place, "child").column("amount")
    assert amount is not None
    assert (amount.type.precision, amount.type.scale) == (12, 2)


def test_describe_finds_the_key_in_key_order(catalog: Catalog, place: Place) -> None:
    key = table(catalog, place, "parent").primary_key
    assert key is not None
    assert key.columns == ("b", "a")


def test_describe_finds_uniques(catalog: Catalog, place: Place) -> None:
    assert [key.columns for key in table(catalog, place, "parent").uniques] == [("u",)]


def test_describe_finds_foreign_keys_column_by_column(catalog: Catalog, place: Place) -> None:
    (key,) = table(catalog, place, "child").foreign_keys
    assert key.columns == ("pb", "pa")
    assert key.references == TableName(place.schema, "parent")
    assert key.referenced_columns == ("b", "a")


def test_describe_finds_checks(catalog: Catalog, place: Place) -> None:
    (check,) = table(catalog, place, "child").checks
    assert "amount" in check.expression
    assert "0" in check.expression


def test_describe_finds_defaults(catalog: Catalog, place: Place) -> None:
    amount = table(catalog, place, "child").column("amount")
    assert amount is not None
    assert amount.default is not None
    assert "7" in amount.default


def test_describe_finds_computed_columns(catalog: Catalog, place: Place) -> None:
    twice = table(catalog, place, "child").column("twice")
    assert twice is not None
    assert twice.computed is not None
    assert "amount" in twice.computed


def test_describe_finds_comments(catalog: Catalog, place: Place) -> None:
    child = table(catalog, place, "child")
    amount = child.column("amount")
    assert amount is not None
    assert (child.comment, amount.comment) == ("of the child", "in euros")


def test_describe_finds_row_counts(catalog: Catalog, place: Place) -> None:
    assert table(catalog, place, "parent").rows == 2
    assert table(catalog, place, "child").rows == 0
