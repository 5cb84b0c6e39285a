{% macro el_last_run(source_name) -%}
    {%- set ledger = source(source_name, '_el_ledger') -%}
    {#- el says it in the table's comment: a run that finds nothing new writes no row. Before the first: the last load. -#}
    select
        coalesce(
            (
                {%- if target.type == 'snowflake' %}
                select max(try_cast(right(tables.comment, 19) as {{ dbt.type_timestamp() }}))
                from {{ ledger.database }}.information_schema.tables as tables
                where
                    upper(tables.table_schema) = '{{ ledger.schema | upper }}'
                    and upper(tables.table_name) = '{{ ledger.identifier | upper }}'
                {%- else %}
                select max(try_cast(right(tables.comment, 19) as {{ dbt.type_timestamp() }}))
                from duckdb_tables() as tables
                where
                    tables.database_name = '{{ ledger.database }}'
                    and tables.schema_name = '{{ ledger.schema }}'
                    and tables.table_name = '{{ ledger.identifier }}'
                {%- endif %}
            ),
            (
                select max(ledger.finished_at)
                from {{ ledger }} as ledger
                where ledger._dlt_load_id in ({{ el_complete_loads(source_name) }})
            )
        ) as loaded_at
{%- endmacro %}
