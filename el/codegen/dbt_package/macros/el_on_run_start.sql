{% macro el_on_run_start() -%}
    {#- What the models of a run have to take, and its tests to look at, is asked once. -#}
    {{- el_refuse_raw() -}}
    {{- el_begin() -}}
    {{- el_begin_tests() -}}
{%- endmacro %}
