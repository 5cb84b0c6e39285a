{% macro el_held_columns(columns, held='held') -%}
    {%- set there = adapter.get_columns_in_relation(this) | map(attribute='name') | map('lower') | list if execute else [] -%}
    {%- for name in columns -%}
        {{ held ~ '.' ~ name if name in there else 'null as ' ~ name }}{{ ', ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
