{% macro el_new_loads(source_name, table, taken) -%}
    select new_load._dlt_load_id
    from ({{ el_loads(source_name, table) }}) as new_load
    where new_load._dlt_load_id not in ({{ taken }})
{%- endmacro %}
