"""The catalog views as relations over the catalog, with SQL Server's column names and types.

A view is its columns, each `name type = DuckDB expression`, and where they come from; the binder puts it in place of
the name, so that any join over it works. Columns: Microsoft Learn, "System catalog views", one page each. Names compare
without case, as in a database whose collation is that of most.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .catalog import COLLATION_NAME
from .languages import LANGUAGES
from .sqltypes import SYSTEM_TYPES, SqlType, parse_type


@dataclass(frozen=True)
class SystemView:
    """`columns` are (name, type, DuckDB expression)."""

    columns: list[tuple[str, SqlType, str]]
    source: str

    def sql(self, db: str, dynamic: dict[str, str]) -> str:
        parts = ", ".join(
            f'CAST({e} AS {t.stored}){" COLLATE NOCASE" if t.name == "nvarchar" and t.length == 128 else ""} AS "{n}"'
            for n, t, e in self.columns
        )
        text = f"(SELECT {parts} {self.source})"
        for name, value in dynamic.items():
            text = text.replace("{" + name + "}", value)
        return text.replace("{db}", db)


VIEWS: dict[str, SystemView] = {}


def view(name: str, columns: str, source: str) -> None:
    out = []
    for part in re.split(r",\s*\n|;\s*", columns.strip().rstrip(",")):
        left, _, expression = part.partition("=")
        column, _, kind = left.strip().partition(" ")
        kind = kind.strip() or "int"
        out.append((column, parse_type(kind), expression.strip() or column))
    VIEWS[name.lower()] = SystemView(out, source)


KINDS = (
    "CASE o.type WHEN 'U' THEN 'USER_TABLE' WHEN 'V' THEN 'VIEW' WHEN 'PK' THEN 'PRIMARY_KEY_CONSTRAINT' WHEN 'UQ' "
    "THEN "
    "'UNIQUE_CONSTRAINT' WHEN 'F' THEN 'FOREIGN_KEY_CONSTRAINT' WHEN 'C' THEN 'CHECK_CONSTRAINT' WHEN 'D' THEN "
    "'DEFAULT_CONSTRAINT' WHEN 'S' THEN 'SYSTEM_TABLE' ELSE 'SQL_STORED_PROCEDURE' END"
)
OBJECT = f"""name sysname=o.name; object_id int=o.object_id; principal_id int=NULL; schema_id int=o.schema_id;
parent_object_id int=o.parent_object_id; type char(2)=rpad(o.type, 2, ' '); type_desc nvarchar(60)={KINDS};
create_date datetime=o.created; modify_date datetime=o.modified; is_ms_shipped bit=o.schema_id = 16399;
is_published bit=false;
is_schema_published bit=false"""


def _of_body(field: str) -> str:
    """A fact of a table's JSON body, as a number."""
    found = f"json_extract_string(o.body, '$.{field}')"
    return f"CAST(CASE {found} WHEN 'true' THEN '1' WHEN 'false' THEN '0' ELSE coalesce({found}, '0') END AS INTEGER)"


view(
    "sys.databases",
    "name sysname=name; database_id int=id; create_date datetime=created; owner_sid varbinary(85)=NULL; "
    "compatibility_level tinyint=160; "
    f"collation_name sysname='{COLLATION_NAME}'; user_access tinyint=0; user_access_desc nvarchar(60)='MULTI_USER'; "
    "is_read_only bit=false; state tinyint=0; state_desc nvarchar(60)='ONLINE'; snapshot_isolation_state tinyint=si; "
    "snapshot_isolation_state_desc nvarchar(60)=CASE si WHEN 1 THEN 'ON' ELSE 'OFF' END; "
    "is_read_committed_snapshot_on bit=rcsi; recovery_model tinyint=1; recovery_model_desc nvarchar(60)='FULL'; "
    "is_cdc_enabled bit=cdc; is_encrypted bit=false; service_broker_guid uniqueidentifier=NULL; "
    "is_query_store_on bit=false; containment tinyint=0",
    "FROM {databases}",
)
view(
    "sys.database_recovery_status",
    "database_id int=id; database_guid uniqueidentifier=fork; family_guid uniqueidentifier=family; "
    "last_log_backup_lsn numeric(25,0)=NULL; recovery_fork_guid uniqueidentifier=fork; "
    "first_recovery_fork_guid uniqueidentifier=fork; fork_point_lsn numeric(25,0)=NULL",
    "FROM {recovery}",
)
view(
    "sys.security_policies",
    "name sysname=name; object_id int=id; schema_id int=(SELECT schema_id FROM {db}.cat.schemas s WHERE s.name = "
    "v.schema); is_ms_shipped bit=false; is_enabled bit=enabled; is_schema_bound bit=true; uses_database_collation "
    "bit=false; is_not_for_replication bit=false",
    "FROM {policies} WHERE id > 0",
)
view(
    "sys.security_predicates",
    "object_id int=id; security_predicate_id int=number; target_object_id int=target; predicate_definition "
    "nvarchar(max)=function; predicate_type int=kind; predicate_type_desc nvarchar(60)=CASE kind WHEN 0 THEN "
    "'FILTER' ELSE 'BLOCK' END; operation int=NULL; operation_desc nvarchar(60)=NULL",
    "FROM {predicates} WHERE id > 0",
)
view(
    "sys.syslanguages",
    "langid smallint=id; dateformat nchar(3)=format; datefirst tinyint=first; name sysname=name",
    "FROM (VALUES " + ", ".join(f"({i}, '{f}', {d}, '{n}')" for n, (i, f, d) in LANGUAGES.items()) + ") "
    "AS l(id, format, first, name)",
)
view("sys.schemas", "name sysname=name; schema_id int=schema_id; principal_id int=1", "FROM {db}.cat.schemas")
view("sys.objects", OBJECT, "FROM {db}.cat.objects o")
view("sys.all_objects", OBJECT, "FROM {db}.cat.objects o")
view(
    "sys.tables",
    OBJECT + "; lob_data_space_id int=0; max_column_id_used int=(SELECT max(column_id) FROM {db}.cat.columns c "
    "WHERE c.object_id = o.object_id); is_tracked_by_cdc bit=EXISTS (SELECT 1 FROM {db}.cat.captures c WHERE "
    "c.source_object_id = o.object_id); "
    f"temporal_type tinyint={_of_body('temporal')}; temporal_type_desc nvarchar(60)=CASE {_of_body('temporal')} WHEN 0 "
    "THEN 'NON_TEMPORAL_TABLE' WHEN 1 THEN 'HISTORY_TABLE' ELSE 'SYSTEM_VERSIONED_TEMPORAL_TABLE' END; "
    f"is_memory_optimized bit={_of_body('memory_optimized')}; is_external bit={_of_body('external')}; is_filetable "
    f"bit=false; is_node bit={_of_body('graph')} = 1; is_edge bit={_of_body('graph')} = 2; history_table_id "
    f"int=nullif({_of_body('history')}, 0); durability tinyint=0; ledger_type tinyint={_of_body('ledger')}",
    "FROM {db}.cat.objects o WHERE o.type = 'U'",
)
view(
    "sys.views",
    OBJECT + f"; with_check_option bit=false; ledger_view_type tinyint={_of_body('ledger')}",
    "FROM {db}.cat.objects o WHERE o.type = 'V'",
)
COLUMN = """object_id int=c.object_id; name sysname=c.name; column_id int=c.column_id;
system_type_id tinyint=c.system_type_id;
user_type_id int=c.user_type_id; max_length smallint=c.max_length; precision tinyint=c.precision; scale tinyint=c.scale;
collation_name sysname=CASE WHEN c.is_text THEN c.collation_name END; is_nullable bit=c.is_nullable;
is_ansi_padded bit=true;
is_rowguidcol bit=false; is_identity bit=c.is_identity; is_computed bit=c.is_computed; is_filestream bit=false;
is_xml_document bit=false; xml_collection_id int=0; default_object_id int=c.default_object_id; rule_object_id int=0;
is_sparse bit=false; is_column_set bit=false; is_hidden bit=c.is_hidden; is_masked bit=c.masking IS NOT NULL;
generated_always_type tinyint=c.generated_always_type;
generated_always_type_desc nvarchar(60)=CASE c.generated_always_type WHEN 0 THEN 'NOT_APPLICABLE' WHEN 1 THEN
'AS_ROW_START' WHEN 2 THEN 'AS_ROW_END' ELSE 'AS_TRANSACTION_ID' END; encryption_type int=c.encryption_type;
graph_type int=c.graph_type"""
view("sys.columns", COLUMN, "FROM {db}.cat.columns c")
view("sys.all_columns", COLUMN, "FROM {db}.cat.columns c")
view(
    "sys.computed_columns",
    COLUMN + "; definition nvarchar(max)=c.computed; is_persisted bit=c.is_persisted; "
    "uses_database_collation bit=false",
    "FROM {db}.cat.columns c WHERE c.is_computed",
)
view(
    "sys.masked_columns",
    COLUMN + "; masking_function nvarchar(4000)=c.masking",
    "FROM {db}.cat.columns c WHERE c.masking IS NOT NULL",
)
view(
    "sys.identity_columns",
    COLUMN + "; seed_value bigint=c.seed; increment_value bigint=c.increment; "
    "last_value bigint=i.v; is_not_for_replication bit=false",
    "FROM {db}.cat.columns c LEFT JOIN {identities} i(o, v) ON i.o = c.object_id WHERE c.is_identity",
)
_TYPES = ", ".join(
    f"('{name if name != 'rowversion' else 'timestamp'}', {s}, {u}, {m}, {p}, {sc}, {str(name == 'sysname').lower()})"
    for name, (s, u, m, p, sc) in SYSTEM_TYPES.items()
)
view(
    "sys.types",
    f"name sysname=name; system_type_id tinyint=s; user_type_id int=u; schema_id int=schema_id; principal_id int=NULL; "
    "max_length smallint=m; precision tinyint=p; scale tinyint=sc; collation_name sysname=CASE WHEN s IN (35, 99, "
    "167, 175, "
    f"231, 239) THEN '{COLLATION_NAME}' END; is_nullable bit=nullable; is_user_defined bit=u > 256; is_assembly_type "
    f"bit=s = 240; default_object_id int=0; rule_object_id int=0; is_table_type bit=false",
    f"FROM (SELECT name, s, u, m, p, sc, 4 AS schema_id, NOT alias AS nullable FROM (VALUES {_TYPES}) v(name, s, u, "
    "m, p, sc, alias) "
    "UNION ALL SELECT name, system_type_id, user_type_id, max_length, precision, scale, schema_id, is_nullable FROM "
    "{db}.cat.types)",
)
view(
    "sys.indexes",
    "object_id int=i.object_id; name sysname=i.name; index_id int=i.index_id; type tinyint=i.type; type_desc "
    "nvarchar(60)=CASE i.type WHEN 0 THEN 'HEAP' WHEN 1 THEN 'CLUSTERED' ELSE 'NONCLUSTERED' END; is_unique "
    "bit=i.is_unique; "
    "data_space_id int=1; ignore_dup_key bit=false; is_primary_key bit=i.is_primary_key; is_unique_constraint "
    "bit=i.is_unique_constraint; fill_factor tinyint=0; is_padded bit=false; is_disabled bit=i.is_disabled; "
    "is_hypothetical "
    "bit=false; allow_row_locks bit=true; allow_page_locks bit=true; has_filter bit=i.filter IS NOT NULL; "
    "filter_definition "
    "nvarchar(max)=i.filter",
    "FROM {db}.cat.indexes i",
)
view(
    "sys.index_columns",
    "object_id; index_id; index_column_id; column_id; key_ordinal tinyint; partition_ordinal tinyint=0; "
    "is_descending_key bit; is_included_column bit",
    "FROM {db}.cat.index_columns",
)
view(
    "sys.stats",
    "object_id int=i.object_id; name sysname=i.name; stats_id int=i.index_id; auto_created bit=false; user_created "
    "bit=false; no_recompute bit=false; has_filter bit=i.filter IS NOT NULL; filter_definition nvarchar(max)=i.filter; "
    "is_temporary bit=false; is_incremental bit=false",
    "FROM {db}.cat.indexes i WHERE i.index_id > 0",
)
view(
    "sys.stats_columns",
    "object_id; stats_id int=index_id; stats_column_id int=key_ordinal; column_id",
    "FROM {db}.cat.index_columns WHERE key_ordinal > 0",
)
view(
    "sys.key_constraints",
    OBJECT + "; unique_index_id int=i.index_id; is_system_named bit=i.system_named; is_enforced bit=true",
    "FROM {db}.cat.objects o JOIN {db}.cat.indexes i ON i.key_object_id = o.object_id WHERE o.type IN ('PK', 'UQ')",
)
ACTION = "CASE {} WHEN 1 THEN 'CASCADE' WHEN 2 THEN 'SET_NULL' WHEN 3 THEN 'SET_DEFAULT' ELSE 'NO_ACTION' END"
view(
    "sys.foreign_keys",
    OBJECT + "; referenced_object_id int=f.referenced_object_id; key_index_id int=f.key_index_id; "
    "is_disabled bit=f.is_disabled; is_not_for_replication bit=false; is_not_trusted bit=f.is_not_trusted; "
    "delete_referential_action tinyint=f.on_delete; delete_referential_action_desc nvarchar(60)="
    + ACTION.format("f.on_delete")
    + "; update_referential_action tinyint=f.on_update; update_referential_action_desc nvarchar(60)="
    + ACTION.format("f.on_update")
    + "; is_system_named bit=false",
    "FROM {db}.cat.foreign_keys f JOIN {db}.cat.objects o ON o.object_id = f.object_id",
)
view(
    "sys.foreign_key_columns",
    "constraint_object_id; constraint_column_id; parent_object_id; parent_column_id; "
    "referenced_object_id; referenced_column_id",
    "FROM {db}.cat.foreign_key_columns",
)
view(
    "sys.check_constraints",
    OBJECT + "; is_disabled bit=c.is_disabled; is_not_for_replication bit=false; is_not_trusted "
    "bit=c.is_not_trusted; parent_column_id int=c.parent_column_id; definition nvarchar(max)=c.definition; "
    "uses_database_collation bit=false; is_system_named bit=false",
    "FROM {db}.cat.checks c JOIN {db}.cat.objects o ON o.object_id = c.object_id",
)
view(
    "sys.default_constraints",
    OBJECT + "; parent_column_id int=c.column_id; definition nvarchar(max)=c.default_text; is_system_named bit=false",
    "FROM {db}.cat.columns c JOIN {db}.cat.objects o ON o.object_id = c.default_object_id",
)
view(
    "sys.extended_properties",
    "class tinyint; class_desc nvarchar(60); major_id int; minor_id int; name sysname; "
    "value sql_variant=CASE WHEN value IS NOT NULL THEN {{'b': 'nvarchar(' || greatest(length(value), 1) || ')', "
    "'v': value}} END".replace("{{", "{").replace("}}", "}"),
    "FROM {db}.cat.extended_properties",
)
_PAGES = "CAST(1 + coalesce(r.n, 0) * 100 // 8060 AS BIGINT)"
_ROWS = "FROM {db}.cat.indexes i LEFT JOIN {partitions} r ON r.object_id = i.object_id"
view(
    "sys.partitions",
    "partition_id bigint=r.partition_id + i.index_id; object_id int=i.object_id; index_id int=i.index_id; "
    "partition_number int=r.number; hobt_id bigint=r.partition_id + i.index_id; rows bigint=coalesce(r.n, 0); "
    "data_compression tinyint=0; data_compression_desc nvarchar(60)='NONE'",
    _ROWS,
)
view(
    "sys.dm_db_partition_stats",
    f"partition_id bigint=r.partition_id + i.index_id; object_id int=i.object_id; index_id int=i.index_id; "
    f"partition_number int=r.number; in_row_data_page_count bigint={_PAGES}; in_row_used_page_count bigint={_PAGES} + "
    f"1; in_row_reserved_page_count bigint={_PAGES} + 8; lob_used_page_count bigint=0; lob_reserved_page_count "
    f"bigint=0; row_overflow_used_page_count bigint=0; used_page_count bigint={_PAGES} + 1; reserved_page_count "
    f"bigint={_PAGES} + 8; row_count bigint=coalesce(r.n, 0)",
    _ROWS,
)
view(
    "sys.sql_modules",
    "object_id int=o.object_id; definition nvarchar(max)=json_extract_string(o.body, '$.definition'); "
    "uses_ansi_nulls bit=true; is_schema_bound bit=false",
    "FROM {db}.cat.objects o WHERE o.type = 'V'",
)
view(
    "sys.change_tracking_databases",
    "database_id int=id; is_auto_cleanup_on bit=true; retention_period int=period; "
    "retention_period_units tinyint=CASE unit WHEN 'MINUTES' THEN 1 WHEN 'HOURS' THEN 2 ELSE 3 END; "
    "retention_period_units_desc nvarchar(60)=unit; max_cleanup_version bigint=NULL",
    "FROM {databases} WHERE period > 0",
)
view(
    "sys.change_tracking_tables",
    "object_id; is_track_columns_updated_on bit; min_valid_version bigint; begin_version bigint; "
    "cleanup_version bigint",
    "FROM {db}.cat.tracked",
)
view(
    "cdc.change_tables",
    "object_id; version int=0; source_object_id int; capture_instance sysname; start_lsn binary(10); "
    "end_lsn binary(10)=NULL; supports_net_changes bit; has_drop_pending bit=NULL; role_name sysname; index_name "
    "sysname=NULL; "
    "filegroup_name sysname=NULL; create_date datetime=created; partition_switch bit",
    "FROM {db}.cat.captures",
)
view(
    "cdc.captured_columns",
    "object_id int=p.object_id; column_name sysname=c.name; column_id int=c.column_id; "
    "column_type sysname=c.type_name; column_ordinal int=row_number() OVER (PARTITION BY p.object_id ORDER BY "
    "c.column_id); "
    "is_computed bit=c.is_computed",
    "FROM {db}.cat.captures p JOIN {db}.cat.columns c ON c.object_id = p.source_object_id AND "
    "list_contains(CAST(p.captured AS INTEGER[]), c.column_id)",
)
view(
    "cdc.lsn_time_mapping",
    "start_lsn binary(10); tran_begin_time datetime; tran_end_time datetime; tran_id varbinary(10); "
    "tran_begin_lsn binary(10)=NULL",
    "FROM {db}.cat.lsn_time_mapping",
)
view(
    "sys.dm_tran_version_store_space_usage",
    "database_id int=id; reserved_page_count bigint=0; reserved_space_kb bigint=0",
    "FROM {databases}",
)
view(
    "sys.dm_tran_database_transactions",
    "transaction_id bigint=id; database_id int=database_id; database_transaction_begin_time datetime=since",
    "FROM {writers} WHERE id > 0",
)
view(
    "sys.dm_exec_requests",
    "session_id smallint=NULL; request_id int=NULL; start_time datetime=NULL; status nvarchar(30)=NULL; "
    "command nvarchar(32)=NULL; database_id smallint=NULL; blocking_session_id smallint=NULL; wait_type "
    "nvarchar(60)=NULL; "
    "wait_time int=NULL; total_elapsed_time int=NULL; transaction_isolation_level smallint=NULL; cpu_time int=NULL; "
    "open_transaction_count int=NULL; reads bigint=NULL; sql_handle varbinary(64)=NULL",
    "WHERE false",
)
view(
    "sys.dm_exec_sessions",
    "session_id smallint=spid; login_time datetime=started; host_name nvarchar(128)=host; program_name "
    "nvarchar(128)=app; login_name nvarchar(128)=login; status nvarchar(30)='running'; database_id "
    "smallint=database_id; "
    "transaction_isolation_level smallint=level; open_transaction_count int=depth; is_user_process bit=true; "
    "original_login_name nvarchar(128)=login; host_process_id int=0; lock_timeout int=-1; text_size int=2147483647; "
    "language nvarchar(128)='us_english'; date_format nvarchar(3)='mdy'; date_first smallint=7; ansi_nulls bit=true; "
    "ansi_padding bit=true; arithabort bit=true; quoted_identifier bit=true; concat_null_yields_null bit=true; "
    "ansi_warnings bit=true; ansi_defaults bit=false; ansi_null_dflt_on bit=true; cpu_time int=0; reads bigint=0; "
    "client_interface_name nvarchar(32)='ODBC'",
    "FROM {sessions}",
)
view(
    "sys.dm_exec_connections",
    "session_id int=spid; connect_time datetime=started; net_transport nvarchar(40)='TCP'; "
    "encrypt_option nvarchar(40)=CASE WHEN encrypted THEN 'TRUE' ELSE 'FALSE' END; auth_scheme nvarchar(40)='SQL'; "
    "protocol_type nvarchar(40)='TSQL'; client_net_address varchar(48)='127.0.0.1'; most_recent_session_id int=spid",
    "FROM {sessions}",
)
view(
    "sys.server_principals",
    "name sysname=name; principal_id int=id; type char(1)='S'; type_desc nvarchar(60)='SQL_LOGIN'; "
    "is_disabled bit=false",
    "FROM {logins}",
)
view(
    "sys.database_principals",
    "name sysname=name; principal_id int=id; type char(1)='S'; type_desc nvarchar(60)='SQL_USER'; "
    "default_schema_name sysname='dbo'; authentication_type_desc nvarchar(60)='INSTANCE'",
    "FROM (VALUES ('dbo', 1), ('guest', 2), ('INFORMATION_SCHEMA', 3), ('sys', 4)) v(name, id)",
)
# Of views alone.
view(
    "sys.sql_expression_dependencies",
    "referencing_id int=view; referencing_minor_id int=0; referenced_id int=NULL; referenced_minor_id int=0; "
    "referenced_server_name sysname=NULL; referenced_database_name sysname=db; referenced_schema_name sysname=sch; "
    "referenced_entity_name sysname=name",
    "FROM {dependencies} WHERE view > 0",
)
for _empty in ("sys.synonyms", "sys.procedures", "sys.triggers", "sys.sequences"):
    view(_empty, OBJECT, "FROM {db}.cat.objects o WHERE false")
