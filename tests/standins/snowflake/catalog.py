"""INFORMATION_SCHEMA and SHOW as Snowflake answers them: row counts, views among the tables, comments, transience.

Tables that `tables.temporary_tables` stores under a session's own name are not shown.
"""

from __future__ import annotations

TEMPORARY_PREFIX = "_FS_TEMP_"
_HIDDEN = rf"NOT starts_with(%s, '{TEMPORARY_PREFIX}')"

TABLES_SQL = """
CREATE TABLE IF NOT EXISTS _fs_global._fs_information_schema._transient_tables (
    database_name VARCHAR, schema_name VARCHAR, name VARCHAR, PRIMARY KEY (database_name, schema_name, name)
);
"""

_FACTS = """
    LEFT JOIN _fs_global._fs_information_schema._fs_tables_ext AS e
      ON (o.database_name, o.schema_name, o.name) = (e.ext_table_catalog, e.ext_table_schema, e.ext_table_name)
"""
# the name '' is the schema itself
_IS_TRANSIENT = """(o.kind != 'VIEW' AND EXISTS (FROM _fs_global._fs_information_schema._transient_tables AS t
    WHERE (o.database_name, o.schema_name) = (t.database_name, t.schema_name) AND t.name IN (o.name, '')))"""
_INTEGERS = "'TINYINT', 'SMALLINT', 'INTEGER', 'BIGINT', 'HUGEINT', 'UTINYINT', 'USMALLINT', 'UINTEGER', 'UBIGINT'"


def whole_numbers_as_number(view: str) -> str:
    """fakesnow's view of all columns, with every integer type shown as the NUMBER(38, 0) it is on Snowflake.

    Times have the six digits that are kept of them.
    """
    shown = view.replace("columns.data_type='BIGINT'", f"columns.data_type IN ({_INTEGERS})")
    return (
        shown.replace(
            "case when columns.data_type='DOUBLE' then NULL else columns.numeric_scale",
            f"case when columns.data_type='DOUBLE' then NULL when columns.data_type IN ({_INTEGERS}) then 0 "
            "else columns.numeric_scale",
        )
        .replace(
            "COLLATION_NAME, IS_IDENTITY",
            "case when starts_with(columns.data_type, 'TIME') then 6 end as DATETIME_PRECISION,"
            " COLLATION_NAME, IS_IDENTITY",
        )
        .replace("create view if not exists", "create or replace view")
    )


def per_database_sql(database: str) -> str:
    """The view behind INFORMATION_SCHEMA.TABLES of one database."""
    columns = f"""
        o.database_name AS "TABLE_CATALOG", o.schema_name AS "TABLE_SCHEMA", o.name AS "TABLE_NAME",
        'SYSADMIN' AS "TABLE_OWNER", o.kind AS "TABLE_TYPE",
        CASE WHEN {_IS_TRANSIENT} THEN 'YES' ELSE 'NO' END AS "IS_TRANSIENT",
        NULL::VARCHAR AS "CLUSTERING_KEY", o.row_count AS "ROW_COUNT", 0::BIGINT AS "BYTES", 1 AS "RETENTION_TIME",
        'YES' AS "IS_INSERTABLE_INTO", 'YES' AS "IS_TYPED",
        to_timestamp(0)::timestamptz AS "CREATED", to_timestamp(0)::timestamptz AS "LAST_ALTERED",
        to_timestamp(0)::timestamptz AS "LAST_DDL", 'SYSADMIN' AS "LAST_DDL_BY", 'NO' AS "AUTO_CLUSTERING_ON",
        e.comment AS "COMMENT", 'NO' AS "IS_TEMPORARY", 'NO' AS "IS_ICEBERG", 'NO' AS "IS_DYNAMIC",
        'NO' AS "IS_IMMUTABLE", 'NO' AS "IS_HYBRID"
    """
    return f"""
    CREATE OR REPLACE VIEW {database}._fs_information_schema._fs_tables AS
    SELECT {columns} FROM (
        SELECT database_name, schema_name, table_name AS name, 'BASE TABLE' AS kind,
               standin_row_count(database_name, schema_name, table_name) AS row_count
        FROM duckdb_tables() WHERE NOT internal AND database_name = '{database}'
        UNION ALL
        SELECT database_name, schema_name, view_name, 'VIEW', NULL
        FROM duckdb_views() WHERE NOT internal AND database_name = '{database}'
    ) AS o
    {_FACTS}
    WHERE o.schema_name != '_fs_information_schema' AND {_HIDDEN % "o.name"};
    """


def _show(name: str, kinds: str, extra: str) -> str:
    return f"""
    CREATE OR REPLACE VIEW _fs_global._fs_information_schema.{name} AS
    SELECT to_timestamp(0)::timestamptz AS created_on, o.name AS name, {extra}
           o.database_name, o.schema_name, coalesce(e.comment, '') AS comment,
           '' AS cluster_by, o.row_count AS rows, 0::BIGINT AS bytes, 'SYSADMIN' AS owner, 1 AS retention_time,
           'ROLE' AS owner_role_type, 'N' AS is_hybrid, 'N' AS is_dynamic, 'N' AS is_iceberg
    FROM (
        SELECT database_name, schema_name, table_name AS name, 'TABLE' AS kind,
               standin_row_count(database_name, schema_name, table_name) AS row_count
        FROM duckdb_tables() WHERE NOT internal
        UNION ALL
        SELECT database_name, schema_name, view_name, 'VIEW', NULL FROM duckdb_views() WHERE NOT internal
    ) AS o
    {_FACTS}
    WHERE o.schema_name != '_fs_information_schema' AND o.database_name != '_fs_global'
      AND {_HIDDEN % "o.name"} AND o.kind IN ({kinds});
    """


_KIND = f"CASE WHEN {_IS_TRANSIENT} THEN 'TRANSIENT' ELSE o.kind END AS kind,"
SHOW_SQL = (
    _show("_fs_show_objects", "'TABLE', 'VIEW'", "o.kind AS kind,")
    + _show("_fs_show_tables", "'TABLE'", _KIND)
    + f"""
    CREATE OR REPLACE VIEW _fs_global._fs_information_schema._fs_show_views AS
    SELECT to_timestamp(0)::timestamptz AS created_on, o.view_name AS name, '' AS reserved, o.database_name,
           o.schema_name, 'SYSADMIN' AS owner, coalesce(e.comment, '') AS comment, o.sql AS text, false AS is_secure,
           false AS is_materialized, 'ROLE' AS owner_role_type, 'OFF' AS change_tracking
    FROM duckdb_views() AS o
    LEFT JOIN _fs_global._fs_information_schema._fs_tables_ext AS e
      ON (o.database_name, o.schema_name, o.view_name) = (e.ext_table_catalog, e.ext_table_schema, e.ext_table_name)
    WHERE NOT o.internal AND o.database_name != '_fs_global'
      AND o.schema_name NOT IN ('main', '_fs_information_schema') AND {_HIDDEN % "o.view_name"};
"""
)
