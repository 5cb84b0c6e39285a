{% macro el_point(row) -%}
    {{ row }}._dlt_load_id || '/' || coalesce({{ row }}._el_position, '')
{%- endmacro %}
