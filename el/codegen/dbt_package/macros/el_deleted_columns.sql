{% macro el_deleted_columns(relation, key) -%}
    {%- set kept = key | map('lower') | list + ['_dlt_load_id', '_el_position', '_el_extracted_at'] -%}
    {%- for column in adapter.get_columns_in_relation(relation) if execute -%}
        {%- set name = column.name | lower -%}
        {%- if name == '_el_op' -%} 'D'
        {%- elif name in kept -%} {{ name }}
        {%- else -%} null
        {%- endif %} as {{ name }}{{ ', ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
