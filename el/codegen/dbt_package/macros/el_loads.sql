{% macro el_loads(source_name, table) -%}
    select
        _dlt_load_id,
        max(kind) as kind,
        min(started_at) as started_at
    from {{ source(source_name, '_el_ledger') }}
    where
        table_name = '{{ table }}'
        and _dlt_load_id in ({{ el_complete_loads(source_name) }})
    group by _dlt_load_id
{%- endmacro %}
