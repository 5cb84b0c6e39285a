{% macro el_append_log(relation, source_name, table) -%}
    select landed.*
    from {{ relation }} as landed
    where
        landed._dlt_load_id in (
            {%- if is_incremental() %}
            {{ el_new_loads(source_name, table, taken='select _dlt_load_id from ' ~ this) }}
            {%- else %}
            select complete._dlt_load_id from ({{ el_loads(source_name, table) }}) as complete
            {%- endif %}
        )
{%- endmacro %}
