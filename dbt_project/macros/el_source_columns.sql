{% macro el_source_columns(relation) -%}
    {%- set names = [] -%}
    {%- for column in adapter.get_columns_in_relation(relation) if execute -%}
        {%- set name = column.name | lower -%}
        {%- if name not in ['_dlt_load_id', '_el_op', '_el_position', '_el_extracted_at'] -%}
            {%- do names.append(name) -%}
        {%- endif -%}
    {%- endfor -%}
    {{- return(names) -}}
{%- endmacro %}
