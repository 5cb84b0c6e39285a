"""INFORMATION_SCHEMA over the catalog. Microsoft Learn, "System information schema views", one page each."""

from __future__ import annotations

from .views import ACTION, VIEWS, view

__all__ = ["VIEWS"]

_S = "JOIN {db}.cat.schemas s ON s.schema_id = o.schema_id"
view(
    "information_schema.schemata",
    "catalog_name nvarchar(128)='{name}'; schema_name nvarchar(128)=name; schema_owner nvarchar(128)='dbo'",
    "FROM {db}.cat.schemas",
)
view(
    "information_schema.tables",
    "TABLE_CATALOG nvarchar(128)='{name}'; TABLE_SCHEMA nvarchar(128)=s.name; TABLE_NAME "
    "sysname=o.name; TABLE_TYPE varchar(10)=CASE o.type WHEN 'U' THEN 'BASE TABLE' ELSE 'VIEW' END",
    f"FROM {{db}}.cat.objects o {_S} WHERE o.type IN ('U', 'V')",
)
view(
    "information_schema.views",
    "TABLE_CATALOG nvarchar(128)='{name}'; TABLE_SCHEMA nvarchar(128)=s.name; TABLE_NAME "
    "sysname=o.name; VIEW_DEFINITION nvarchar(4000)=json_extract_string(o.body, '$.definition'); CHECK_OPTION "
    "varchar(7)='NONE'; "
    "IS_UPDATABLE varchar(2)='NO'",
    f"FROM {{db}}.cat.objects o {_S} WHERE o.type = 'V'",
)
_NUMERIC = "('tinyint', 'smallint', 'int', 'bigint', 'decimal', 'numeric', 'money', 'smallmoney', 'float', 'real')"
_TIMES = "('date', 'time', 'datetime', 'smalldatetime', 'datetime2', 'datetimeoffset')"
_LENGTH = (
    "CASE WHEN c.type_name IN ('text', 'image') THEN 2147483647 WHEN c.type_name = 'ntext' THEN 1073741823 WHEN "
    "c.type_name IN "
    "('nchar', 'nvarchar') AND c.max_length > 0 THEN c.max_length // 2 WHEN c.type_name IN ('char', 'varchar', "
    "'nchar', "
    "'nvarchar', 'binary', 'varbinary', 'xml') THEN c.max_length END"
)
view(
    "information_schema.columns",
    "TABLE_CATALOG nvarchar(128)='{name}'; TABLE_SCHEMA nvarchar(128)=s.name; TABLE_NAME "
    "nvarchar(128)=o.name; COLUMN_NAME sysname=c.name; ORDINAL_POSITION int=row_number() OVER (PARTITION BY "
    "c.object_id ORDER BY "
    "c.column_id); COLUMN_DEFAULT nvarchar(4000)=c.default_text; IS_NULLABLE varchar(3)=CASE WHEN c.is_nullable "
    "THEN 'YES' ELSE "
    f"'NO' END; DATA_TYPE nvarchar(128)=c.type_name; CHARACTER_MAXIMUM_LENGTH int={_LENGTH}; CHARACTER_OCTET_LENGTH "
    "int=CASE WHEN "
    f"{_LENGTH} IS NULL THEN NULL WHEN c.type_name = 'ntext' THEN 2147483646 WHEN c.type_name IN ('text', 'image') "
    "THEN 2147483647 "
    f"ELSE c.max_length END; NUMERIC_PRECISION tinyint=CASE WHEN c.type_name IN {_NUMERIC} THEN c.precision END; "
    "NUMERIC_PRECISION_RADIX smallint=CASE WHEN c.type_name IN ('float', 'real') THEN 2 WHEN c.type_name IN "
    f"{_NUMERIC} THEN 10 END; NUMERIC_SCALE int=CASE WHEN c.type_name IN ('float', 'real') THEN NULL WHEN "
    f"c.type_name IN {_NUMERIC} "
    f"THEN c.scale END; DATETIME_PRECISION smallint=CASE WHEN c.type_name IN {_TIMES} THEN c.scale END; "
    "CHARACTER_SET_CATALOG "
    "sysname=NULL; CHARACTER_SET_SCHEMA sysname=NULL; CHARACTER_SET_NAME sysname=CASE WHEN c.is_text THEN CASE WHEN "
    "c.type_name "
    "LIKE 'n%' THEN 'UNICODE' ELSE 'iso_1' END END; COLLATION_NAME sysname=CASE WHEN c.is_text THEN "
    "c.collation_name END",
    f"FROM {{db}}.cat.columns c JOIN {{db}}.cat.objects o ON o.object_id = c.object_id {_S}",
)
_CONSTRAINT = (
    "CONSTRAINT_CATALOG nvarchar(128)='{name}'; CONSTRAINT_SCHEMA nvarchar(128)=s.name; CONSTRAINT_NAME "
    "sysname=o.name; "
    "TABLE_CATALOG nvarchar(128)='{name}'; TABLE_SCHEMA nvarchar(128)=s.name; TABLE_NAME sysname=p.name"
)
_PARENT = f"{_S} JOIN {{db}}.cat.objects p ON p.object_id = o.parent_object_id"
view(
    "information_schema.table_constraints",
    _CONSTRAINT + "; CONSTRAINT_TYPE varchar(11)=CASE o.type WHEN 'PK' THEN 'PRIMARY KEY' "
    "WHEN 'UQ' THEN 'UNIQUE' WHEN 'F' THEN 'FOREIGN KEY' ELSE 'CHECK' END; IS_DEFERRABLE varchar(2)='NO'; "
    "INITIALLY_DEFERRED "
    "varchar(2)='NO'",
    f"FROM {{db}}.cat.objects o {_PARENT} WHERE o.type IN ('PK', 'UQ', 'F', 'C')",
)
_KEYS = (
    "(SELECT i.key_object_id AS constraint_id, i.object_id, k.column_id, CAST(k.key_ordinal AS INTEGER) AS position "
    "FROM "
    "{db}.cat.indexes i JOIN {db}.cat.index_columns k ON k.object_id = i.object_id AND k.index_id = i.index_id WHERE "
    "i.key_object_id > 0 AND k.key_ordinal > 0 UNION ALL SELECT constraint_object_id, parent_object_id, "
    "parent_column_id, "
    "constraint_column_id FROM {db}.cat.foreign_key_columns)"
)
_USAGE = (
    f"FROM {_KEYS} k JOIN {{db}}.cat.objects o ON o.object_id = k.constraint_id {_PARENT} JOIN {{db}}.cat.columns c ON "
    "c.object_id = k.object_id AND c.column_id = k.column_id"
)
view(
    "information_schema.key_column_usage",
    _CONSTRAINT + "; COLUMN_NAME sysname=c.name; ORDINAL_POSITION int=k.position",
    _USAGE,
)
view("information_schema.constraint_column_usage", _CONSTRAINT + "; COLUMN_NAME sysname=c.name", _USAGE)
view(
    "information_schema.referential_constraints",
    "CONSTRAINT_CATALOG nvarchar(128)='{name}'; CONSTRAINT_SCHEMA "
    "nvarchar(128)=s.name; CONSTRAINT_NAME sysname=o.name; UNIQUE_CONSTRAINT_CATALOG nvarchar(128)='{name}'; "
    "UNIQUE_CONSTRAINT_SCHEMA nvarchar(128)=rs.name; UNIQUE_CONSTRAINT_NAME sysname=i.name; MATCH_OPTION "
    "varchar(7)='SIMPLE'; "
    "UPDATE_RULE varchar(11)=replace("
    + ACTION.format("f.on_update")
    + ", '_', ' '); DELETE_RULE varchar(11)=replace("
    + ACTION.format("f.on_delete")
    + ", '_', ' ')",
    f"FROM {{db}}.cat.foreign_keys f JOIN {{db}}.cat.objects o ON o.object_id = f.object_id {_S} JOIN "
    f"{{db}}.cat.objects r ON "
    "r.object_id = f.referenced_object_id JOIN {db}.cat.schemas rs ON rs.schema_id = r.schema_id LEFT JOIN (SELECT "
    "object_id, name "
    "FROM {db}.cat.indexes WHERE is_primary_key) i ON i.object_id = f.referenced_object_id",
)
view(
    "information_schema.check_constraints",
    "CONSTRAINT_CATALOG nvarchar(128)='{name}'; CONSTRAINT_SCHEMA nvarchar(128)=s.name; "
    "CONSTRAINT_NAME sysname=o.name; CHECK_CLAUSE nvarchar(4000)=c.definition",
    f"FROM {{db}}.cat.checks c JOIN {{db}}.cat.objects o ON o.object_id = c.object_id {_S}",
)
