{% macro el_type(duckdb, snowflake) -%}
    {{ duckdb if target.type == 'duckdb' else snowflake }}
{%- endmacro %}
