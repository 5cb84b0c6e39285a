"""What is made of each table before any text is written: names, types, keys, kinds of models.

Guarantees: names are unique where dbt needs them to be, the same at every run, and no reserved word; a table that two
models of one name would be made of is a `PlanError` that says which setting helps.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from el.codegen.pii import PII_STAGING, STAGING
from el.codegen.table_design import ColumnDesign, ModelDesign, TableDesign, TypeName
from el.config.settings import Config
from el.config.tables import ModelKind, TableSettings
from el.connectors.base import Source
from el.connectors.catalog import Catalog, TableName
from el.connectors.request import ReadRequest
from el.errors import PlanError
from el.planning.columns import ColumnPlan, key_of, plan_columns
from el.planning.documents import field_of, picked
from el.planning.drift import find_drift
from el.planning.held import HeldTable
from el.planning.keys import KEY_COLUMN, key_rule
from el.planning.naming import normalise
from el.planning.places import raw_names
from el.planning.selection import Chosen
from el.planning.strategies import TableContext, choose
from el.planning.target_names import RESERVED, free_name, target_schema

_OWN_MODELS = ("el_loads_taken",)


Named = tuple[ModelKind, str, str]
"""A model's kind, its schema, its name."""
Held = Callable[[Iterable[str]], Mapping[tuple[str, str], HeldTable]]
"""Raw schemas -> (raw schema, raw table) -> what it was last loaded with: a renamed column keeps its raw name."""


def nothing_held(_: Iterable[str]) -> Mapping[tuple[str, str], HeldTable]:
    """For a warehouse that was not asked."""
    return {}


@dataclass(frozen=True, slots=True)
class _Part:
    """What a table by itself decides of its design."""

    item: Chosen
    columns: tuple[ColumnDesign, ...]
    key: tuple[str, ...]  # names in staging
    told_by: tuple[str, ...]
    named: list[Named]  # its models
    picks: tuple[ColumnDesign, ...] = ()


def design(
    config: Config, source: Source, catalog: Catalog, chosen: Sequence[Chosen], held: Held = nothing_held
) -> list[TableDesign]:
    """All tables. Raises `PlanError` with one line for each problem."""
    if config.raw.naming != "snake_case":
        raise PlanError("codegen needs `raw: {naming: snake_case}`: with names preserved every model would quote them")
    raw = raw_names(config, chosen)
    before = held(sorted({schema for schema, _ in raw.values()}))
    parts: list[_Part] = []
    problems: list[str] = []
    for item in chosen:
        place = raw[item.table.name]
        try:
            parts.append(_Designer(config, source, catalog).part(item, place, before.get(place)))
        except PlanError as error:
            problems.append(str(error))
    if problems:
        raise PlanError("; ".join(problems))
    _refuse_doubles(parts)
    _refuse_raw({schema.lower() for schema, _ in raw.values()}, parts)
    names = _Names.of(raw, parts)
    return [_designed(config, part, raw[part.item.table.name], names) for part in parts]


@dataclass(frozen=True, slots=True)
class _Designer:
    """Decides about one table after the other."""

    config: Config
    source: Source
    catalog: Catalog

    def part(self, item: Chosen, place: tuple[str, str], held: HeldTable | None) -> _Part:
        """Raises `PlanError` for a table that cannot be taken. held: what raw was last loaded with."""
        if item.error is not None:
            raise item.error
        plans = plan_columns(self.config, self.source, item.table, item.settings)
        plans = find_drift(held, item.table, plans, self.config.raw.naming).columns
        columns = _columns(self.source, plans, item)
        renamed = {column.raw: column.name for column in columns}
        raw_key = key_of(item.table, item.settings, plans)
        key = tuple(renamed[name] for name in raw_key)
        equal = key_rule(self.source, plans, raw_key, by_bytes="keys_by_bytes" in item.settings.accept)
        kinds = self._kinds(item, key)
        schema = target_schema(self.config, item.table.name, item.settings.model)
        base = free_name(place[1], set(_OWN_MODELS))
        suffixes = {ModelKind.HISTORY: "_history", ModelKind.LOG: "_log"}
        named = [(kind, schema, base + suffixes.get(kind, "")) for kind in kinds]
        picks = _picks(self.config, self.source, item, columns)
        return _Part(item, columns, key, (KEY_COLUMN,) if equal else key, named, picks)

    def _kinds(self, item: Chosen, key: tuple[str, ...]) -> tuple[ModelKind, ...]:
        wanted = item.settings.model.kind
        keyed = {ModelKind.CURRENT, ModelKind.HISTORY} & set(wanted)
        if keyed and not key:
            raise PlanError(f"{item.table.name} has no key for `model: {keyed.pop()}`; give it one with `key`")
        if wanted:
            return wanted
        if key:
            return (ModelKind.CURRENT,)
        request, rules = ReadRequest(table=item.table.name), self.source.rules
        context = TableContext(item.table, item.settings, request, self.catalog, rules)
        strategy, _ = choose(item.settings.strategy or self.config.defaults.strategy, context, self.source)
        return (ModelKind.SNAPSHOT if strategy.name == "full" else ModelKind.LOG,)


@dataclass(frozen=True, slots=True)
class _Names:
    """Which names are taken more than once in the whole project."""

    tables: Counter[str]  # raw table -> how many source tables
    models: Counter[str]  # a model's name -> how many
    origins: Mapping[str, set[str]]  # raw schema -> the source schemas that land in it

    @classmethod
    def of(cls, raw: Mapping[TableName, tuple[str, str]], parts: Sequence[_Part]) -> _Names:
        origins: dict[str, set[str]] = {}
        for part in parts:
            name = part.item.table.name
            origins.setdefault(raw[name][0], set()).add(name.schema)
        tables = Counter(raw[part.item.table.name][1] for part in parts)
        return cls(tables, Counter(name for part in parts for _, _, name in part.named), origins)


def _designed(config: Config, part: _Part, place: tuple[str, str], names: _Names) -> TableDesign:
    raw_schema, raw_table = place
    item, settings = part.item, part.item.settings.model
    schema_part = normalise(item.table.name.schema)
    staging = raw_table if names.tables[raw_table] == 1 else f"{schema_part}__{raw_table}"
    models = tuple(
        ModelDesign(
            kind,
            name if names.models[name] == 1 else f"{schema}__{name}",
            name,
            schema,
            flagged=kind is ModelKind.CURRENT and settings.deleted == "flag",
        )
        for kind, schema, name in part.named
    )
    return TableDesign(
        table=item.table,
        # The source's tests run in one schema of the source.
        source_name=raw_schema if len(names.origins[raw_schema]) == 1 else f"{raw_schema}__{schema_part}",
        raw_schema=raw_schema,
        raw_table=raw_table,
        staging=f"stg_{normalise(config.source)}__{staging}",
        columns=part.columns,
        key=part.key,
        models=models,
        frozen=(item.settings.contract or config.defaults.contract) == "freeze",
        cluster_by=settings.cluster_by or (),
        filtered=bool(item.settings.filters),
        told_by=part.told_by,
        ordered_by=_ordered_by(part),
        picks=part.picks,
    )


def _ordered_by(part: _Part) -> str | None:
    cursor = part.item.table.column(part.item.settings.cursor) if part.item.settings.cursor else None
    return next((column.name for column in part.columns if column.source == cursor), None)


def staging_names(plans: Sequence[ColumnPlan]) -> dict[str, str]:
    """A column's name in raw -> its name in staging and in the schema tables."""
    taken = {plan.name for plan in plans if plan.name not in RESERVED}
    found = {}
    for plan in plans:
        found[plan.name] = plan.name if plan.name in taken else free_name(plan.name, taken)
        taken.add(found[plan.name])
    return found


def _columns(source: Source, plans: Sequence[ColumnPlan], item: Chosen) -> tuple[ColumnDesign, ...]:
    names = staging_names(plans)
    found = []
    for plan in plans:
        settings = item.settings.columns.get(plan.source.name)
        type_ = TypeName(plan.mapping.target_duckdb.lower(), plan.mapping.target_snowflake.lower())
        found.append(
            ColumnDesign(
                source=plan.source,
                raw=plan.name,
                name=names[plan.name],
                type=type_,
                facts=source.facts(plan.source.type),
                compared=source.text_rule(plan.source),
                text=type_.common == "varchar",
                exact=plan.mapping.exact,
                masked=bool(settings and (settings.mask or settings.cast)),
                pii=settings.pii if settings else None,
                field=field_of(source, plan.source),
            )
        )
    return tuple(found)


def _picks(config: Config, source: Source, item: Chosen, columns: Sequence[ColumnDesign]) -> tuple[ColumnDesign, ...]:
    """The fields that staging alone has."""
    fields = picked(source, item.table, item.settings)
    if not fields:
        return ()
    table = replace(item.table, columns=fields, primary_key=None)
    settings = TableSettings.model_construct(name=item.settings.name)
    made = _columns(
        source, plan_columns(config, source, table, settings), replace(item, table=table, settings=settings)
    )
    taken = {column.name for column in columns}
    if doubled := sorted(taken & {column.name for column in made}):
        raise PlanError(f"{item.table.name}: pick: {doubled[0]!r} is a column of the table already: take another name")
    return tuple(replace(column, in_raw=False) for column in made)


def _refuse_doubles(parts: Sequence[_Part]) -> None:
    owners: dict[tuple[str, str], TableName] = {}
    for part in parts:
        for _, schema, name in part.named:
            owner = owners.setdefault((schema, name), part.item.table.name)
            if owner != part.item.table.name:
                raise PlanError(
                    f"{owner} and {part.item.table.name} would both become {schema}.{name}; "
                    "set `rename` or `model: {schema: ...}` for one of them"
                )


def _refuse_raw(raw: set[str], parts: Sequence[_Part]) -> None:
    """dbt would put what it builds in the place of what was landed."""
    for schema in {STAGING, PII_STAGING} & raw:
        raise PlanError(f"raw tables and staging views would both be in schema {schema}; set `raw: {{schema: ...}}`")
    for part in parts:
        for _, schema, name in part.named:
            if schema.lower() in raw:
                raise PlanError(
                    f"{part.item.table.name} would become {schema}.{name}, and {schema} is a raw schema; "
                    "set `dbt: {schema: ...}`, or `model: {schema: ...}` for this table"
                )
