{% macro el_complete_loads(source_name) -%}
    select load_id from {{ source(source_name, '_dlt_loads') }} where status = 0
{%- endmacro %}
