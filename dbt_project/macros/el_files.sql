{% macro el_files(source_name, table) -%}
    select
        taken.file_id,
        taken.uri,
        taken.as_of
    from {{ source(source_name, '_el_files') }} as taken
    where
        taken.table_name = '{{ table }}'
        and taken.status = 'loaded'
        and taken._dlt_load_id in ({{ el_complete_loads(source_name) }})
        and not exists (
            select 1
            from {{ source(source_name, '_el_files') }} as later
            where
                later.replaces = taken.file_id
                and later.table_name = taken.table_name
                and later._dlt_load_id in ({{ el_complete_loads(source_name) }})
        )
{%- endmacro %}
