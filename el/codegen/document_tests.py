"""The dbt tests of documents: that they are there and JSON, and that no value is NULL in its column without a word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .data_test import IN_RAW, DbtTest, test_name
from .table_design import TableDesign
from .yaml_text import literal


def document_tests(table: TableDesign, where: str, base: Mapping[str, Any]) -> list[DbtTest]:
    """Of a raw table with documents. What does not fit is a warning, for el.yml lets it be NULL and counts it."""
    if table.document is None:
        return []
    document = {**base, "document": table.document.raw}
    fields = {
        column.name: {
            "path": [literal(step) for step in column.field.steps],
            "type": column.field.type,
            **({"raw": column.raw} if column.in_raw else {}),
        }
        for column in table.shown
        if column.field is not None and column.field.type != "json" and not column.masked
    }
    picked: dict[str, Any] = {"fields": fields, "form": _form(table)} if fields else {}
    return [
        DbtTest("el_documents_are_json", test_name("el_documents_are_json", where), document, {"enabled": IN_RAW}),
        DbtTest(
            "el_documents_fit",
            test_name("el_documents_fit", where),
            {**document, **picked},
            {"enabled": IN_RAW, "severity": "warn"},
        ),
    ]


def misfit_tests(source: str, tables: Sequence[str]) -> list[DbtTest]:
    """Of a ledger: what el counted while it read. tables: the raw tables with documents."""
    if not tables:
        return []
    arguments = {"source_name": source, "tables": list(tables)}
    config = {"enabled": IN_RAW, "severity": "warn"}
    return [DbtTest("el_no_misfits", test_name("el_no_misfits", source), arguments, config)]


def _form(table: TableDesign) -> str:
    return next(column.field.form for column in table.shown if column.field is not None)
