{% macro el_columns(source_name) -%}
    {%- set ledger = source(source_name, '_el_ledger') -%}
    {{- return(ledger.incorporate(path={'identifier': '_el_columns'})) -}}
{%- endmacro %}
