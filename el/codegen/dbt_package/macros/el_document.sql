{% macro el_document(column) -%}
    {{ "parse_json(" ~ column ~ ", 'd')" if target.type == 'snowflake' else "cast(" ~ column ~ " as json)" }}
{%- endmacro %}
