{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- if not custom_schema_name -%}
        {{- target.schema -}}
    {%- elif target.name in var('own_schemas', ['local', 'prod', 'source', 'lint']) -%}
        {{- custom_schema_name | trim -}}
    {%- else -%}
        {{- target.schema }}_{{ custom_schema_name | trim -}}
    {%- endif -%}
{%- endmacro %}
