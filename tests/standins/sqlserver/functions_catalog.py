"""T-SQL's functions over the catalog. Microsoft Learn, "Metadata functions (Transact-SQL)"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from . import lookup
from .convert import Bound, convert
from .function_registry import FUNCTIONS, Handler, function, text
from .sqltypes import GUID, INT, NMAX, SYSNAME, SqlType

if TYPE_CHECKING:
    from .binder import Binder
    from .scope import Scope

DATETIME2 = SqlType("datetime2", None, None, 7)


@function("NEWID", "NEWSEQUENTIALID")
def new_id(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    return Bound("upper(CAST(uuid() AS VARCHAR))", GUID)


@function("SQL_VARIANT_PROPERTY")
def variant_property(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    value, which = binder.value(args[0], scope), args[1].name.lower()
    if value.type is None or value.type.family != "var":
        value = convert(value, SqlType("sql_variant"))
    base = f"({value.sql}).b"
    number = f"TRY_CAST(regexp_extract({base}, '\\((\\d+)', 1) AS INTEGER)"
    if which == "basetype":
        return convert(Bound(f"regexp_extract({base}, '^[a-z]+2?')", SYSNAME), SqlType("sql_variant"))
    if which == "maxlength":
        return convert(Bound(f"CASE WHEN {base} LIKE 'n%' THEN 2 ELSE 1 END * {number}", INT), SqlType("sql_variant"))
    if which in ("precision", "scale"):
        second = f"TRY_CAST(regexp_extract({base}, ',(\\d+)', 1) AS INTEGER)"
        return convert(Bound(number if which == "precision" else second, INT), SqlType("sql_variant"))
    return Bound("CAST(NULL AS STRUCT(b VARCHAR, v VARCHAR))", SqlType("sql_variant"))


def _catalog(column: str, kind: SqlType, table: str, condition: str) -> Handler:
    def handler(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
        bound = binder.values(args, scope)
        where = condition.format(
            *(convert(b, INT if b.type is None or b.type.family != "str" else NMAX).sql for b in bound)
        )
        db = binder.session.quoted_database
        return Bound(f"(SELECT {column} FROM {db}.cat.{table} WHERE {where} LIMIT 1)", kind)

    return handler


_SCHEMA_OF = (
    "(SELECT x.name FROM {db}.cat.objects o JOIN {db}.cat.schemas x ON x.schema_id = o.schema_id WHERE "
    "o.object_id = {id})"
)
FUNCTIONS["OBJECT_NAME"] = _catalog("name", SYSNAME, "objects", "object_id = {0}")
FUNCTIONS["OBJECT_DEFINITION"] = _catalog(
    "json_extract_string(body, '$.definition')", NMAX, "objects", "object_id = {0}"
)
FUNCTIONS["COL_NAME"] = _catalog("name", SYSNAME, "columns", "object_id = {0} AND column_id = {1}")


@function("OBJECT_SCHEMA_NAME")
def object_schema_name(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    return Bound(_SCHEMA_OF.format(db=binder.session.quoted_database, id=binder.value(args[0], scope).sql), SYSNAME)


@function("SCHEMA_NAME")
def schema_name(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    if not args:
        return Bound("'dbo'", SYSNAME, "dbo")
    return _catalog("name", SYSNAME, "schemas", "schema_id = {0}")(binder, args, scope)


@function("SCHEMA_ID")
def schema_id(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    if not args:
        return Bound("1", INT, 1)
    return _catalog("schema_id", INT, "schemas", "lower(name) = lower({0})")(binder, args, scope)


@function("OBJECT_ID")
def object_id(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    value = binder.value(args[0], scope)
    kind = str(binder.value(args[1], scope).constant or "").strip().upper() if len(args) > 1 else ""
    if value.constant is not None:
        found = lookup.object_id(binder.session, str(value.constant), kind)
        return Bound("CAST(NULL AS INTEGER)" if found is None else str(found), INT, found)
    db = binder.session.quoted_database
    name = f"lower(replace(replace(replace({text(value).sql}, '[', ''), ']', ''), '\"', ''))"
    return Bound(
        f"(SELECT o.object_id FROM {db}.cat.objects o JOIN {db}.cat.schemas x ON x.schema_id = o.schema_id WHERE "
        f"lower(x.name || '.' || o.name) = {name} OR (x.name = 'dbo' AND lower(o.name) = {name}) LIMIT 1)",
        INT,
    )


@function("TYPE_NAME")
def type_name(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    from .sqltypes import SYSTEM_TYPES

    whens = " ".join(f"WHEN {ids[1]} THEN '{name}'" for name, ids in SYSTEM_TYPES.items())
    return Bound(f"CASE {binder.value(args[0], scope).sql} {whens} END", SYSNAME)


@function("TYPE_ID")
def type_id(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    from .sqltypes import SYSTEM_TYPES

    whens = " ".join(f"WHEN '{name}' THEN {ids[1]}" for name, ids in SYSTEM_TYPES.items())
    return Bound(f"CASE lower({binder.value(args[0], scope).sql}) {whens} END", INT)


@function("COLUMNPROPERTY")
def column_property(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    which = str(binder.value(args[2], scope).constant).lower()
    column = {
        "isidentity": "CAST(is_identity AS INTEGER)",
        "iscomputed": "CAST(is_computed AS INTEGER)",
        "allowsnull": "CAST(is_nullable AS INTEGER)",
        "columnid": "column_id",
        "precision": "CAST(precision AS INTEGER)",
        "scale": "CAST(scale AS INTEGER)",
        "ordinal": "column_id",
        "charmaxlen": "CAST(max_length AS INTEGER)",
    }.get(which, "0")
    return _catalog(column, INT, "columns", "object_id = {0} AND lower(name) = lower({1})")(binder, args[:2], scope)


@function("OBJECTPROPERTY", "OBJECTPROPERTYEX")
def object_property(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    which = str(binder.value(args[1], scope).constant).lower()
    kinds = {"istable": "'U'", "isusertable": "'U'", "isview": "'V'", "isprimarykey": "'PK'", "isforeignkey": "'F'"}
    if which == "tablehasprimarykey":
        column = (
            "CAST(EXISTS (SELECT 1 FROM {db}.cat.indexes i WHERE i.object_id = objects.object_id AND "
            "is_primary_key) AS INTEGER)"
        )
    elif which == "tablehasidentity":
        column = (
            "CAST(EXISTS (SELECT 1 FROM {db}.cat.columns i WHERE i.object_id = objects.object_id AND "
            "is_identity) AS INTEGER)"
        )
    else:
        column = f"CAST(type IN ({kinds.get(which, '')}) AS INTEGER)" if which in kinds else "0"
    column = column.replace("{db}", binder.session.quoted_database)
    return _catalog(column, INT, "objects", "object_id = {0}")(binder, args[:1], scope)


@function("INDEXPROPERTY")
def zero(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
    return Bound("0", INT, 0)
