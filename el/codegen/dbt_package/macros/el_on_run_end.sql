{% macro el_on_run_end() -%}
    {#- What was taken is noted once. -#}
    {{- el_end() -}}
    {{- el_grant_usage() -}}
    {{- el_end_tests() -}}
    {{- el_say_broken_rules() -}}
{%- endmacro %}
