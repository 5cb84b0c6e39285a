"""What codegen makes of a table, as values: its names, types, key, models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from el.config.tables import ModelKind
from el.connectors.catalog import Column, Table
from el.planning.documents import PickedField
from el.types.key_text import TextRule
from el.types.rule import TypeFacts, TypeKind

DOCUMENT = "document"  # the type of a whole document
LANDING = ("_dlt_load_id", "_el_op", "_el_position", "_el_extracted_at")
_ONE_NAME = {("double", "float"): "double", ("blob", "binary"): "binary"}


@dataclass(frozen=True, slots=True)
class TypeName:
    """A type as both warehouses call it, in lower case."""

    duckdb: str
    snowflake: str

    @property
    def is_document(self) -> bool:
        """Whether raw has it as text of JSON, and staging as a document."""
        return (self.duckdb, self.snowflake) == ("json", "variant")

    @property
    def common(self) -> str | None:
        """The one name that both understand, if there is one."""
        if self.duckdb == self.snowflake:
            return self.duckdb
        if self.snowflake == self.duckdb.replace("decimal(", "number("):
            return self.duckdb
        return _ONE_NAME.get((self.duckdb, self.snowflake))


@dataclass(frozen=True, slots=True)
class ColumnDesign:
    """One column: at the source, in raw, in staging and the schema tables."""

    source: Column
    raw: str
    name: str
    type: TypeName
    # What is known of the source's type; and how the source compares its text, None: by its bytes.
    facts: TypeFacts
    compared: TextRule | None
    text: bool
    exact: bool
    masked: bool  # its values are not the source's
    pii: str | None = None  # which personal data it holds
    field: PickedField | None = None  # how it is taken out of the document
    in_raw: bool = True

    @property
    def required(self) -> bool:
        """Whether NULL cannot be."""
        return not self.source.nullable and not self.masked

    @property
    def as_text(self) -> bool:
        """Whether text stands for what is none, in one of the warehouses at least: it compares in another way."""
        return "varchar" in (self.type.duckdb, self.type.snowflake) and self.facts.kind is not TypeKind.TEXT

    @property
    def ignores_case(self) -> bool:
        """Whether the source compares its text without case."""
        return self.text and self.compared is not None and self.compared.case is not None

    @property
    def ignores_blanks(self) -> bool:
        """Whether blanks at the end do not count where the source compares its text."""
        return self.text and self.compared is not None and self.compared.pads

    @property
    def ignores_accents(self) -> bool:
        """Whether the source compares its text without accents, which no warehouse does as it does."""
        found = self.compared
        return self.text and found is not None and (found.accents or found.accents_unsure)


@dataclass(frozen=True, slots=True)
class ModelDesign:
    """One table of a target schema: `name` in dbt, `alias` in the warehouse."""

    kind: ModelKind
    name: str
    alias: str
    schema: str
    flagged: bool = False


@dataclass(frozen=True, slots=True)
class TableDesign:
    """A table and all that is made of it."""

    table: Table
    source_name: str  # dbt's
    raw_schema: str
    raw_table: str
    staging: str
    columns: tuple[ColumnDesign, ...]
    key: tuple[str, ...]  # names in staging
    models: tuple[ModelDesign, ...]
    frozen: bool
    cluster_by: tuple[str, ...]
    filtered: bool = False  # not all of its rows are taken
    # The columns by which its keys are told apart: the key, or what raw has for it where it does not compare by bytes.
    told_by: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)
    ordered_by: str | None = None  # the column, by its name in staging, of which `_el_position` is the text
    picks: tuple[ColumnDesign, ...] = ()  # fields of the document, which raw has not as columns

    @property
    def shown(self) -> tuple[ColumnDesign, ...]:
        """All columns of staging and the schema tables, but el's own."""
        return (*self.columns, *self.picks)

    @property
    def document(self) -> ColumnDesign | None:
        """The column with the whole document, if raw has one."""
        return next((c for c in self.columns if c.source.type.name == DOCUMENT and not c.masked), None)

    def named(self, names: Sequence[str]) -> tuple[ColumnDesign, ...] | None:
        """The columns of these source names; None if one of them is not taken."""
        found = {column.source.name: column for column in self.columns}
        return tuple(found[name] for name in names) if all(name in found for name in names) else None

    @property
    def state(self) -> ModelDesign | None:
        """The model that says what is there now: current or snapshot, else history."""
        for kinds in ((ModelKind.CURRENT, ModelKind.SNAPSHOT), (ModelKind.HISTORY,)):
            for model in self.models:
                if model.kind in kinds:
                    return model
        return None
