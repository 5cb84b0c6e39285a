"""The queries that SQL Server's catalog views are asked: one a view, whatever the number of tables.

"{within}" stands for the condition that holds a query to the schemas that are wanted, "{more}" for what a newer server
or a login of more rights is asked besides (`fullest`). Sources: Microsoft Learn, "Object Catalog Views", "Change
Tracking Catalog Views".
"""

from __future__ import annotations

SCHEMAS = """
SELECT schema_id, name FROM sys.schemas WHERE name NOT IN ('sys', 'information_schema_tsql', 'cdc')
"""

TABLES = """
SELECT object_id, schema_id, name, {more} FROM sys.tables WHERE is_ms_shipped = 0{within}
"""

VIEWS = """
SELECT object_id, schema_id, name, {more} FROM sys.views WHERE is_ms_shipped = 0{within}
"""

COLUMNS = """
SELECT object_id, column_id, name, user_type_id, system_type_id, max_length, precision, scale, is_nullable,
       collation_name, {more}
FROM sys.columns{within}
"""

TYPES = """
SELECT user_type_id, name, is_assembly_type FROM sys.types
"""

COMPUTED = """
SELECT s.name, o.name, c.name, c.definition
FROM sys.computed_columns AS c
JOIN sys.objects AS o ON o.object_id = c.object_id
JOIN sys.schemas AS s ON s.schema_id = o.schema_id
"""

DEFAULTS = """
SELECT s.name, o.name, c.name, d.definition
FROM sys.default_constraints AS d
JOIN sys.objects AS o ON o.object_id = d.parent_object_id
JOIN sys.schemas AS s ON s.schema_id = o.schema_id
JOIN sys.columns AS c ON c.object_id = d.parent_object_id AND c.column_id = d.parent_column_id
"""

CHECKS = """
SELECT s.name, o.name, k.name, k.definition, k.is_disabled, k.is_not_trusted
FROM sys.check_constraints AS k
JOIN sys.objects AS o ON o.object_id = k.parent_object_id
JOIN sys.schemas AS s ON s.schema_id = o.schema_id
ORDER BY s.name, o.name, k.name
"""

ROWS = """
SELECT object_id, index_id, rows, partition_number, partition_id FROM sys.partitions{within}
"""

BYTES = """
SELECT object_id, index_id, used_page_count * 8192 FROM sys.dm_db_partition_stats{within}
"""

COMMENTS = """
SELECT class, name, major_id, minor_id, CAST(value AS NVARCHAR(4000)) FROM sys.extended_properties
"""

TRACKED = """
SELECT object_id, HAS_PERMS_BY_NAME(
    QUOTENAME(OBJECT_SCHEMA_NAME(object_id)) + '.' + QUOTENAME(OBJECT_NAME(object_id)), 'OBJECT',
    'VIEW CHANGE TRACKING')
FROM sys.change_tracking_tables
"""

OPTIONS = """
SELECT snapshot_isolation_state, is_read_committed_snapshot_on FROM sys.databases WHERE name = DB_NAME()
"""
