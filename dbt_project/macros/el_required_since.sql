{% macro el_required_since(source_name, table, column) -%}
    select min(required._dlt_load_id)
    from {{ el_columns(source_name) }} as required
    where
        required.table_name = '{{ table }}'
        and required.column_name = '{{ column }}'
        and not required.nullable
        and required._dlt_load_id in ({{ el_complete_loads(source_name) }})
        and required._dlt_load_id > (
            select coalesce(max(optional._dlt_load_id), '')
            from {{ el_columns(source_name) }} as optional
            where
                optional.table_name = '{{ table }}'
                and optional.column_name = '{{ column }}'
                and optional.nullable
                and optional._dlt_load_id in ({{ el_complete_loads(source_name) }})
        )
{%- endmacro %}
