{% macro el_tested_names(columns, at_source=none) -%}
    {%- set names = [] -%}
    {%- for column in columns -%}
        {%- if target.name == 'source' -%}
            {%- do names.append(adapter.quote(at_source[loop.index0] if at_source else column)) -%}
        {%- else -%}
            {%- do names.append(el_quoted(column) | trim) -%}
        {%- endif -%}
    {%- endfor -%}
    {{- return(names) -}}
{%- endmacro %}
