{% macro el_same_columns(left, left_columns, right, right_columns, ignore_case=false, ignore_blanks=false) -%}
    {%- for column in left_columns -%}
        {%- set there = left ~ '.' ~ column -%}
        {%- set here = right ~ '.' ~ right_columns[loop.index0] -%}
        {%- if ignore_case -%}
            lower(rtrim(cast({{ there }} as varchar))) = lower(rtrim(cast({{ here }} as varchar)))
        {%- elif ignore_blanks -%}
            rtrim(cast({{ there }} as varchar)) = rtrim(cast({{ here }} as varchar))
        {%- else -%}
            {{ there }} = {{ here }}
        {%- endif -%}
        {{- ' and ' if not loop.last -}}
    {%- endfor -%}
{%- endmacro %}
