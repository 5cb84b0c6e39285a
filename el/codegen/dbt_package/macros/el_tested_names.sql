{% macro el_tested_names(columns, at_source=none) -%}
    {%- set names = [] -%}
    {%- if target.name == 'source' -%}
        {#- el's own key column stands for all the columns that the source has instead. -#}
        {%- for column in at_source or columns -%}
            {%- do names.append(adapter.quote(column)) -%}
        {%- endfor -%}
    {%- else -%}
        {%- for column in columns -%}
            {%- do names.append(el_quoted(column) | trim) -%}
        {%- endfor -%}
    {%- endif -%}
    {{- return(names) -}}
{%- endmacro %}
