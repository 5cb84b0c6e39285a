"""What el.yml makes of documents: fields that are promoted to columns, arrays that get a table of their own.

Guarantee: raw's columns are those that el.yml names, whatever the documents hold.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from el.config.tables import StrategyName, TableSettings
from el.connectors.base import Source
from el.connectors.catalog import Column, Key, SourceType, Table, TableName, Unnests
from el.connectors.documents import DOCUMENT, INDEX, DocumentSource, field_column
from el.connectors.documents.text import steps_of
from el.connectors.type_rules import find_rule
from el.errors import PlanError
from el.types.rule import TypeKind


def promoted(source: Source, table: Table, settings: TableSettings) -> Table:
    """The table with the fields that el.yml promotes as columns. Raises `PlanError` for what cannot be."""
    if settings.unnest or table.unnests is not None:
        _check_unnest(source, table, settings)
    _refuse_shown(table, settings)
    picked(source, table, settings)
    if not settings.promote:
        return table
    _need_document(source, table, "promote")
    columns = list(table.columns)
    for name, wanted in settings.promote.items():
        if table.column(name) is not None:
            raise PlanError(f"{table.name}: promote: {name!r} is a column of the table already: take another name")
        try:
            type_ = source.parse_type(wanted.type)
            columns.append(field_column(name, wanted.path, _checked(source, type_)))
        except ValueError as error:
            raise PlanError(f"{table.name}.{name}: promote: {error}") from None
    return replace(table, columns=tuple(columns))


def picked(source: Source, table: Table, settings: TableSettings) -> tuple[Column, ...]:
    """The fields that staging takes out of the document, which raw has not. Raises `PlanError` for what cannot be."""
    if not settings.pick:
        return ()
    _need_document(source, table, "pick")
    whole = settings.columns.get(DOCUMENT)
    if whole is not None and (whole.exclude or whole.pii is not None or whole.mask):
        raise PlanError(f"{table.name}: pick: fields are taken out of `{DOCUMENT}`, which is not there in the clear")
    assert isinstance(source, DocumentSource)
    found = []
    for name, wanted in settings.pick.items():
        if table.column(name) is not None or name in settings.promote:
            raise PlanError(f"{table.name}: pick: {name!r} is a column of the table already: take another name")
        try:
            column = field_column(name, wanted.path, _checked(source, source.parse_type(wanted.type)))
            field = field_of(source, column)
            if field is None:
                raise ValueError(f"dbt does not know this store's documents: promote {wanted.path} instead")
            if field.type == "json":
                raise ValueError("a warehouse writes the numbers of a part anew: promote it, or give its fields types")
        except ValueError as error:
            raise PlanError(f"{table.name}.{name}: pick: {error}") from None
        found.append(column)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class PickedField:
    """A field as the dbt project's macros are asked for it. type: by the first of its names, "decimal(18,2)"."""

    steps: tuple[str, ...]
    type: str
    form: str


def field_of(source: Source, column: Column) -> PickedField | None:
    """How dbt picks a promoted or picked field out of its document; None of what is none, or dbt does not know."""
    if column.path is None or not isinstance(source, DocumentSource) or not source.form.name:
        return None
    steps, rule = steps_of(column.path), find_rule(source.scheme, column.type)
    # DuckDB takes it for any name.
    if rule is None or "*" in steps:
        return None
    digits = f"({column.type.precision},{column.type.scale or 0})" if rule.kind is TypeKind.DECIMAL else ""
    return PickedField(steps, rule.shown + digits, source.form.name)


def unnested(source: Source, table: Table, path: str) -> Table:
    """The table of an array's elements: the key of their document, their place in it, and what they are."""
    _need_document(source, table, "unnest")
    if table.primary_key is None:
        raise PlanError(f"{table.name}: unnest: the table has no key by which an element names its document")
    try:
        last = field_column(path, path, SourceType(DOCUMENT)).name.replace(".", "_").replace('"', "")
    except ValueError as error:
        raise PlanError(f"{table.name}: unnest: {error}") from None
    key = table.primary_key.columns
    columns = [column for column in table.columns if column.name in key]
    columns += [Column(INDEX, SourceType(INDEX), nullable=False), Column(DOCUMENT, SourceType(DOCUMENT))]
    return Table(
        TableName(table.name.schema, f"{table.name.name}_{last}"),
        tuple(columns),
        primary_key=Key("key", (*key, INDEX)),
        consistency=table.consistency,
        unnests=Unnests(table.name, path),
    )


def proposals(source: Source, table: Table) -> list[str]:
    """What a sample of the table's documents has beside what is promoted, for the plan to say."""
    if not isinstance(source, DocumentSource) or table.unnests is not None:
        return []
    known = {column.path for column in table.columns}
    return [f"seen in documents: {each}" for each in source.propose(table) if each.path not in known]


def _checked(source: Source, type_: SourceType) -> SourceType:
    rule = find_rule(source.scheme, type_)
    if rule is None or rule.exact is None or rule.exact.read_as is None:
        raise ValueError(f"{type_} is no type of a field")
    if rule.exact.arrow is not None and callable(rule.exact.arrow):
        precision = type_.precision or 0
        if not 0 < precision <= 38 or not 0 <= (type_.scale or 0) <= precision:
            raise ValueError(f"{type_} needs its digits, 38 at most, such as decimal(18,2)")
    return type_


def _refuse_shown(table: Table, settings: TableSettings) -> None:
    """A field that is left out or personal stands in the document all the same."""
    whole = settings.columns.get(DOCUMENT)
    if table.column(DOCUMENT) is None or (whole is not None and (whole.exclude or whole.pii is not None)):
        return
    for name in settings.promote:
        chosen = settings.columns.get(name)
        if chosen is not None and (chosen.exclude or chosen.pii is not None):
            raise PlanError(
                f"{table.name}.{name}: it is left out or personal, and stands in `{DOCUMENT}` in the clear: exclude "
                f"`{DOCUMENT}` too, or give it a `pii`"
            )


def _need_document(source: Source, table: Table, setting: str) -> None:
    if not isinstance(source, DocumentSource):
        raise PlanError(f"{table.name}: {setting}: {source.scheme} has no documents: name its columns instead")
    if table.column(DOCUMENT) is None:
        raise PlanError(f"{table.name}: {setting}: the table has no documents: its columns are as they are")


def _check_unnest(source: Source, table: Table, settings: TableSettings) -> None:
    if settings.unnest:
        _need_document(source, table, "unnest")
    if table.unnests is None:
        return
    if settings.unnest:
        raise PlanError(f"{table.name}: unnest: an array in an element of an array stays JSON")
    if settings.cursor is not None or settings.strategy not in (None, StrategyName.AUTO, StrategyName.FULL):
        raise PlanError(
            f"{table.name}: elements are read as whole snapshots alone: of a document that has fewer of them than "
            "before, no change tells which are gone. Leave out `strategy` and `cursor`"
        )
