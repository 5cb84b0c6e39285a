{% macro el_source_columns(relation) -%}
    {%- set own = [
        '_dlt_load_id', '_el_op', '_el_position', '_el_extracted_at', '_el_valid_from', '_el_valid_to', '_el_closed_at',
        '_el_deleted', '_el_deleted_load_id',
    ] -%}
    {%- if el_is_idle() -%}
        {%- set there = model.columns.values() -%}
    {%- else -%}
        {%- set there = adapter.get_columns_in_relation(relation) if execute else [] -%}
    {%- endif -%}
    {{- return(there | map(attribute='name') | map('lower') | reject('in', own) | list) -}}
{%- endmacro %}
