{% macro el_text(value) -%}
    cast({{ "'" ~ value ~ "'" if value else 'null' }} as varchar)
{%- endmacro %}
