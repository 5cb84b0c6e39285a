{% macro el_column_type(column) -%}
    {#- dbt leaves the digits of a Snowflake time out of its data_type. -#}
    {%- set size = column.char_size -%}
    {%- set sized = size is not none and '(' not in column.data_type and not column.is_string() -%}
    {{- return(column.data_type ~ ('(' ~ size ~ ')' if sized else '')) -}}
{%- endmacro %}
