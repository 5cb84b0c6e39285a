"""The source's constraints as dbt tests, each with a name that says what it tests, and where.

Guarantees: whatever the catalog enforces becomes a test, on the schema table and on raw, or is named with
the reason why it does not. Names are unique in the project and the same at every run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from el.config.tables import ModelKind
from el.connectors.catalog import Check, ForeignKey, TableName
from el.connectors.sql.dialect import Dialect
from el.planning.keys import KEY_COLUMN
from el.planning.naming import normalise

from .checks import Translated, translate
from .data_test import IN_RAW, DbtTest, test_name
from .document_tests import document_tests
from .table_design import ColumnDesign, ModelDesign, TableDesign
from .yaml_text import literal

AT_SOURCE = "{{ target.name == 'source' }}"


@dataclass(frozen=True, slots=True)
class Untested:
    """A constraint that no test says, and why."""

    table: TableName
    constraint: str
    why: str


def model_tests(
    table: TableDesign, model: ModelDesign, others: Mapping[TableName, TableDesign], dialect: Dialect
) -> tuple[list[DbtTest], list[Untested]]:
    """The tests of a schema table."""
    if model.kind is ModelKind.LOG:
        return [], []
    where = f"{model.schema}_{model.alias}"
    now = {"where": "_el_valid_to is null"} if model.kind is ModelKind.HISTORY else {}
    now = {"where": "not _el_deleted"} if model.flagged else now
    tests: list[DbtTest] = []
    # What is no longer so may be from before it was enforced: the contract has NOT NULL for the key alone.
    required = [column.name for column in table.columns if column.required and column.name not in table.told_by]
    checks: dict[str, str] = {}
    doubted: dict[str, str] = {}
    untested: list[Untested] = []
    for name, check, translated in _checks(table, dialect):
        if translated.expression is None:
            untested.append(Untested(table.table.name, f"check {check.name or 'check'}", translated.why or ""))
        else:
            (checks if check.enforced else doubted)[name] = literal(translated.expression)
    tests += _row_rules("el_row_rules", where, {}, now, {"required": required, "checks": checks}, {"checks": doubted})
    if table.key:
        tests.append(_unique(where, table.told_by, now))
    if model.kind is ModelKind.HISTORY:
        tests.append(_unique(where, (*table.told_by, "_el_valid_from"), {}))
    for unique in table.table.uniques:
        columns = table.named(unique.columns)
        if columns is None or not _whole(columns):
            said = "not all of its columns are taken" if columns is None else "a column of it is masked or cast"
            untested.append(Untested(table.table.name, f"unique {unique.name}", said))
        elif {column.name for column in columns} != set(table.key):
            tests.append(_unique(where, [column.name for column in columns], now))
    for key in table.table.foreign_keys:
        parent = others.get(key.references)
        why = _why_untested(table, key, parent)
        if why is not None:
            untested.append(Untested(table.table.name, f"foreign key {key.name}", why))
        elif parent is not None:
            tests.append(_relationship(table, where, key, parent, now))
    return _once(tests), untested


def source_tests(table: TableDesign, others: Mapping[TableName, TableDesign], dialect: Dialect) -> list[DbtTest]:
    """The tests of a raw table, which run at the source too.

    In raw it is what the schema tables cannot show, for they keep one row of a key: each load's rows as they came.
    """
    where = f"{table.source_name}_{table.raw_table}"
    base = {"source_name": table.source_name, "table": table.raw_table}
    modelled = any(model.kind is not ModelKind.LOG for model in table.models)
    tests = [*_source_row_rules(table, where, base, dialect), *document_tests(table, where, base)]
    for unique in table.table.uniques:
        found = table.named(unique.columns)
        if found and {column.name for column in found} != set(table.key) and _whole(found):
            name = test_name("el_source_unique", where, *(column.raw for column in found))
            config = {"enabled": AT_SOURCE} if modelled else {}
            tests.append(DbtTest("el_source_unique", name, {**base, **_names(found)}, config))
    for foreign in table.table.foreign_keys:
        parent = others.get(foreign.references)
        own, theirs = table.named(foreign.columns), parent.named(foreign.referenced_columns) if parent else None
        if parent is None or own is None or theirs is None or not _whole((*own, *theirs)):
            continue
        arguments = {
            **base,
            **_names(own),
            "to": f"source('{parent.source_name}', '{parent.raw_table}')",
            **_names(theirs, "fields", "fields_at_source"),
            **_ignored(own),
        }
        name = test_name("el_source_relationships", where, *(column.raw for column in own), parent.raw_table)
        only_there = parent.filtered or any(column.ignores_accents for column in own)
        only_there |= modelled and parent.state is not None
        config = {**({"enabled": AT_SOURCE} if only_there else {}), **_foreign_severity(foreign)}
        tests.append(DbtTest("el_source_relationships", name, arguments, config))
    if table.table.kind == "query":
        # At the source there is no table of this name.
        tests = [
            replace(test, config={**test.config, "enabled": IN_RAW})
            for test in tests
            if test.config.get("enabled") != AT_SOURCE
        ]
    return _once(tests)


def _source_row_rules(table: TableDesign, where: str, base: Mapping[str, str], dialect: Dialect) -> list[DbtTest]:
    required = [column for column in table.columns if column.required]
    key = sorted(
        (column for column in table.columns if column.name in table.key), key=lambda c: table.key.index(c.name)
    )
    rules: dict[str, Any] = _names(key, "key", "key_at_source") if key else {}
    if key and table.told_by == (KEY_COLUMN,):
        rules = {"key": [KEY_COLUMN], "key_at_source": [literal(column.source.name) for column in key]}
    rules |= _names(required, "required", "required_at_source") if required else {}
    doubted: dict[str, Any] = {}
    for name, check, translated in _checks(table, dialect):
        into = rules if check.enforced else doubted
        into.setdefault("checks_at_source", {})[name] = literal(check.expression)
        # In raw a column may have another name than in the condition.
        if translated.expression and all(column.raw == column.name for column in translated.columns):
            into.setdefault("checks", {})[name] = literal(translated.expression)
    return _row_rules("el_source_row_rules", where, base, {}, rules, doubted)


def _row_rules(
    generic: str,
    where: str,
    base: Mapping[str, Any],
    config: Mapping[str, Any],
    rules: Mapping[str, Any],
    doubted: Mapping[str, Any],
) -> list[DbtTest]:
    """All rules of a table's rows as one test, which reads them once; those that the source does not enforce warn."""
    found = []
    for suffix, given, severity in (("", rules, {}), ("__not_enforced", doubted, {"severity": "warn"})):
        said = {name: value for name, value in given.items() if value}
        if said:
            # What is known of the source's own text alone is asked there alone.
            there = {} if set(said) != {"checks_at_source"} else {"enabled": AT_SOURCE}
            name = test_name(generic, where + suffix)
            found.append(DbtTest(generic, name, {**base, **said}, {**config, **severity, **there}))
    return found


def _names(columns: Sequence[ColumnDesign], raw: str = "columns", source: str = "at_source") -> dict[str, list[str]]:
    found = {raw: [column.raw for column in columns]}
    originals = [literal(column.source.name) for column in columns]
    return found if originals == found[raw] else {**found, source: originals}


def _whole(columns: Iterable[ColumnDesign]) -> bool:
    return not any(column.masked for column in columns)


def _unique(where: str, columns: Sequence[str], config: Mapping[str, Any]) -> DbtTest:
    name = test_name("unique", where, *columns)
    if len(columns) == 1:
        return DbtTest("unique", name, {}, config, columns[0])
    return DbtTest("el_unique_together", name, {"columns": list(columns)}, config)


def _why_untested(table: TableDesign, key: ForeignKey, parent: TableDesign | None) -> str | None:
    """Why no test of the schema tables shows this foreign key, in words; None: one does."""
    if parent is None:
        return f"{key.references} is not taken"
    own, theirs = table.named(key.columns), parent.named(key.referenced_columns)
    if own is None or theirs is None:
        return "not all of its columns are taken"
    if parent.state is None:
        return f"no model has the current state of {key.references}"
    if not _whole((*own, *theirs)):
        return "a column of it is masked or cast"
    if any(column.ignores_accents for column in own):
        return "a column of it is compared without accents at the source, where it is tested"
    return f"not all rows of {key.references} are taken" if parent.filtered else None


def _relationship(
    table: TableDesign, where: str, key: ForeignKey, parent: TableDesign, now: Mapping[str, Any]
) -> DbtTest:
    own, theirs, model = table.named(key.columns), parent.named(key.referenced_columns), parent.state
    assert own is not None
    assert theirs is not None
    assert model is not None
    name = test_name("relationships", where, *(column.name for column in own), model.name)
    config = {**now, **_foreign_severity(key)}
    to = f"ref('{model.name}')"
    ignored = _ignored(own)
    if len(own) == 1 and not ignored:
        return DbtTest("relationships", name, {"to": to, "field": theirs[0].name}, config, own[0].name)
    arguments: dict[str, Any] = {
        "columns": [column.name for column in own],
        "to": to,
        "fields": [column.name for column in theirs],
    }
    return DbtTest("el_relationships_together", name, {**arguments, **ignored}, config)


def _ignored(columns: Sequence[ColumnDesign]) -> dict[str, bool]:
    """What plays no part at the source where these columns are compared, as arguments of a test."""
    if any(column.ignores_case for column in columns):
        return {"ignore_case": True}
    return {"ignore_blanks": True} if any(column.ignores_blanks for column in columns) else {}


def _foreign_severity(key: ForeignKey) -> dict[str, str]:
    return {} if key.enforced else {"severity": "warn"}


def _checks(table: TableDesign, dialect: Dialect) -> Iterable[tuple[str, Check, Translated]]:
    """Each CHECK with a name of its own."""
    columns = {column.source.name.lower(): column for column in table.columns}
    taken: set[str] = set()
    for check in table.table.checks:
        said = name = normalise(check.name or "check")
        while name in taken:
            name = f"{said}_{len(taken) + 1}"
        taken.add(name)
        yield name, check, translate(check.expression, dialect, columns)


def _once(tests: Sequence[DbtTest]) -> list[DbtTest]:
    """The same test twice is one (a unique index over a unique constraint); other namesakes are numbered."""
    found: dict[str, DbtTest] = {}
    for test in tests:
        name, number = test.name, 2
        while name in found and found[name].arguments != test.arguments:
            name, number = f"{test.name}_{number}", number + 1
        found[name] = DbtTest(test.generic, name, test.arguments, test.config, test.column)
    return list(found.values())
