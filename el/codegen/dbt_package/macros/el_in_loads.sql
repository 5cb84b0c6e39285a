{% macro el_in_loads(column, source_name, loads) -%}
    {%- if not loads -%}
        1 = 0
    {%- else -%}
        {#- Literals: Snowflake skips no micro-partition by what a subquery says. -#}
        {{ column }} between '{{ loads | first }}' and '{{ loads | last }}'
            and {{ column }} in (
                {%- if loads | length > var('el_literal_loads', 5000) -%}
                    {{ el_complete_loads(source_name) }}
                {%- else -%}
                    '{{ loads | join("', '") }}'
                {%- endif -%}
            )
    {%- endif -%}
{%- endmacro %}
