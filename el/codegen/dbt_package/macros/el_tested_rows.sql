{% macro el_tested_rows(model, source_name, table, kinds="'S', 'U'") -%}
    {%- set loads = el_tested(source_name)['current'].get(table, []) -%}
    {%- if target.name == 'source' -%}
    {{ model }}
    {%- else -%}
    (
        select landed.*
        from {{ model }} as landed
        where
            landed._el_op in ({{ kinds }})
            and {{ el_in_loads('landed._dlt_load_id', source_name, loads) }}
    )
    {%- endif -%}
{%- endmacro %}
