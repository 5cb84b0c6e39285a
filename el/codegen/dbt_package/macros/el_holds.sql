{% macro el_holds(held, arriving) -%}
    {%- set (held_kind, held_before, held_after) = el_digits(held) -%}
    {%- set (kind, before, after) = el_digits(arriving) -%}
    {%- if held_kind == kind -%}
        {{- return(held_before >= before and held_after >= after) -}}
    {%- elif held_kind == 'float' and kind == 'number' -%}
        {{- return(after == 0 and before <= 15) -}}
    {%- endif -%}
    {{- return(kind == 'date' and held_kind in ['timestamp', 'timestamp_ntz', 'datetime']) -}}
{%- endmacro %}
