{% macro el_pii() -%}
    {{- return((config.get('meta') or {}).get('el_pii') or {}) -}}
{%- endmacro %}
