{% macro el_quoted(name) -%}
    {{ adapter.quote(name | upper if target.type == 'snowflake' else name) }}
{%- endmacro %}
