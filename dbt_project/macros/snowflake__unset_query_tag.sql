{% macro snowflake__unset_query_tag(original_query_tag) -%}
    {%- do run_query("alter session set query_tag = '" ~ (original_query_tag or '') ~ "'") -%}
{%- endmacro %}
