{% macro el_announce_loads(source_name, table) -%}
{%- endmacro %}


{% macro el_record_loads() -%}
{%- endmacro %}
